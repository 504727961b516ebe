// InterfaceSettings: what /proc/sys/net/ipv4 and ipv6 set for one interface (conf/IF, neigh/IF) and what
// acts.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

namespace runsc::net {

using Setting = std::atomic<uint32_t>;

// neigh/IF of one family (arp(7)).
struct NeighbourSettings {
  Setting base_reachable_ms{30000}, retransmit_ms{1000}, delay_first_probe_s{5}, gc_stale_s{60},
      multicast_probes{3}, unicast_probes{3}, queue_bytes{212992}, locktime_ms{1000};
};

struct InterfaceSettings {
  NeighbourSettings neighbours[2];  // [v6]

  // conf/IF of IPv4. Of these what `all` says counts too.
  Setting arp_accept{0}, arp_ignore{0}, arp_announce{0}, arp_notify{0}, rp_filter{0}, accept_local{0},
      force_igmp_version{0}, promote_secondaries{0};

  // conf/IF of IPv6. disable_ipv6: no addresses, nothing is taken or sent (see NetConfig::switch_ipv6()).
  Setting disable_ipv6{0}, accept_ra{1}, accept_ra_defrtr{1}, accept_ra_pinfo{1}, accept_ra_mtu{1},
      autoconf{1}, accept_redirects6{1}, accept_dad{1}, dad_transmits{1}, hop_limit{64}, force_mld_version{0},
      router_solicit_interval_s{4}, router_solicit_delay_s{1};
  Setting mtu6{0};                    // what a router has said; 0: the interface's
  Setting router_solicitations{~0u};  // ~0 (-1): until one answers
  Setting addr_gen_mode{0};           // 0: EUI-64 (RFC 4291), 1: none

  // A new interface starts with what `default` says.
  void copy_from(const InterfaceSettings& other);
};

// A file of conf/IF or neigh/IF.
struct SettingRow {
  std::string_view name;
  Setting& (*of)(InterfaceSettings& settings);
  uint32_t least = 0, most = 0x7fffffff;
  uint32_t unit = 1;      // the file counts in so many of ours
  bool negative = false;  // -1 is allowed
};
std::span<const SettingRow> conf_rows(bool v6);
std::span<const SettingRow> neighbour_rows(bool v6);

}  // namespace runsc::net
