// Which way a packet goes: the routing tables and source addresses (RFC 1122 3.3.1, RFC 6724).
#include <algorithm>

#include "net/inet/net_config.h"
#include "net/services.h"

namespace runsc::net {

namespace {

constexpr uint8_t kByKernel = 2;  // RTPROT_KERNEL
constexpr uint32_t kMetric6 = 256;
constexpr uint8_t kGroups6 = 8;
constexpr uint32_t kMtuMax4 = 65535;
constexpr uint64_t kPathMtuLife = uint64_t{600} * 1'000'000'000;

bool before(const RouteEntry& a, const RouteEntry& b) {
  if (a.length != b.length) return a.length > b.length;
  return a.metric < b.metric;
}

bool same_route(const RouteEntry& a, const RouteEntry& b) {
  return a.destination == b.destination && a.length == b.length && a.tos == b.tos && a.table == b.table;
}

}  // namespace

// What addresses bring along when their interface is up: all of it, or ENOMEM. There may be many of either.
Result<void> NetConfig::add_implied_locked(const Interface& interface,
                                           std::span<const InterfaceAddress> addresses) {
  Result<void> status;
  Vec<RouteEntry> implied;
  for (const InterfaceAddress& a : addresses) implied_routes(interface, a, implied, status);
  TRY(status);
  Vec<size_t> order;  // of those for the main table
  for (size_t i = 0; i < implied.size(); ++i)
    if (implied[i].table == RouteEntry::kMain) TRY(order.push_back(i));
  const auto in_order = [&](const RouteEntry& a, const RouteEntry& b) {
    if (before(a, b) || before(b, a)) return before(a, b);
    return a.destination.high != b.destination.high ? a.destination.high < b.destination.high
                                                    : a.destination.low < b.destination.low;
  };
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return in_order(implied[a], implied[b]) || (!in_order(implied[b], implied[a]) && a < b);
  });
  // A route of IPv6 stands for all addresses of its prefix.
  const auto twins = [&](const RouteEntry& a, const RouteEntry& b) {
    return !a.v4() && same_route(a, b) && a.interface == b.interface && a.metric == b.metric;
  };
  auto end = std::unique(order.begin(), order.end(),
                         [&](size_t a, size_t b) { return twins(implied[a], implied[b]); });
  for (const RouteEntry& r : routes_) {
    if (r.v4() || r.interface != interface.index() || r.protocol != kByKernel || !r.gateway.is_any())
      continue;
    auto at = std::lower_bound(order.begin(), end, r,
                               [&](size_t a, const RouteEntry& b) { return in_order(implied[a], b); });
    if (at != end && twins(implied[*at], r)) end = std::move(at + 1, end, at);
  }
  const std::span<const size_t> fresh(order.begin(), end);
  if (fresh.empty()) return {};
  if (fresh.size() == 1) return insert_route_locked(implied[fresh[0]]);
  Vec<RouteEntry> merged;
  TRY(merged.reserve(routes_.size() + fresh.size()));
  size_t next = 0;
  for (const RouteEntry& r : routes_) {
    while (next < fresh.size() && before(implied[fresh[next]], r))
      TRY(merged.push_back(implied[fresh[next++]]));
    TRY(merged.push_back(r));
  }
  while (next < fresh.size()) TRY(merged.push_back(implied[fresh[next++]]));
  routes_ = std::move(merged);
  return {};
}

void implied_routes(const Interface& interface, const InterfaceAddress& a, Vec<RouteEntry>& out,
                    Result<void>& status) {
  auto add = [&](const IpAddress& destination, unsigned length, RouteType type, uint8_t where,
                 uint32_t table) {
    RouteEntry r;
    r.destination = destination;
    r.length = static_cast<uint8_t>(length);
    r.interface = interface.index();
    r.protocol = kByKernel;
    r.type = type;
    r.scope = where;
    r.table = table;
    if (a.address.is_v4())
      r.source = a.address;
    else
      r.metric = table == RouteEntry::kLocal ? 0 : kMetric6;
    if (status) status = out.push_back(r);
  };
  const unsigned bits = a.address.bits();
  if (a.usable())
    add(a.address, bits, RouteType::local, a.address.is_v4() ? scope::host : scope::universe,
        RouteEntry::kLocal);
  const bool no_prefix = a.flags & address_flag::no_prefix_route;
  const IpAddress net = (a.address.is_v4() && a.peer.is_v4() ? a.peer : a.address).masked(a.prefix);
  if (!a.address.is_v4()) {
    // A host's own address on lo stands in the main table too. What a router has said has a route of its own.
    constexpr uint8_t kFromAdvert = 2;
    if (!no_prefix && a.protocol != kFromAdvert)
      add(net, a.prefix, RouteType::unicast, scope::universe, RouteEntry::kMain);
    return;
  }
  const bool secondary = a.flags & address_flag::secondary;
  if ((a.prefix < 32 || net != a.address) && !secondary) {
    if (interface.is_loopback())
      add(net, a.prefix, RouteType::local, scope::host, RouteEntry::kLocal);
    else if (!no_prefix)
      add(net, a.prefix, RouteType::unicast, scope::link, RouteEntry::kMain);
  }
  if (a.prefix < 31 && !secondary)
    add(IpAddress::v4(net.v4() | ~0u >> a.prefix), bits, RouteType::broadcast, scope::link,
        RouteEntry::kLocal);
}

