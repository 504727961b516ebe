// What rtnetlink(7) answers with.
#include "net/netlink/route_messages.h"

#include <algorithm>

#include "net/inet/neighbours.h"
#include "net/services.h"

namespace runsc::net {

namespace {

constexpr uint8_t kInet = family_number::inet, kInet6 = family_number::inet6;

struct LinkMessage {  // struct ifinfomsg
  uint8_t family, padding;
  uint16_t type;
  uint32_t index, flags, change;
};
struct AddressMessage {  // struct ifaddrmsg
  uint8_t family, prefix, flags, scope;
  uint32_t index;
};
struct RouteMessage {  // struct rtmsg
  uint8_t family, destination_length, source_length, tos, table, protocol, scope, type;
  uint32_t flags;
};
struct AddressLife {  // struct ifa_cacheinfo
  uint32_t preferred, valid, created, updated;
};

// IFLA_*
constexpr uint16_t kLinkAddress = 1, kLinkBroadcast = 2, kLinkName = 3, kLinkMtu = 4, kLinkQdisc = 6,
                   kLinkStats = 7, kLinkQueueLength = 13, kLinkOperState = 16, kLinkMode = 17,
                   kLinkStats64 = 23, kLinkGroup = 27, kLinkPromiscuity = 30, kLinkTxQueues = 31,
                   kLinkRxQueues = 32, kLinkCarrier = 33, kLinkMinMtu = 50, kLinkMaxMtu = 51;
// IFA_*
constexpr uint16_t kAddressPeer = 1, kAddressLocal = 2, kAddressLabel = 3, kAddressBroadcast = 4,
                   kAddressLife = 6, kAddressFlags = 8, kAddressProtocol = 11;
// RTA_*
constexpr uint16_t kRouteDestination = 1, kRouteOut = 4, kRouteGateway = 5, kRoutePriority = 6,
                   kRouteSource = 7, kRouteMetrics = 8, kRouteCache = 12, kRouteTable = 15,
                   kRoutePreference = 20;
constexpr uint16_t kMetricMtu = 2;

}  // namespace

void write_link(NetlinkWriter& out, const Interface& i, uint16_t type, uint16_t flags, uint32_t changed) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  constexpr uint8_t kOperUnknown = 0, kOperDown = 2, kOperUp = 6;
  const uint8_t running = i.is_loopback() ? kOperUnknown : kOperUp;
  out.begin(type, flags);
  out.put(LinkMessage{0, 0, i.hardware_type(), i.index(), i.flags(), changed});
  out.attribute(kLinkName, i.name());
  out.attribute(kLinkQueueLength, i.queue_length());
  out.attribute(kLinkOperState, uint8_t{i.up() ? running : kOperDown});
  out.attribute(kLinkMode, uint8_t{0});
  out.attribute(kLinkMtu, i.mtu());
  out.attribute(kLinkMinMtu, uint32_t{i.is_loopback() ? 0u : 68u});
  out.attribute(kLinkMaxMtu, uint32_t{i.is_loopback() ? 0u : 65535u});
  out.attribute(kLinkGroup, uint32_t{0});
  out.attribute(kLinkPromiscuity, i.promiscuity() + ((i.flags() & interface_flag::promisc) != 0));
  out.attribute(kLinkTxQueues, uint32_t{1});
  out.attribute(kLinkRxQueues, uint32_t{1});
  out.attribute(kLinkCarrier, uint8_t{1});
  out.attribute(kLinkQdisc, !i.up() ? std::string_view("noop") : std::string_view("noqueue"));
  const std::span<const std::byte> hardware = i.hardware_address();
  if (!hardware.empty()) {
    std::byte all[Interface::kHardwareMax] = {};
    if (!i.is_loopback()) __builtin_memset(all, 0xff, sizeof all);
    out.attribute(kLinkAddress, hardware.data(), hardware.size());
    out.attribute(kLinkBroadcast, all, hardware.size());
  }
  uint64_t stats[25] = {};  // struct rtnl_link_stats64
  stats[0] = i.received.packets.load(kRelaxed), stats[1] = i.sent.packets.load(kRelaxed);
  stats[2] = i.received.bytes.load(kRelaxed), stats[3] = i.sent.bytes.load(kRelaxed);
  stats[4] = i.received.errors.load(kRelaxed), stats[5] = i.sent.errors.load(kRelaxed);
  stats[6] = i.received.dropped.load(kRelaxed), stats[7] = i.sent.dropped.load(kRelaxed);
  stats[8] = i.multicast_received.load(kRelaxed);
  uint32_t short_stats[24] = {};
  for (unsigned k = 0; k < 24; ++k) short_stats[k] = static_cast<uint32_t>(stats[k]);
  out.attribute(kLinkStats64, stats, sizeof stats);
  out.attribute(kLinkStats, short_stats, sizeof short_stats);
  out.end();
}

