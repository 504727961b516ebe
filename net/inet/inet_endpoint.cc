// Names and routes of Internet sockets.
#include "net/inet/inet_endpoint.h"
#include "net/capable.h"

#include "net/network_namespace.h"
#include "net/socket.h"

namespace runsc::net {

using fs::Cap;

InetEndpoint::InetEndpoint(const Caller& caller, NetworkNamespace& net, int domain, int type, int protocol,
                           PortTable* table)
    : Endpoint(Ref<NetworkNamespace>(net), domain, type, protocol),
      table_(table),
      uid_(caller.creds.fsuid),
      owner_(arch::cpu_local().account) {
  LockGuard guard(lock_);
  local_.address = asked_local_ = peer_.address = any_address(v6());
  if (stack().settings.bindv6only.load(std::memory_order_relaxed)) ip.set(ip_bit::v6only, true);
}

InetEndpoint::InetEndpoint(InetEndpoint& listener)
    : Endpoint(Ref<NetworkNamespace>(listener.net()), listener.domain(), listener.type(),
               listener.protocol()),
      table_(listener.table_),
      uid_(listener.uid_),
      owner_(listener.owner_) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  const Options& o = listener.options;
  options.bits = o.bits.load(kRelaxed);
  inherit_filter(listener);
  options.send_buffer = o.send_buffer.load(kRelaxed);
  options.receive_buffer = o.receive_buffer.load(kRelaxed);
  options.receive_low = o.receive_low.load(kRelaxed);
  options.receive_timeout_ns = o.receive_timeout_ns.load(kRelaxed);
  options.send_timeout_ns = o.send_timeout_ns.load(kRelaxed);
  options.linger_seconds = o.linger_seconds.load(kRelaxed);
  options.priority = o.priority.load(kRelaxed);
  options.mark = o.mark.load(kRelaxed);
  options.max_pacing_rate = o.max_pacing_rate.load(kRelaxed);
  ip.bits = listener.ip.bits.load(kRelaxed);
  ip.ttl = listener.ip.ttl.load(kRelaxed);
  ip.hop_limit = listener.ip.hop_limit.load(kRelaxed);
  ip.tos = listener.ip.tos.load(kRelaxed);
  ip.traffic_class = listener.ip.traffic_class.load(kRelaxed);
  ip.path_mtu = listener.ip.path_mtu.load(kRelaxed);
  ip.path_mtu6 = listener.ip.path_mtu6.load(kRelaxed);
  ip.min_ttl = listener.ip.min_ttl.load(kRelaxed);
  ip.min_hops = listener.ip.min_hops.load(kRelaxed);
  device_ = listener.device_.load(kRelaxed);
  LockGuard guard(lock_);
  local_.address = asked_local_ = peer_.address = any_address(v6());
}

InetEndpoint::~InetEndpoint() { leave_groups(); }

Stack& InetEndpoint::stack() const { return net().inet(); }

void InetEndpoint::attached(Socket& file) {
  if (Result<fs::Attr> attr = file.get_attr()) ino_.store(attr->ino, std::memory_order_relaxed);
}

void InetEndpoint::release_names() {
  if (table_) table_->remove(*this);
  leave_groups();
  clear_errors();
}

// ---- names ----

InetEndpoint::Names InetEndpoint::names() {
  LockGuard guard(lock_);
  return {local_, peer_};
}

Result<void> InetEndpoint::name(Address& out, bool peer) {
  SocketAddress shown;
  {
    LockGuard guard(lock_);
    if (peer && !has_peer_) return Errno::notconn;
    shown = peer ? peer_ : local_;
    if (!peer && !has_peer_) shown.flow_info = 0;
  }
  if (shown.address.needs_scope() && shown.scope == 0) shown.scope = bound_device();
  put_address(shown, domain(), out);
  return {};
}

PortClaim InetEndpoint::claim_locked() const {
  return {v6(), v6() && ip.has(ip_bit::v6only), bound_device(), uid_, &options};
}

Result<void> InetEndpoint::claim_name_locked(uint16_t port) {
  local_.port = TRY(table_->bind(*this, claim_locked(), local_.address, port));
  return {};
}

Result<void> InetEndpoint::bind(const Caller& caller, std::span<const std::byte> address) {
  const int family = TRY(address_family(address));
  if (v6()) return bind_v6(caller, TRY(parse_v6(address)));
  if (address.size() < kSizeV4) return Errno::inval;
  if (family == family_number::unspec) {
    // Old programs leave the family out for the wildcard.
    if (!IpAddress::from_v4(address.data() + sizeof(uint32_t)).is_any()) return Errno::afnosupport;
    SocketAddress wanted;
    wanted.address = kAnyV4;
    uint16_t port;
    __builtin_memcpy(&port, address.data() + sizeof(uint16_t), sizeof port);
    wanted.port = __builtin_bswap16(port);
    return bind_v4(caller, wanted);
  }
  return bind_v4(caller, TRY(parse_v4(address)));
}