// ---- the table ----

Result<void> NetConfig::insert_route_locked(const RouteEntry& route) {
  size_t at = 0;
  while (at < routes_.size() && !before(route, routes_[at])) ++at;
  return routes_.insert(at, route);
}

Result<void> NetConfig::add_route(const RouteEntry& route, bool replace, bool exclusive) {
  {
    LockGuard guard(lock_);
    Interface* out = find_locked(route.interface);
    if (route.interface && !out) return Errno::nodev;
    if (out && !out->up()) return Errno::netdown;
    for (size_t i = 0; i < routes_.size(); ++i) {
      RouteEntry& r = routes_[i];
      if (!same_route(r, route) || r.metric != route.metric) continue;
      if (replace) {
        routes_.erase(i);
        break;
      }
      // Several that differ in where they lead can stand beside each other, if that is what is wanted.
      const bool alike = r.gateway == route.gateway && r.interface == route.interface && r.type == route.type;
      if (exclusive || alike) return Errno::exist;
    }
    TRY(insert_route_locked(route));
    changed();
  }
  if (ConfigWatcher* w = watcher()) w->route_changed(route, false);
  return {};
}

Result<void> NetConfig::put_route(const RouteEntry& route) {
  bool fresh = true;
  {
    LockGuard guard(lock_);
    for (RouteEntry& r : routes_) {
      if (!same_route(r, route) || r.gateway != route.gateway || r.interface != route.interface ||
          r.metric != route.metric)
        continue;
      // What was set for ever by hand stays so.
      if (r.expires_ns || !route.expires_ns) r.expires_ns = route.expires_ns;
      fresh = false;
    }
    if (fresh) TRY(insert_route_locked(route));
    changed();
  }
  if (ConfigWatcher* w = watcher(); w && fresh) w->route_changed(route, false);
  return {};
}

Result<void> NetConfig::remove_route(const RouteEntry& wanted) {
  RouteEntry gone;
  {
    LockGuard guard(lock_);
    size_t i = 0;
    for (; i < routes_.size(); ++i) {
      const RouteEntry& r = routes_[i];
      if (!same_route(r, wanted)) continue;
      if (wanted.interface && r.interface != wanted.interface) continue;
      if (!wanted.gateway.is_any() && r.gateway != wanted.gateway) continue;
      if (wanted.metric && r.metric != wanted.metric) continue;
      if (wanted.type != RouteType{} && r.type != wanted.type) continue;
      break;
    }
    if (i == routes_.size()) return Errno::srch;
    gone = routes_[i];
    routes_.erase(i);
    changed();
  }
  if (ConfigWatcher* w = watcher()) w->route_changed(gone, true);
  return {};
}

void NetConfig::drop_routes_locked(const Interface& interface, const InterfaceAddress* of, bool v6only) {
  // Another address of the same prefix keeps its route; a secondary one never had any.
  const bool v4 = of && of->address.is_v4();
  const bool shared =
      of && (v4 ? (of->flags & address_flag::secondary) != 0
                : std::any_of(interface.addresses_.begin(), interface.addresses_.end(), [&](const auto& a) {
                    return !a.address.is_v4() && a.prefix == of->prefix &&
                           a.address.matches(of->address, a.prefix);
                  }));
  const bool still_there = of && owner_locked(of->address, 0);
  const IpAddress net =
      of ? (v4 && of->peer.is_v4() ? of->peer : of->address).masked(of->prefix) : IpAddress();
  const auto goes = [&](const RouteEntry& r) {
    if (r.interface != interface.index() || (v6only && r.v4())) return false;
    const bool implied = of && !shared && r.protocol == kByKernel && r.length == of->prefix &&
                         r.destination == net && (!v4 || r.source == of->address);
    const bool from_it = v4 && r.source == of->address && !still_there;
    return !of || implied || from_it;
  };
  const auto end = std::remove_if(routes_.begin(), routes_.end(), goes);
  (void)routes_.resize(static_cast<size_t>(end - routes_.begin()));  // no more than there were
}