void write_address(NetlinkWriter& out, const Interface& i, const InterfaceAddress& a, uint16_t type,
                   uint16_t flags) {
  const bool v4 = a.address.is_v4();
  constexpr uint32_t kForEver = ~0u;
  constexpr uint64_t kTick = 10'000'000, kSecond = 1'000'000'000;
  const uint32_t address_flags = a.flags;
  const uint64_t now = monotonic_ns();
  auto left = [&](uint64_t until) {
    if (until == 0 || until == ~uint64_t{0} - 1) return kForEver;
    return static_cast<uint32_t>(until > now ? (until - now) / kSecond : 0);
  };
  const bool old = a.flags & address_flag::deprecated;
  const AddressLife life{old ? 0 : left(a.preferred_ns), left(a.valid_ns),
                         static_cast<uint32_t>(a.made_ns / kTick),
                         static_cast<uint32_t>(a.changed_ns / kTick)};
  out.begin(type, flags);
  out.put(
      AddressMessage{v4 ? kInet : kInet6, a.prefix, static_cast<uint8_t>(address_flags), a.scope, i.index()});
  if (v4) {
    out.attribute(kAddressPeer, a.peer);
    out.attribute(kAddressLocal, a.address);
    if (!a.broadcast.is_any()) out.attribute(kAddressBroadcast, a.broadcast);
    if (a.label[0]) out.attribute(kAddressLabel, std::string_view(a.label, __builtin_strlen(a.label)));
    out.attribute(kAddressFlags, address_flags);
    out.attribute(kAddressLife, life);
  } else {
    out.attribute(kAddressPeer, a.address);
    out.attribute(kAddressLife, life);
    out.attribute(kAddressFlags, address_flags);
    if (a.protocol) out.attribute(kAddressProtocol, a.protocol);
  }
  out.end();
}

void write_neighbour(NetlinkWriter& out, const Interface& i, const NeighbourRow& row, uint16_t type,
                     uint16_t flags) {
  // NDA_*, struct ndmsg, struct nda_cacheinfo
  constexpr uint16_t kDestination = 1, kMac = 2, kCache = 3, kProbes = 4, kProtocol = 12;
  constexpr uint64_t kTick = 10'000'000;
  struct {
    uint8_t family, padding1;
    uint16_t padding2;
    uint32_t index;
    uint16_t state;
    uint8_t flags, type;
  } message{row.address.is_v4() ? kInet : kInet6,    0, 0, i.index(), row.state, row.flags,
            static_cast<uint8_t>(RouteType::unicast)};
  struct {
    uint32_t confirmed, used, updated, references;
  } cache{};
  const uint64_t now = monotonic_ns();
  auto age = [&](uint64_t then) { return static_cast<uint32_t>((now - std::min(now, then)) / kTick); };
  cache = {age(row.confirmed_ns), age(row.used_ns), age(row.updated_ns), 0};
  out.begin(type, flags);
  out.put(message);
  out.attribute(kDestination, row.address);
  if (row.state & neighbour_state::valid) out.attribute(kMac, row.mac.b, sizeof row.mac.b);
  out.attribute(kCache, cache);
  out.attribute(kProbes, row.probes);
  if (row.protocol) out.attribute(kProtocol, row.protocol);
  out.end();
}

void write_route(NetlinkWriter& out, const RouteEntry& r, uint16_t type, uint16_t flags) {
  const bool v4 = r.v4();
  out.begin(type, flags);
  out.put(RouteMessage{v4 ? kInet : kInet6, r.length, 0, r.tos,
                       static_cast<uint8_t>(r.table < 256 ? r.table : 252), r.protocol, r.scope,
                       static_cast<uint8_t>(r.type), r.flags});
  out.attribute(kRouteTable, r.table);
  if (r.length) out.attribute(kRouteDestination, r.destination);
  if (r.metric) out.attribute(kRoutePriority, r.metric);
  if (r.mtu) {
    const size_t nest = out.begin_nest(kRouteMetrics);
    out.attribute(kMetricMtu, r.mtu);
    out.end_nest(nest);
  }
  if (!r.source.is_any()) out.attribute(kRouteSource, r.source);
  if (!r.gateway.is_any()) out.attribute(kRouteGateway, r.gateway);
  if (r.interface) out.attribute(kRouteOut, r.interface);
  if (!v4) {  // struct rta_cacheinfo
    const uint64_t now = monotonic_ns();
    constexpr uint64_t kTick = 10'000'000;
    uint32_t cache[8] = {};
    if (r.expires_ns) cache[2] = static_cast<uint32_t>((r.expires_ns - std::min(now, r.expires_ns)) / kTick);
    out.attribute(kRouteCache, cache, sizeof cache);
    out.attribute(kRoutePreference, uint8_t{0});
  }
  out.end();
}

}  // namespace runsc::net
