// Names of options and of ancillary data: SOL_IP (ip(7)) and SOL_IPV6 (ipv6(7)).
#pragma once

namespace runsc::net {

namespace ip_option {
inline constexpr int tos = 1, ttl = 2, hdrincl = 3, options = 4, router_alert = 5, recvopts = 6, retopts = 7,
                     pktinfo = 8, pktoptions = 9, mtu_discover = 10, recverr = 11, recvttl = 12, recvtos = 13,
                     mtu = 14, freebind = 15, transparent = 19, recvorigdstaddr = 20, minttl = 21,
                     nodefrag = 22, checksum = 23, bind_address_no_port = 24, recvfragsize = 25,
                     recverr_rfc4884 = 26, multicast_if = 32, multicast_ttl = 33, multicast_loop = 34,
                     add_membership = 35, drop_membership = 36, mcast_join_group = 42, mcast_leave_group = 45,
                     multicast_all = 49, unicast_if = 50, local_port_range = 51, protocol = 52;
}
namespace ipv6_option {
inline constexpr int addrform = 1, checksum = 7, next_hop = 9, flowinfo = 11, unicast_hops = 16,
                     multicast_if = 17, multicast_hops = 18, multicast_loop = 19, add_membership = 20,
                     drop_membership = 21, router_alert = 22, mtu_discover = 23, mtu = 24, recverr = 25,
                     v6only = 26, multicast_all = 29, router_alert_isolate = 30, recverr_rfc4884 = 31,
                     flowinfo_send = 33, join_anycast = 27, mcast_join_group = 42, mcast_leave_group = 45,
                     recvpktinfo = 49, pktinfo = 50, recvhoplimit = 51, hoplimit = 52, recvhopopts = 53,
                     hopopts = 54, recvrthdr = 56, rthdr = 57, recvdstopts = 58, dstopts = 59,
                     recvpathmtu = 60, pathmtu = 61, dontfrag = 62, recvtclass = 66, tclass = 67,
                     autoflowlabel = 70, addr_preferences = 72, minhopcount = 73, origdstaddr = 74,
                     transparent = 75, unicast_if = 76, recvfragsize = 77, freebind = 78, pktinfo_2292 = 2,
                     hopopts_2292 = 3, dstopts_2292 = 4, rthdr_2292 = 5, hoplimit_2292 = 8;
}

}  // namespace runsc::net