Result<void> NetConfig::list_routes(Vec<RouteEntry>& out) const {
  LockGuard guard(lock_);
  for (const RouteEntry& r : routes_) TRY(out.push_back(r));
  Result<void> status;
  for (const Ref<Interface>& i : interfaces_) {
    if (!i->up()) continue;
    for (const InterfaceAddress& a : i->addresses_) {
      Vec<RouteEntry> implied;
      implied_routes(*i, a, implied, status);
      for (const RouteEntry& r : implied)
        if (status && r.table == RouteEntry::kLocal) status = out.push_back(r);
    }
  }
  return status;
}

// ---- path MTU ----

void NetConfig::path_mtu(const IpAddress& destination, uint32_t mtu) {
  const uint64_t now = monotonic_ns();
  LockGuard guard(lock_);
  PathMtuEntry* slot = &path_mtus_[0];
  for (PathMtuEntry& e : path_mtus_) {
    if (e.mtu != 0 && e.destination == destination) {
      // RFC 1191, 6.3; RFC 8201, 4: nobody makes it larger but time.
      if (e.until_ns > now && e.mtu < mtu) return;
      if (e.until_ns > now && e.mtu == mtu) {
        e.until_ns = now + kPathMtuLife;
        return;
      }
      slot = &e;
      break;
    }
    if (e.until_ns < slot->until_ns) slot = &e;
  }
  *slot = {destination, mtu, now + kPathMtuLife};
  changed();
}

uint32_t NetConfig::path_mtu_locked(const IpAddress& destination, uint32_t mtu) const {
  for (const PathMtuEntry& e : path_mtus_)
    if (e.mtu != 0 && e.destination == destination && e.until_ns > monotonic_ns())
      return std::min(mtu, e.mtu);
  return mtu;
}

// ---- source addresses ----

// The first address of the interface that may speak to the destination; one of its subnet if there is one.
IpAddress NetConfig::source_locked(const Interface& interface, const IpAddress& destination,
                                   uint8_t max_scope) const {
  if (!destination.is_v4()) return source6_locked(interface, destination);
  IpAddress found = kAnyV4;
  for (const InterfaceAddress& a : interface.addresses_) {
    if (!a.address.is_v4() || (a.flags & address_flag::secondary) || a.scope > max_scope) continue;
    if (!destination.is_any() && destination.matches(a.address, a.prefix)) return a.address;
    if (found.is_any()) found = a.address;
  }
  if (!found.is_any()) return found;
  for (const Ref<Interface>& i : interfaces_)
    for (const InterfaceAddress& a : i->addresses_)
      if (a.address.is_v4() && a.scope <= max_scope && a.scope != scope::link) return a.address;
  return found;
}

namespace {

enum class Reach : uint8_t { link = 2, site = 5, global = 14 };

Reach reach_of(const IpAddress& a) {
  if (a.is_loopback() || a.is_link_local()) return Reach::link;
  if (a.is_multicast()) {
    const auto wide = static_cast<uint8_t>(a.high >> 48 & 0xf);
    return wide <= 2 ? Reach::link : wide <= 5 ? Reach::site : Reach::global;
  }
  return a.high >> 54 == 0xfec0 >> 6 ? Reach::site : Reach::global;
}

// RFC 6724, 2.1: the rows of the usual policy table that tell labels apart.
unsigned label_of(const IpAddress& a) {
  if (a.is_loopback()) return 0;
  if (a.high >> 48 == 0x2002) return 2;
  if (a.high >> 32 == 0x20010000) return 5;
  if (a.high >> 57 == 0xfc >> 1) return 13;
  if (a.high >> 54 == 0xfec0 >> 6) return 11;
  return 1;
}

}  // namespace