Result<void> InetEndpoint::bind_v4(const Caller& caller, const SocketAddress& wanted) {
  const IpAddress& a = wanted.address;
  const bool foreign = ip.has(ip_bit::freebind | ip_bit::transparent) ||
                       stack().settings.nonlocal_bind.load(std::memory_order_relaxed);
  NetConfig& config = stack().config;
  if (!foreign && !a.is_any() && !a.is_multicast() && !config.is_local(a) && !config.is_broadcast(a))
    return Errno::addrnotavail;
  return take_name(caller, wanted, false);
}

Result<void> InetEndpoint::bind_v6(const Caller& caller, const SocketAddress& wanted) {
  const IpAddress& a = wanted.address;
  if (a.is_multicast() && type() == socket_type::stream) return Errno::inval;
  if (a.is_v4()) {
    if (ip.has(ip_bit::v6only)) return Errno::inval;
    return bind_v4(caller, wanted);
  }
  if (a.is_any()) return take_name(caller, wanted, false);
  NetConfig& config = stack().config;
  uint32_t device = bound_device();
  if (a.needs_scope()) {
    if (wanted.scope) device = wanted.scope;
    if (device == 0) return Errno::inval;
    if (!config.interface(device)) return Errno::nodev;
  }
  const bool foreign = ip.has(ip_bit::freebind | ip_bit::transparent);
  if (!foreign && !a.is_multicast() && !config.is_local(a, a.is_link_local() ? device : 0))
    return Errno::addrnotavail;
  if (a.needs_scope()) device_.store(device, std::memory_order_relaxed);
  return take_name(caller, wanted, true);
}

Result<void> InetEndpoint::take_name(const Caller& caller, const SocketAddress& wanted, bool only6) {
  const uint32_t free_from = stack().settings.unprivileged_port.load(std::memory_order_relaxed);
  if (checks_port_privilege() && wanted.port != 0 && wanted.port < free_from &&
      !is_capable(caller.creds, net(), Cap::net_bind_service))
    return Errno::acces;
  LockGuard guard(lock_);
  if (named_locked()) return Errno::inval;
  const SocketAddress before = local_;
  const bool was_only6 = ip.has(ip_bit::v6only);
  if (only6) ip.set(ip_bit::v6only, true);
  local_.address = wanted.address;
  local_.scope = wanted.address.needs_scope() ? bound_device() : 0;
  Result<void> taken = claim_name_locked(wanted.port);
  if (!taken) {
    local_ = before;
    ip.set(ip_bit::v6only, was_only6);
    return taken;
  }
  asked_local_ = wanted.address;
  asked_port_ = wanted.port != 0;
  return {};
}

// ---- where packets go ----

Result<SocketAddress> InetEndpoint::destination(std::span<const std::byte> address) const {
  const int family = TRY(address_family(address));
  if (!v6()) {
    if (address.size() < kSizeV4) return Errno::inval;
    if (family == family_number::unspec) {
      SocketAddress out;
      out.address = IpAddress::from_v4(address.data() + sizeof(uint32_t));
      uint16_t port;
      __builtin_memcpy(&port, address.data() + sizeof(uint16_t), sizeof port);
      out.port = __builtin_bswap16(port);
      return out;
    }
    return parse_v4(address);
  }
  SocketAddress out;
  if (family == family_number::inet)
    out = TRY(parse_v4(address));
  else if (family == family_number::inet6)
    out = TRY(parse_v6(address));
  else
    return Errno::inval;
  if (out.address.is_v4() && ip.has(ip_bit::v6only)) return Errno::netunreach;
  return out;
}

RouteQuery InetEndpoint::query_locked(const IpAddress& to, uint32_t scope) const {
  RouteQuery query;
  query.destination = to;
  const bool v4 = to.is_v4();
  if (!local_.address.is_any() && !local_.address.is_multicast() && local_.address.is_v4() == v4 &&
      !stack().config.is_broadcast(local_.address))
    query.source = local_.address;
  else
    query.source = any_address(!v4);
  query.interface = bound_device();
  if (query.interface == 0) query.interface = scope;
  if (to.is_multicast()) {
    if (query.interface == 0)
      query.interface =
          (v4 ? ip.multicast_interface : ip.multicast_interface6).load(std::memory_order_relaxed);
    if (const uint32_t from = ip.multicast_address.load(std::memory_order_relaxed);
        v4 && query.source.is_any())
      query.source = IpAddress::v4(from);
  } else if (query.interface == 0) {
    query.interface = (v4 ? ip.unicast_interface : ip.unicast_interface6).load(std::memory_order_relaxed);
  }
  query.tos = v4 ? ip.tos.load(std::memory_order_relaxed) & 0x1c : uint8_t{0};
  query.direct = options.has(option_bit::dontroute);
  query.foreign = ip.has(ip_bit::transparent);
  query.mark = options.mark.load(std::memory_order_relaxed);
  return query;
}

Result<Route> InetEndpoint::peer_route_locked() {
  if (stack().still_valid(route_)) return route_;
  route_ = TRY(stack().route(query_locked(peer_.address, peer_.scope)));
  return route_;
}

