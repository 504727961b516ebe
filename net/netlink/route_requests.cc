// What rtnetlink(7) is asked.
#include "net/inet/stack.h"
#include "net/netlink/route_messages.h"
#include "net/services.h"

namespace runsc::net {

namespace {

constexpr uint16_t kMulti = netlink_flag::multi;
constexpr uint8_t kInet = family_number::inet, kInet6 = family_number::inet6;

struct Request {
  Stack& stack;
  const NetlinkHeader& header;
  std::span<const std::byte> body;
  NetlinkWriter& out;
  bool dump() const { return (header.flags & netlink_flag::dump) == netlink_flag::dump; }
  bool has(uint16_t flag) const { return header.flags & flag; }
  uint8_t family() const { return body.empty() ? uint8_t{0} : static_cast<uint8_t>(body[0]); }
  // The fixed part, and what follows it. EINVAL: too short.
  template <class T>
  Result<T> fixed() const {
    T value;
    if (body.size() < sizeof value) return Errno::inval;
    __builtin_memcpy(&value, body.data(), sizeof value);
    return value;
  }
  AttributeReader attributes(size_t after) const {
    return AttributeReader(body.subspan(netlink_align(after)));
  }
};

struct LinkMessage {
  uint8_t family, padding;
  uint16_t type;
  uint32_t index, flags, change;
};
struct AddressMessage {
  uint8_t family, prefix, flags, scope;
  uint32_t index;
};
struct AddressLife {  // struct ifa_cacheinfo
  uint32_t preferred, valid, created, updated;
};
constexpr uint32_t kForEver = ~0u;
struct RouteMessage {
  uint8_t family, destination_length, source_length, tos, table, protocol, scope, type;
  uint32_t flags;
};

// ---- links ----

Result<Ref<Interface>> named_link(const Request& r, const LinkMessage& m) {
  constexpr uint16_t kName = 3;
  Ref<Interface> found;
  if (m.index) {
    found = r.stack.config.interface(m.index);
  } else {
    AttributeReader reader = r.attributes(sizeof m);
    AttributeReader::Item item;
    bool named = false;
    while (reader.next(item)) {
      if (item.type != kName) continue;
      named = true;
      found = r.stack.config.interface(item.text());
    }
    if (!named) return Errno::inval;
  }
  if (!found) return Errno::nodev;
  return found;
}

Result<void> get_link(const Request& r) {
  if (!r.dump()) {
    const LinkMessage m = TRY(r.fixed<LinkMessage>());
    Ref<Interface> found = TRY(named_link(r, m));
    write_link(r.out, *found, route_type::new_link, 0, 0);
    return {};
  }
  Vec<Ref<Interface>> all;
  TRY(r.stack.config.list_interfaces(all));
  for (const Ref<Interface>& i : all) write_link(r.out, *i, route_type::new_link, kMulti, 0);
  return {};
}

Result<void> change_link(const Request& r) {
  constexpr uint16_t kName = 3, kMtu = 4, kQueue = 13;
  const LinkMessage m = TRY(r.fixed<LinkMessage>());
  Result<Ref<Interface>> found = named_link(r, m);
  if (!found) {
    // New kinds of links are not made here.
    const bool create = r.has(netlink_flag::create) && found.error() == Errno::nodev;
    return create ? Errno::opnotsupp : found.error();
  }
  if (r.has(netlink_flag::excl)) return Errno::exist;
  Interface& device = **found;
  NetConfig& config = r.stack.config;
  AttributeReader reader = r.attributes(sizeof m);
  AttributeReader::Item item;
  while (reader.next(item)) {
    if (item.type == kMtu) TRY(config.set_mtu(device, item.u32()));
    if (item.type == kQueue) config.set_queue_length(device, item.u32());
    if (item.type == kName && m.index && item.text() != device.name())
      TRY(config.rename(device, item.text()));
  }
  const uint32_t mask = m.change ? m.change : m.flags ? ~0u : 0;
  return mask ? config.set_flags(device, m.flags, mask) : Result<void>();
}

// ---- addresses ----

Result<void> get_address(const Request& r) {
  if (!r.dump()) return Errno::opnotsupp;
  const uint8_t family = r.family();
  uint32_t only = 0;
  if (r.body.size() >= sizeof(AddressMessage)) only = TRY(r.fixed<AddressMessage>()).index;
  Vec<Ref<Interface>> all;
  TRY(r.stack.config.list_interfaces(all));
  for (const uint8_t wanted : {kInet, kInet6}) {
    if (family && family != wanted) continue;
    for (const Ref<Interface>& i : all) {
      if (only && i->index() != only) continue;
      Vec<InterfaceAddress> addresses;
      TRY(r.stack.config.list_addresses(*i, addresses));
      for (const InterfaceAddress& a : addresses)
        if (a.address.is_v4() == (wanted == kInet))
          write_address(r.out, *i, a, route_type::new_address, kMulti);
    }
  }
  return {};
}

Result<void> change_address(const Request& r, bool add) {
  constexpr uint16_t kPeer = 1, kLocal = 2, kLabel = 3, kBroadcast = 4, kLife = 6, kFlags = 8, kProtocol = 11;
  const AddressMessage m = TRY(r.fixed<AddressMessage>());
  if (m.family != kInet && m.family != kInet6) return Errno::opnotsupp;
  const bool v4 = m.family == kInet;
  if (m.prefix > (v4 ? 32 : 128)) return Errno::inval;
  InterfaceAddress a;
  a.prefix = m.prefix;
  a.scope = m.scope;
  a.flags = m.flags;
  bool has_life = false;
  AddressLife life{};
  bool has_local = false, has_peer = false;
  AttributeReader reader = r.attributes(sizeof m);
  AttributeReader::Item item;
  while (reader.next(item)) {
    if (item.type == kLocal) a.address = TRY(item.address()), has_local = true;
    if (item.type == kPeer) a.peer = TRY(item.address()), has_peer = true;
    if (item.type == kBroadcast) a.broadcast = TRY(item.address());
    if (item.type == kFlags) a.flags = item.u32();
    if (item.type == kProtocol && !item.data.empty()) a.protocol = static_cast<uint8_t>(item.data[0]);
    if (item.type == kLife) {
      if (item.data.size() < sizeof life) return Errno::inval;
      __builtin_memcpy(&life, item.data.data(), sizeof life);
      has_life = true;
    }
    if (item.type == kLabel) {
      const std::string_view text = item.text();
      if (text.size() >= sizeof a.label) return Errno::inval;
      __builtin_memcpy(a.label, text.data(), text.size());
    }
  }
  if (!has_local && !has_peer) return Errno::inval;
  if (!has_local) a.address = a.peer;
  if (!has_peer) a.peer = a.address;
  if (a.address.is_v4() != v4 || a.address.is_multicast() || (!v4 && a.address.is_any())) return Errno::inval;
  // What a caller may say of an address; the rest comes of itself.
  using namespace address_flag;
  a.flags &= no_dad | optimistic | home | manage_temporary | no_prefix_route | multicast_join;
  if (has_life && add) {
    if (life.valid == 0 || life.preferred > life.valid) return Errno::inval;
    const uint64_t now = monotonic_ns();
    constexpr uint64_t kSecond = 1'000'000'000;
    if (life.valid != kForEver) a.valid_ns = now + life.valid * kSecond;
    if (life.preferred != kForEver) a.preferred_ns = now + life.preferred * kSecond;
    if (life.preferred == 0) a.flags |= deprecated;
  }
  Ref<Interface> device = r.stack.config.interface(m.index);
  if (!device) return Errno::nodev;
  if (!add) return r.stack.config.remove_address(*device, a.address, m.prefix);
  if (v4 && !a.label[0]) __builtin_memcpy(a.label, device->name().data(), device->name().size());
  if (!v4)
    a.scope = a.address.is_loopback() ? scope::host : a.address.is_link_local() ? scope::link : m.scope;
  Result<void> added = r.stack.config.add_address(*device, a);
  if (!added && added.error() == Errno::exist && r.has(netlink_flag::replace)) return {};
  return added;
}

// ---- routes ----

struct RouteWish {
  RouteMessage message;
  RouteEntry entry;
  IpAddress source;
  uint32_t out = 0;
};

Result<RouteWish> read_route(const Request& r) {
  constexpr uint16_t kDestination = 1, kSource = 2, kOut = 4, kGateway = 5, kPriority = 6, kPreferred = 7,
                     kMetrics = 8, kTable = 15, kMetricMtu = 2;
  RouteWish wish{TRY(r.fixed<RouteMessage>()), {}, {}, 0};
  const RouteMessage& m = wish.message;
  if (m.family != kInet && m.family != kInet6) return Errno::opnotsupp;
  const bool v4 = m.family == kInet;
  if (m.destination_length > (v4 ? 32 : 128)) return Errno::inval;
  RouteEntry& e = wish.entry;
  e.destination = e.source = e.gateway = wish.source = any_address(!v4);
  e.length = m.destination_length;
  e.table = m.table;
  e.protocol = m.protocol;
  e.scope = m.scope;
  e.tos = m.tos;
  e.type = static_cast<RouteType>(m.type);
  AttributeReader reader = r.attributes(sizeof m);
  AttributeReader::Item item;
  auto same_family = [&](const IpAddress& a) { return a.is_v4() == v4; };
  while (reader.next(item)) {
    if (item.type == kDestination) e.destination = TRY(item.address());
    if (item.type == kSource) wish.source = TRY(item.address());
    if (item.type == kGateway) e.gateway = TRY(item.address());
    if (item.type == kPreferred) e.source = TRY(item.address());
    if (item.type == kOut) wish.out = e.interface = item.u32();
    if (item.type == kPriority) e.metric = item.u32();
    if (item.type == kTable) e.table = item.u32();
    if (item.type == kMetrics) {
      AttributeReader nested(item.data);
      AttributeReader::Item metric;
      while (nested.next(metric))
        if (metric.type == kMetricMtu) e.mtu = metric.u32();
    }
  }
  if (!same_family(e.destination) || !same_family(e.source) || !same_family(e.gateway) ||
      !same_family(wish.source))
    return Errno::inval;
  if (e.table == 0) e.table = RouteEntry::kMain;
  return wish;
}

// ip-route(8) get: which way a packet would go.
Result<void> find_route(const Request& r) {
  constexpr uint32_t kCloned = 0x200;
  const RouteWish wish = TRY(read_route(r));
  RouteQuery query;
  query.destination = wish.entry.destination;
  query.source = wish.source;
  query.interface = wish.out;
  const Route way = TRY(r.stack.route(query));
  RouteEntry shown;
  shown.destination = way.destination;
  shown.length = static_cast<uint8_t>(way.destination.bits());
  shown.gateway = way.next_hop == way.destination ? any_address(!way.destination.is_v4()) : way.next_hop;
  shown.source = way.source;
  shown.interface = way.interface->index();
  shown.type = way.type;
  shown.table = way.local() ? RouteEntry::kLocal : RouteEntry::kMain;
  shown.flags = kCloned;
  write_route(r.out, shown, route_type::new_route, 0);
  return {};
}

Result<void> get_route(const Request& r) {
  if (!r.dump()) return find_route(r);
  const uint8_t family = r.family();
  Vec<RouteEntry> routes;
  TRY(r.stack.config.list_routes(routes));
  for (const uint8_t wanted : {kInet, kInet6}) {
    if (family && family != wanted) continue;
    for (const RouteEntry& e : routes)
      if (e.v4() == (wanted == kInet)) write_route(r.out, e, route_type::new_route, kMulti);
  }
  return {};
}

Result<void> change_route(const Request& r, bool add) {
  RouteWish wish = TRY(read_route(r));
  RouteEntry& e = wish.entry;
  e.destination = e.destination.masked(e.length);
  if (!add) return r.stack.config.remove_route(e);
  const bool leads_nowhere =
      e.type == RouteType::unreachable || e.type == RouteType::prohibit || e.type == RouteType::blackhole;
  if (e.type != RouteType::unicast && !leads_nowhere) return Errno::inval;
  if (!leads_nowhere && e.interface == 0) {
    // The gateway tells the interface, if it can be reached.
    if (e.gateway.is_any()) return Errno::nodev;
    Result<Route> way = r.stack.route({.destination = e.gateway, .source = any_address(!e.v4())});
    if (!way || way->next_hop != e.gateway) return Errno::netunreach;
    e.interface = way->interface->index();
  }
  if (!e.source.is_any() && !r.stack.config.is_local(e.source)) return Errno::inval;
  if (!e.v4() && e.metric == 0) e.metric = 1024;
  if (!r.has(netlink_flag::create) && !r.has(netlink_flag::replace)) return Errno::noent;
  return r.stack.config.add_route(e, r.has(netlink_flag::replace), r.has(netlink_flag::excl));
}

// ip-rule(8): the ones that every namespace starts with.
Result<void> get_rules(const Request& r) {
  constexpr uint16_t kPriority = 6, kTable = 15, kSuppress = 14;
  constexpr uint8_t kToTable = 1, kByKernel = 2;
  struct RuleMessage {  // struct fib_rule_hdr
    uint8_t family, destination_length, source_length, tos, table, reserved1, reserved2, action;
    uint32_t flags;
  };
  if (!r.dump()) return Errno::opnotsupp;
  struct Rule {
    uint32_t priority;
    uint8_t table;
  };
  static constexpr Rule kRules[] = {{0, 255}, {32766, 254}, {32767, 253}};
  const uint8_t family = r.family();
  for (const uint8_t wanted : {kInet, kInet6}) {
    if (family && family != wanted) continue;
    for (const Rule& rule : kRules) {
      if (wanted == kInet6 && rule.table == 253) continue;
      r.out.begin(route_type::new_rule, kMulti);
      r.out.put(RuleMessage{wanted, 0, 0, 0, rule.table, 0, 0, kToTable, 0});
      r.out.attribute(kTable, uint32_t{rule.table});
      r.out.attribute(kSuppress, ~uint32_t{0});
      constexpr uint16_t kProtocol = 21;
      r.out.attribute(kProtocol, kByKernel);
      if (rule.priority) r.out.attribute(kPriority, rule.priority);
      r.out.end();
    }
  }
  return {};
}

}  // namespace

Result<void> answer_route_request(Stack& stack, bool privileged, const NetlinkHeader& header,
                                  std::span<const std::byte> body, NetlinkWriter& out) {
  const Request r{stack, header, body, out};
  constexpr unsigned kKind = 3, kGet = 2;  // of a message's number: new, del, get, set
  if (body.empty()) return {};
  if ((header.type & kKind) != kGet && !privileged) return Errno::perm;
  switch (header.type) {
    case route_type::get_link:
      return get_link(r);
    case route_type::new_link:
    case route_type::set_link:
      return change_link(r);
    case route_type::del_link: {
      TRY(named_link(r, TRY(r.fixed<LinkMessage>())));
      return Errno::opnotsupp;
    }
    case route_type::get_address:
      return get_address(r);
    case route_type::new_address:
      return change_address(r, true);
    case route_type::del_address:
      return change_address(r, false);
    case route_type::get_route:
      return get_route(r);
    case route_type::new_route:
      return change_route(r, true);
    case route_type::del_route:
      return change_route(r, false);
    case route_type::get_rule:
      return get_rules(r);
    case route_type::get_neighbour:
      return get_neighbours(stack, header, body, out);
    case route_type::new_neighbour:
      return change_neighbour(stack, header, body, true);
    case route_type::del_neighbour:
      return change_neighbour(stack, header, body, false);
    case route_type::get_qdisc:
      return r.dump() ? Result<void>() : Errno::opnotsupp;
    default:
      return Errno::opnotsupp;
  }
}

}  // namespace runsc::net