// RFC 6724, section 5, as far as there is a choice; the rules in their order, from the highest bit on.
IpAddress NetConfig::source6_locked(const Interface& interface, const IpAddress& destination) const {
  auto common = [&](const IpAddress& a) -> unsigned {
    if (a.high != destination.high) return __builtin_clzll(a.high ^ destination.high);
    return a.low == destination.low ? 128 : 64 + __builtin_clzll(a.low ^ destination.low);
  };
  const bool link = destination.is_link_local() || destination.is_link_local_multicast();
  const auto wanted = static_cast<unsigned>(reach_of(destination));
  IpAddress best = kAnyV6;
  unsigned best_points = 0;
  for (const Ref<Interface>& i : interfaces_) {
    if ((link && i.get() != &interface) || !i->up()) continue;
    for (const InterfaceAddress& a : i->addresses_) {
      if (a.address.is_v4() || !a.usable()) continue;
      if (a.address.is_loopback() && !interface.is_loopback()) continue;
      const auto reach = static_cast<unsigned>(reach_of(a.address));
      unsigned points = 1;
      points |= unsigned{a.address == destination} << 24;
      points |= (reach >= wanted ? 31 - reach : reach) << 16;
      points |= unsigned{!(a.flags & address_flag::deprecated)} << 15;
      points |= unsigned{i.get() == &interface} << 14;
      points |= unsigned{label_of(a.address) == label_of(destination)} << 13;
      points |= std::min(common(a.address), unsigned{a.prefix}) << 1;
      if (points > best_points) best = a.address, best_points = points;
    }
  }
  return best;
}

IpAddress NetConfig::source_on(const Interface& interface, const IpAddress& destination) const {
  LockGuard guard(lock_);
  return source_locked(interface, destination, scope::link);
}

bool NetConfig::redirect(const IpAddress& destination, const IpAddress& router, const IpAddress& target,
                         uint32_t interface) {
  Result<Route> way = route({.destination = destination, .source = any_address(!destination.is_v4())});
  if (!way || way->type != RouteType::unicast || way->interface->index() != interface ||
      way->next_hop != router)
    return false;
  RouteEntry host;
  host.destination = destination;
  host.length = static_cast<uint8_t>(destination.bits());
  host.gateway = target == destination ? any_address(!destination.is_v4()) : target;
  host.source = any_address(!destination.is_v4());
  host.interface = interface;
  host.protocol = RouteEntry::kByRedirect;
  host.metric = kMetric6;
  host.expires_ns = monotonic_ns() + kPathMtuLife;
  // So many are believed at a time.
  constexpr size_t kMostRedirects = 64;
  {
    LockGuard guard(lock_);
    size_t count = 0, oldest = routes_.size();
    for (size_t i = 0; i < routes_.size(); ++i) {
      const RouteEntry& r = routes_[i];
      if (r.protocol != RouteEntry::kByRedirect) continue;
      ++count;
      if (oldest == routes_.size() || r.expires_ns < routes_[oldest].expires_ns) oldest = i;
    }
    if (count >= kMostRedirects) routes_.erase(oldest);
    changed();
  }
  return bool(add_route(host, true, false));
}

// ---- decisions ----

Result<Interface*> NetConfig::bound_locked(const RouteQuery& query) const {
  if (query.interface == 0) return nullptr;
  Interface* out = find_locked(query.interface);
  if (!out) return Errno::nodev;
  if (!out->up()) return Errno::netunreach;
  return out;
}

Result<Route> NetConfig::finish_locked(const RouteQuery& query, Interface& out, RouteType type,
                                       IpAddress next_hop, IpAddress preferred, uint32_t mtu) const {
  Route route;
  route.interface = Ref<Interface>(out);
  route.destination = query.destination;
  route.next_hop = next_hop;
  route.type = type;
  route.source = query.source.is_any() ? preferred : query.source;
  if (route.source.is_any())
    route.source =
        source_locked(out, query.destination, type == RouteType::unicast ? scope::link : scope::host);
  route.mtu = mtu ? std::min(mtu, out.mtu()) : out.mtu();
  if (type == RouteType::unicast) route.mtu = path_mtu_locked(query.destination, route.mtu);
  if (query.destination.is_v4())
    route.mtu = std::min(route.mtu, kMtuMax4);
  else if (const uint32_t said = out.settings.mtu6.load(std::memory_order_relaxed))
    route.mtu = std::min(route.mtu, said);
  route.generation = generation();
  return route;
}

