// InterfaceSettings: what /proc/sys/net/ipv4 and ipv6 set for one interface (conf/IF, neigh/IF) and what
// acts.
#pragma once

#include <atomic>
#include <cstdint>

namespace runsc::net {

// neigh/IF of one family (arp(7)).
struct NeighbourSettings {
  std::atomic<uint32_t> base_reachable_ms{30000}, retransmit_ms{1000}, delay_first_probe_s{5}, gc_stale_s{60},
      multicast_probes{3}, unicast_probes{3}, queue_bytes{212992}, locktime_ms{1000};
};

struct InterfaceSettings {
  NeighbourSettings neighbours[2];  // [v6]

  // conf/IF of IPv4
  std::atomic<uint32_t> arp_accept{0}, arp_ignore{0}, arp_announce{0}, arp_notify{0}, rp_filter{0},
      accept_local{0}, force_igmp_version{0};

  // conf/IF of IPv6. disable_ipv6: no addresses, nothing is taken or sent.
  std::atomic<uint32_t> disable_ipv6{0}, accept_ra{1}, accept_ra_defrtr{1}, accept_ra_pinfo{1},
      accept_ra_mtu{1}, autoconf{1}, accept_redirects6{1}, accept_dad{1}, dad_transmits{1}, hop_limit{64},
      force_mld_version{0}, router_solicit_interval_s{4}, router_solicit_delay_s{1};
  std::atomic<int32_t> router_solicitations{-1};  // -1: until one answers
  std::atomic<uint32_t> addr_gen_mode{0};         // 0: EUI-64 (RFC 4291), 1: none
};

}  // namespace runsc::net
