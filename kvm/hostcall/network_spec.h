// The network of a sandbox, as bytes: written by the host (ContainerWriter), read by the sentry
// (ContainerReader), the string at the end of the first container's description (container_spec.h). Empty:
// there is only lo. Else in this order:
//   u32 version (kNetworkVersion)
//   u32 count, then per interface, which has the wire of that place:
//     string name, u32 index on the host, string hardware address (6 bytes), u32 MTU, u32 queue length, u32
//     flags (kIpv6Off, kNoRouterAdvertisements)
//     u32 count, then per address:
//       string address, string peer ("": none), string broadcast ("": none), u32 prefix, u32 scope, u32
//       flags, u32 protocol, u32 seconds that it is valid, u32 seconds that it is preferred (kForEver),
//       string label
//     u32 count, then per permanent neighbour: string address, string hardware address
//   u32 count, then per route of the main table:
//     string destination, u32 prefix, string gateway ("": on the link), string source ("": none), u32 place
//     of the interface in the list (kNoPlace: none), u32 metric, protocol, scope, type, MTU, type of service,
//     flags, seconds that it lasts (kForEver)
// An IP address is a string of 4 or 16 bytes in network order; numbers are those of rtnetlink(7).
#pragma once

#include "kvm/hostcall/container_spec.h"

namespace runsc::hostcall {

inline constexpr uint32_t kNetworkVersion = 3;
inline constexpr uint32_t kForEver = ~uint32_t{0};
// What the host's stack does not do there: IPv6 at all; taking addresses and routes from routers (RFC 4861).
inline constexpr uint32_t kIpv6Off = 1, kNoRouterAdvertisements = 2;

}  // namespace runsc::hostcall