// To an address of our own: by lo, whoever has it.
Result<Route> NetConfig::local_route_locked(const RouteQuery& query) const {
  if (!loopback_->up()) return Errno::netunreach;
  IpAddress preferred = query.destination;
  if (preferred.is_v4())
    for (const Ref<Interface>& i : interfaces_)
      for (const InterfaceAddress& a : i->addresses_)
        if (i->is_loopback() && preferred != a.address && preferred.matches(a.address, a.prefix) &&
            owner_locked(preferred, 0) == i.get())
          preferred = a.address;
  return finish_locked(query, *loopback_, RouteType::local, query.destination, preferred, 0);
}

Result<Route> NetConfig::group_route_locked(const RouteQuery& query, RouteType type) const {
  Interface* out = TRY(bound_locked(query));
  if (!out && !query.source.is_any() && query.destination.is_v4()) {
    out = owner_locked(query.source, 0);
    if (!out) return Errno::inval;
  }
  if (!out) {
    const RouteEntry* r = lookup_locked(query);
    if (r && (query.destination.is_v4() || r->length >= kGroups6)) {
      out = find_locked(r->interface);
    } else if (!query.destination.is_v4()) {
      // ff00::/8, which every link has: the first one that is up.
      for (const Ref<Interface>& i : interfaces_)
        if (!out && i->up() && !i->is_loopback() && i->flags() & interface_flag::multicast) out = i.get();
      if (!out && r) out = find_locked(r->interface);
    }
  }
  if (!out || !out->up()) return Errno::netunreach;
  return finish_locked(query, *out, type, query.destination, any_address(!query.destination.is_v4()), 0);
}

const RouteEntry* NetConfig::lookup_locked(const RouteQuery& query) const {
  for (const RouteEntry& r : routes_) {
    if (!query.destination.matches(r.destination, r.length)) continue;
    if (r.expires_ns && r.expires_ns <= monotonic_ns()) continue;
    if (query.interface && r.interface != query.interface) continue;
    if (r.tos && r.tos != query.tos) continue;
    if (query.direct && !r.gateway.is_any()) continue;
    if (r.interface) {
      Interface* out = find_locked(r.interface);
      if (!out || !out->up()) continue;
    }
    return &r;
  }
  return nullptr;
}

Result<Route> NetConfig::route(const RouteQuery& asked) const {
  RouteQuery query = asked;
  LockGuard guard(lock_);
  const bool v4 = query.destination.is_v4();
  if (query.destination.is_any()) query.destination = v4 ? kLoopbackV4 : kLoopbackV6;
  Interface* bound = TRY(bound_locked(query));
  if (!query.source.is_any()) {
    if (query.source.is_multicast() || query.source.is_broadcast()) return Errno::inval;
    if (!query.foreign && !owner_locked(query.source, 0)) return Errno::netunreach;
  }
  if (query.destination.is_multicast()) return group_route_locked(query, RouteType::multicast);
  if (query.destination.is_broadcast()) return group_route_locked(query, RouteType::broadcast);
  Interface* owner = owner_locked(query.destination, 0);
  if (v4 && is_broadcast_locked(query.destination, bound ? bound->index() : 0)) {
    for (const Ref<Interface>& i : interfaces_)
      if ((!bound || bound == i.get()) && i->up() && is_broadcast_locked(query.destination, i->index()))
        return finish_locked(query, *i, RouteType::broadcast, query.destination, kAnyV4, 0);
  }
  if (owner && owner->up() && (!bound || bound == owner || bound == loopback_))
    return local_route_locked(query);
  const RouteEntry* r = lookup_locked(query);
  if (!r) {
    // Bound to an interface: whoever it is must be on its link.
    if (!bound || !v4 || bound->is_loopback()) return Errno::netunreach;
    return finish_locked(query, *bound, RouteType::unicast, query.destination, kAnyV4, 0);
  }
  switch (r->type) {
    case RouteType::unicast:
      break;
    case RouteType::unreachable:
      return Errno::hostunreach;
    case RouteType::prohibit:
      return Errno::acces;
    default:
      return Errno::inval;  // blackhole
  }
  Interface* out = find_locked(r->interface);
  if (!out) return Errno::netunreach;
  const IpAddress hop = r->gateway.is_any() ? query.destination : r->gateway;
  return finish_locked(query, *out, RouteType::unicast, hop, r->source, r->mtu);
}

}  // namespace runsc::net
