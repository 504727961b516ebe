// InetSettings: what /proc/sys/net/ipv4 and ipv6 set for a namespace and what acts.
#pragma once

#include <atomic>
#include <cstdint>

#include "net/inet/interface_settings.h"
#include "net/tcp/tcp_settings.h"

namespace runsc::net {

struct InetSettings {
  std::atomic<uint32_t> port_low{32768}, port_high{60999};  // ip_local_port_range
  std::atomic<uint32_t> unprivileged_port{1024};            // ip_unprivileged_port_start
  std::atomic<uint32_t> ping_group_low{1}, ping_group_high{0};
  std::atomic<uint32_t> default_ttl{64};   // ip_default_ttl
  std::atomic<uint32_t> nonlocal_bind{0};  // ip_nonlocal_bind
  std::atomic<uint32_t> default_hop_limit{64};
  std::atomic<uint32_t> bindv6only{0};
  std::atomic<uint32_t> echo_ignore_all{0}, echo_ignore_broadcasts{1};
  std::atomic<uint32_t> no_pmtu_discovery{0};
  TcpSettings tcp;
  // conf/all; and what new interfaces start with.
  InterfaceSettings all, defaults;
};

}  // namespace runsc::net