Result<void> InetEndpoint::check_broadcast(const Route& route) const {
  if (route.type == RouteType::broadcast && !options.has(option_bit::broadcast)) return Errno::acces;
  return {};
}

Result<InetEndpoint::Peer> InetEndpoint::find_peer_locked(std::span<const std::byte> address) {
  Peer peer;
  const int family = TRY(address_family(address));
  if (v6() && family == family_number::inet) {
    if (ip.has(ip_bit::v6only)) return Errno::afnosupport;
    peer.address = TRY(parse_v4(address));
  } else {
    peer.address = v6() ? TRY(parse_v6(address)) : TRY(parse_v4(address));
  }
  SocketAddress& to = peer.address;
  if (to.address.is_v4() && v6() && ip.has(ip_bit::v6only)) return Errno::netunreach;
  if (v6() && to.address == kAnyV6) to.address = asked_local_.is_v4() ? kLoopbackV4 : kLoopbackV6;
  if (to.address.needs_scope()) {
    if (to.scope && bound_device() && to.scope != bound_device()) return Errno::inval;
    if (!to.scope) to.scope = bound_device();
    if (!to.scope && to.address.is_multicast())
      to.scope = ip.multicast_interface6.load(std::memory_order_relaxed);
    if (!to.scope) return Errno::inval;
  }
  RouteQuery query = query_locked(to.address, to.scope);
  // The address of an earlier connection does not bind this one.
  if (asked_local_.is_any()) query.source = any_address(!to.address.is_v4());
  if (asked_local_.is_v4() && !to.address.is_v4() && !asked_local_.is_any()) return Errno::afnosupport;
  peer.route = TRY(stack().route(query));
  TRY(check_broadcast(peer.route));
  to.address = peer.route.destination;
  return peer;
}

IpSendOptions InetEndpoint::send_options(const IpAddress& to) const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  IpSendOptions out;
  const bool v4 = to.is_v4(), group = to.is_multicast();
  out.protocol = static_cast<uint8_t>(protocol());
  const PathMtu mode = v4 ? ip.path_mtu.load(kRelaxed) : ip.path_mtu6.load(kRelaxed);
  out.dont_fragment = mode == PathMtu::always || mode == PathMtu::probe || mode == PathMtu::interface;
  out.priority = static_cast<uint32_t>(options.priority.load(kRelaxed));
  out.mark = options.mark.load(kRelaxed);
  if (v4) {
    const int16_t ttl = group ? ip.multicast_ttl.load(kRelaxed) : ip.ttl.load(kRelaxed);
    out.ttl = ttl > 0 ? static_cast<uint8_t>(ttl) : uint8_t{0};
    out.stays = group && ttl == 0;
    out.tos = ip.tos.load(kRelaxed);
    out.prefer_df = mode == PathMtu::want;
    out.multicast_loop = ip.has(ip_bit::multicast_loop);
    return out;
  }
  const int16_t hops = group ? ip.multicast_hops.load(kRelaxed) : ip.hop_limit.load(kRelaxed);
  out.ttl = hops > 0 ? static_cast<uint8_t>(hops) : uint8_t{0};
  out.stays = group && hops == 0;
  out.tos = ip.traffic_class.load(kRelaxed);
  out.dont_fragment = out.dont_fragment || ip.has(ip_bit::dont_fragment6);
  out.fragment_max = ip.mtu6.load(kRelaxed);
  out.multicast_loop = ip.has(ip_bit::multicast_loop6);
  return out;
}

// ---- receive buffer ----

InetEndpoint::MemoryFacts InetEndpoint::memory_facts(const Facts& facts) const {
  constexpr uint8_t kListening = 10;
  const bool bytes = facts.state != kListening;  // its queues are of connections
  MemoryFacts out{};
  out.receive_used = std::max(received_.load(std::memory_order_relaxed), bytes ? facts.receive_queue : 0);
  out.receive_most = options.receive_buffer.load(std::memory_order_relaxed);
  out.send_used = out.send_queued = bytes ? facts.send_queue : 0;
  out.send_most = options.send_buffer.load(std::memory_order_relaxed);
  out.drops = drops_.load(std::memory_order_relaxed);
  return out;
}

bool InetEndpoint::charge_receive(Packet& packet) {
  const uint32_t charge = packet.memory() + packet.idle_memory();
  if (!charge_receive(charge)) return false;
  packet.info.charge = charge;
  if (packet.bill(owner_, received_memory() == charge)) return true;
  uncharge_receive(charge);
  return false;
}

bool InetEndpoint::charge_receive(uint32_t charge) {
  const uint32_t before = received_.fetch_add(charge, std::memory_order_relaxed);
  if (before <= options.receive_buffer.load(std::memory_order_relaxed)) return true;
  received_.fetch_sub(charge, std::memory_order_relaxed);
  return false;
}

bool InetEndpoint::takes_group(const IpAddress& group, uint32_t interface) const {
  if (memberships_.has(interface, group)) return true;
  // Linux: one that has joined nothing, or not this group, gets what others have joined.
  return ip.has(group.is_v4() ? ip_bit::multicast_all : ip_bit::multicast_all6);
}

}  // namespace runsc::net
