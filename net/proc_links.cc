// Of the links of a namespace: interfaces, addresses, routes, neighbours, memberships.
#include "net/inet/ethernet.h"
#include "net/inet/stack.h"
#include "net/proc_row.h"
#include "net/proc_text.h"

namespace runsc::net {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

void print_v6(TextSink& out, const IpAddress& a) { format(out, "{:016x}{:016x}", a.high, a.low); }

Ethernet* ethernet_of(Interface& i) { return i.neighbours() ? &i.neighbours()->link() : nullptr; }

}  // namespace

Result<void> show_dev(NetworkNamespace& net, TextSink& out) {
  out.write(
      "Inter-|   Receive                                                |  Transmit\n"
      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo "
      "colls carrier "
      "compressed\n");
  Vec<Ref<Interface>> interfaces;
  TRY(net.inet().config.list_interfaces(interfaces));
  for (const Ref<Interface>& i : interfaces) {
    const InterfaceCounters &in = i->received, &sent = i->sent;
    format(out, "{:6}: {:7} {:7} {:4} {:4} {:4} {:5} {:10} {:9}", i->name(), in.bytes.load(kRelaxed),
           in.packets.load(kRelaxed), in.errors.load(kRelaxed), in.dropped.load(kRelaxed), 0, 0, 0,
           i->multicast_received.load(kRelaxed));
    format(out, " {:8} {:7} {:4} {:4} {:4} {:5} {:7} {:10}\n", sent.bytes.load(kRelaxed),
           sent.packets.load(kRelaxed), sent.errors.load(kRelaxed), sent.dropped.load(kRelaxed), 0, 0, 0, 0);
  }
  return {};
}

Result<void> show_route(NetworkNamespace& net, TextSink& out) {
  Padded row;
  row.write("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
  row.end(out);
  NetConfig& config = net.inet().config;
  Vec<RouteEntry> routes;
  TRY(config.list_routes(routes));
  constexpr uint32_t kUp = 1, kGateway = 2, kHost = 4;
  for (const RouteEntry& r : routes) {
    if (!r.v4() || r.table != RouteEntry::kMain) continue;
    Ref<Interface> device = config.interface(r.interface);
    uint32_t flags = kUp | (r.gateway.is_any() ? 0 : kGateway) | (r.length == 32 ? kHost : 0);
    if (r.type == RouteType::unreachable || r.type == RouteType::prohibit) flags |= 0x200;
    format(row, "{}\t", device ? device->name() : std::string_view("*"));
    hex_upper(row, __builtin_bswap32(r.destination.v4()), 8);
    row.write("\t");
    hex_upper(row, r.gateway.is_any() ? 0 : __builtin_bswap32(r.gateway.v4()), 8);
    row.write("\t");
    hex_upper(row, flags, 4);
    format(row, "\t0\t0\t{}\t", r.metric);
    hex_upper(row, __builtin_bswap32(IpAddress::v4(~0u).masked(r.length).v4()), 8);
    format(row, "\t{}\t0\t0", r.mtu);
    row.end(out);
  }
  return {};
}

Result<void> show_if_inet6(NetworkNamespace& net, TextSink& out) {
  NetConfig& config = net.inet().config;
  Vec<Ref<Interface>> interfaces;
  TRY(config.list_interfaces(interfaces));
  for (const Ref<Interface>& i : interfaces) {
    Vec<InterfaceAddress> addresses;
    TRY(config.list_addresses(*i, addresses));
    for (const InterfaceAddress& a : addresses) {
      if (a.address.is_v4()) continue;
      const uint32_t kind = a.address.is_loopback() ? 0x10 : a.address.is_link_local() ? 0x20 : 0;
      format(out, "{:016x}{:016x} {:02x} {:02x} {:02x} {:02x} {:8}\n", a.address.high, a.address.low,
             i->index(), uint32_t{a.prefix}, kind, a.flags & 0xff, i->name());
    }
  }
  return {};
}

Result<void> show_ipv6_route(NetworkNamespace& net, TextSink& out) {
  constexpr uint32_t kUp = 1, kGateway = 2, kReject = 0x200, kDefault = 0x10000, kAddrconf = 0x40000,
                     kNoNextHop = 0x200000, kExpires = 0x400000, kLocal = 1u << 31, kMostMetric = ~0u;
  NetConfig& config = net.inet().config;
  auto row = [&](const RouteEntry& r, uint32_t flags, std::string_view device) {
    print_v6(out, r.destination);
    format(out, " {:02x} ", uint32_t{r.length});
    print_v6(out, {});
    out.write(" 00 ");
    print_v6(out, r.gateway);
    format(out, " {:08x} {:08x} {:08x} {:08x} {:8}\n", r.metric, 1u, 0u, flags, device);
  };
  Vec<RouteEntry> routes;
  TRY(config.list_routes(routes));
  for (const uint32_t table : {RouteEntry::kMain, RouteEntry::kLocal}) {
    for (const RouteEntry& r : routes) {
      if (r.v4() || r.table != table) continue;
      Ref<Interface> device = config.interface(r.interface);
      uint32_t flags = kUp | (r.gateway.is_any() ? 0 : kGateway) | (r.expires_ns ? kExpires : 0);
      if (r.protocol == RouteEntry::kByAdvert) flags |= kAddrconf | (r.length == 0 ? kDefault : 0);
      if (r.type == RouteType::local) flags |= kLocal | kNoNextHop;
      if (r.type == RouteType::unreachable || r.type == RouteType::prohibit || r.type == RouteType::blackhole)
        flags |= kReject | kNoNextHop;
      row(r, flags, device ? device->name() : std::string_view("lo"));
    }
    // Where the search ends that finds nothing.
    RouteEntry none;
    none.metric = kMostMetric;
    row(none, kReject | kNoNextHop, "lo");
  }
  return {};
}

Result<void> show_arp(NetworkNamespace& net, TextSink& out) {
  out.write("IP address       HW type     Flags       HW address            Mask     Device\n");
  Vec<Ref<Interface>> interfaces;
  TRY(net.inet().config.list_interfaces(interfaces));
  for (const Ref<Interface>& i : interfaces) {
    if (!i->neighbours()) continue;
    Vec<NeighbourRow> rows;
    TRY(i->neighbours()->list(rows));
    for (const NeighbourRow& row : rows) {
      if (!row.address.is_v4() || row.state & neighbour_state::noarp) continue;
      constexpr unsigned kComplete = 2, kPermanent = 4;
      const unsigned flags = row.state == neighbour_state::permanent ? kPermanent | kComplete
                             : row.state & neighbour_state::valid    ? kComplete
                                                                     : 0;
      char room[16];
      FixedText text(room);
      row.address.print(text);
      format(out, "{:<16} 0x1         0x{}         ", text.view(), flags);
      for (size_t k = 0; k < sizeof row.mac.b; ++k)
        format(out, "{}{:02x}", k ? std::string_view(":") : std::string_view(), uint32_t{row.mac.b[k]});
      format(out, "     *        {}\n", i->name());
    }
  }
  return {};
}

Result<void> show_igmp(NetworkNamespace& net, TextSink& out) {
  out.write("Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n");
  Vec<Ref<Interface>> interfaces;
  Vec<NetConfig::Group> groups;
  TRY(net.inet().config.list_interfaces(interfaces));
  TRY(net.inet().config.list_groups(groups));
  for (const Ref<Interface>& i : interfaces) {
    size_t count = 0;
    for (const NetConfig::Group& g : groups) count += g.group.is_v4() && g.interface == i->index();
    if (count == 0) continue;
    Ethernet* link = ethernet_of(*i);
    Vec<MulticastReports::Facts> facts;
    if (link) TRY(link->reports().list(false, facts));
    format(out, "{}\t{:<10}: {:5} {:7}\n", i->index(), i->name(), count,
           std::string_view(link && link->reports().version(false) == 1   ? "V1"
                            : link && link->reports().version(false) == 2 ? "V2"
                                                                          : "V3"));
    // The newest first.
    for (size_t k = groups.size(); k-- > 0;) {
      const NetConfig::Group& g = groups[k];
      if (!g.group.is_v4() || g.interface != i->index()) continue;
      MulticastReports::Facts f{};
      for (const MulticastReports::Facts& known : facts)
        if (known.group == g.group) f = known;
      constexpr uint64_t kTick = 10'000'000;
      out.write("\t\t\t\t");
      hex_upper(out, __builtin_bswap32(g.group.v4()), 8);
      format(out, " {:5} {}:", g.users, f.running ? 1 : 0);
      hex_upper(out, static_cast<uint32_t>(f.left_ns / kTick), 8);
      format(out, "\t\t{}\n", f.reporter ? 1 : 0);
    }
  }
  return {};
}

Result<void> show_igmp6(NetworkNamespace& net, TextSink& out) {
  Vec<Ref<Interface>> interfaces;
  Vec<NetConfig::Group> groups;
  TRY(net.inet().config.list_interfaces(interfaces));
  TRY(net.inet().config.list_groups(groups));
  for (const Ref<Interface>& i : interfaces) {
    Ethernet* link = ethernet_of(*i);
    Vec<MulticastReports::Facts> facts;
    if (link) TRY(link->reports().list(true, facts));
    for (size_t k = groups.size(); k-- > 0;) {
      const NetConfig::Group& g = groups[k];
      if (g.group.is_v4() || g.interface != i->index()) continue;
      constexpr uint32_t kRunning = 1, kReporter = 2, kLoaded = 4, kNoReport = 8;
      uint32_t flags = (g.group.high >> 48 & 0xf) > 1 ? kLoaded : 0;
      uint64_t left_ns = 0;
      bool told = false;
      for (const MulticastReports::Facts& f : facts) {
        if (f.group != g.group) continue;
        told = true;
        left_ns = f.left_ns;
        flags |= (f.running ? kRunning : 0) | (f.reporter ? kReporter : 0);
      }
      if (!told) flags |= kNoReport;
      format(out, "{:<4} {:<15} ", i->index(), i->name());
      print_v6(out, g.group);
      constexpr uint64_t kTick = 10'000'000;
      format(out, " {:5} ", g.users);
      hex_upper(out, flags, 8);
      format(out, " {}\n", left_ns / kTick);
    }
  }
  return {};
}

}  // namespace runsc::net
