// setsockopt(2) and getsockopt(2) of SOL_SOCKET and SOL_IP on Internet sockets.
#include <algorithm>

#include "net/capable.h"
#include "net/inet/inet_endpoint.h"
#include "net/inet/ip_numbers.h"
#include "net/inet/option_value.h"

namespace runsc::net {

using fs::Cap;

namespace {

constexpr int kSoBindToDevice = 25, kSoBindToIfindex = 62, kSoPeekOff = 42;

struct BitName {
  int name;
  uint32_t bit;
};
constexpr BitName kBits[] = {
    {ip_option::recvttl, ip_bit::recv_ttl},
    {ip_option::recvtos, ip_bit::recv_tos},
    {ip_option::recvopts, ip_bit::recv_opts},
    {ip_option::retopts, ip_bit::ret_opts},
    {ip_option::pktinfo, ip_bit::pktinfo},
    {ip_option::recverr, ip_bit::recv_err},
    {ip_option::freebind, ip_bit::freebind},
    {ip_option::multicast_loop, ip_bit::multicast_loop},
    {ip_option::recvorigdstaddr, ip_bit::recv_origdst},
    {ip_option::bind_address_no_port, ip_bit::bind_no_port},
    {ip_option::recvfragsize, ip_bit::recv_fragsize},
};

}  // namespace

Result<void> InetEndpoint::bind_device(const Caller& caller, uint64_t address, uint32_t size) {
  char name[Interface::kNameMax + 1] = {};
  const uint32_t n = std::min<uint32_t>(size, Interface::kNameMax);
  TRY(mm::copy_in_bytes(caller.space, name, address, n));
  int32_t index = 0;
  if (name[0]) {
    Ref<Interface> found = stack().config.interface(std::string_view(name, __builtin_strlen(name)));
    if (!found) return Errno::nodev;
    index = static_cast<int32_t>(found->index());
  }
  return bind_index(caller, index);
}

Result<void> InetEndpoint::bind_index(const Caller& caller, int32_t index) {
  // Who is bound to one already may not leave it without privilege.
  if (bound_device() && !is_capable(caller.creds, net(), Cap::net_raw)) return Errno::perm;
  if (index < 0) return Errno::inval;
  device_.store(static_cast<uint32_t>(index), std::memory_order_relaxed);
  if (table_) table_->set_device(*this, static_cast<uint32_t>(index));
  LockGuard guard(lock_);
  route_ = {};
  return {};
}

Result<void> InetEndpoint::set_socket_option(const Caller& caller, int name, uint64_t address,
                                             uint32_t size) {
  switch (name) {
    case kSoBindToDevice:
      return bind_device(caller, address, size);
    case kSoBindToIfindex:
      return bind_index(caller, TRY(read_option(caller, address, size)));
    case kSoPeekOff: {
      if (type() != socket_type::dgram || protocol() != ip_protocol::udp) return Errno::opnotsupp;
      options.peek_offset.store(TRY(read_option(caller, address, size)), std::memory_order_relaxed);
      return {};
    }
    default:
      return Endpoint::set_socket_option(caller, name, address, size);
  }
}

Result<uint32_t> InetEndpoint::get_socket_option(const Caller& caller, int name, uint64_t address,
                                                 uint32_t size) {
  switch (name) {
    case kSoBindToDevice: {
      Ref<Interface> device = stack().config.interface(bound_device());
      if (!device) return uint32_t{0};
      char text[Interface::kNameMax + 1] = {};
      if (size < sizeof text) return Errno::inval;
      __builtin_memcpy(text, device->name().data(), device->name().size());
      return give_option(caller, address, size, text, static_cast<uint32_t>(device->name().size() + 1));
    }
    case kSoBindToIfindex:
      return give_option(caller, address, size, static_cast<int32_t>(bound_device()));
    case kSoPeekOff:
      if (type() != socket_type::dgram || protocol() != ip_protocol::udp) return Errno::opnotsupp;
      return give_option(caller, address, size, options.peek_offset.load(std::memory_order_relaxed));
    default:
      return Endpoint::get_socket_option(caller, name, address, size);
  }
}

Result<void> InetEndpoint::set_option(const Caller& caller, int level, int name, uint64_t address,
                                      uint32_t size) {
  if (level == kSolIp) return set_ip(caller, name, address, size);
  if (level == kSolIpv6 && v6()) return set_ip6(caller, name, address, size);
  return Errno::noprotoopt;
}

// IP_MULTICAST_IF: an address, a struct ip_mreq or a struct ip_mreqn.
Result<void> InetEndpoint::set_multicast_interface(const Caller& caller, uint64_t address, uint32_t size) {
  struct {
    std::byte group[4], local[4];
    int32_t index;
  } request{};
  if (size < sizeof request.local) return Errno::inval;
  if (size >= sizeof request)
    TRY(mm::copy_in_bytes(caller.space, &request, address, sizeof request));
  else if (size >= sizeof request.group + sizeof request.local)
    TRY(mm::copy_in_bytes(caller.space, &request, address, sizeof request.group + sizeof request.local));
  else
    TRY(mm::copy_in_bytes(caller.space, request.local, address, sizeof request.local));
  const IpAddress local = IpAddress::from_v4(request.local);
  auto index = static_cast<uint32_t>(request.index);
  if (index == 0 && local.is_any()) {
    ip.multicast_interface = 0;
    ip.multicast_address = 0;
    return {};
  }
  Ref<Interface> device = index ? stack().config.interface(index) : stack().config.owner(local);
  if (!device) return Errno::addrnotavail;
  if (bound_device() && bound_device() != device->index()) return Errno::inval;
  ip.multicast_interface = device->index();
  ip.multicast_address = local.v4();
  return {};
}

Result<void> InetEndpoint::member(const IpAddress& group, uint32_t interface, bool join) {
  if (!group.is_multicast()) return Errno::inval;
  NetConfig& config = stack().config;
  if (join) return memberships_.join(config, interface, group);
  return memberships_.leave(config, interface, group);
}

// IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP: struct ip_mreq or ip_mreqn.
Result<void> InetEndpoint::change_membership(const Caller& caller, int name, uint64_t address,
                                             uint32_t size) {
  struct {
    std::byte group[4], local[4];
    int32_t index;
  } request{};
  constexpr uint32_t kShort = 8;
  if (size < kShort) return Errno::inval;
  TRY(mm::copy_in_bytes(caller.space, &request, address, size >= sizeof request ? sizeof request : kShort));
  const IpAddress group = IpAddress::from_v4(request.group), local = IpAddress::from_v4(request.local);
  const bool join = name == ip_option::add_membership;
  if (!group.is_multicast()) return join ? Errno::inval : Errno::addrnotavail;
  NetConfig& config = stack().config;
  auto index = static_cast<uint32_t>(request.index);
  if (index == 0 && !local.is_any()) {
    Ref<Interface> device = config.owner(local);
    if (!device) return Errno::nodev;
    index = device->index();
  } else if (index == 0) {
    Result<Route> way = stack().route({.destination = group, .source = kAnyV4});
    if (!way) return Errno::nodev;
    index = way->interface->index();
  }
  if (!config.interface(index)) return Errno::nodev;
  return member(group, index, join);
}

// MCAST_JOIN_GROUP, MCAST_LEAVE_GROUP: struct group_req (RFC 3678).
Result<void> InetEndpoint::change_group(const Caller& caller, int name, uint64_t address, uint32_t size) {
  struct {
    uint32_t index, padding;
    std::byte group[Address::kMax];
  } request{};
  if (size < sizeof request) return Errno::inval;
  TRY(mm::copy_in_bytes(caller.space, &request, address, sizeof request));
  const std::span<const std::byte> bytes(request.group);
  const int family = TRY(address_family(bytes));
  SocketAddress group;
  if (family == family_number::inet)
    group = TRY(parse_v4(bytes));
  else if (family == family_number::inet6)
    group = TRY(parse_v6(bytes));
  else
    return Errno::inval;
  uint32_t index = request.index;
  if (index == 0) {
    Result<Route> way =
        stack().route({.destination = group.address, .source = any_address(!group.address.is_v4())});
    if (!way) return Errno::nodev;
    index = way->interface->index();
  }
  if (!stack().config.interface(index)) return Errno::nodev;
  return member(group.address, index, name == ip_option::mcast_join_group);
}

Result<void> InetEndpoint::set_ip(const Caller& caller, int name, uint64_t address, uint32_t size) {
  switch (name) {
    case ip_option::multicast_if:
      if (type() == socket_type::stream) return Errno::inval;
      return set_multicast_interface(caller, address, size);
    case ip_option::add_membership:
    case ip_option::drop_membership:
      if (type() == socket_type::stream) return Errno::proto;
      return change_membership(caller, name, address, size);
    case ip_option::mcast_join_group:
    case ip_option::mcast_leave_group:
      return change_group(caller, name, address, size);
    case ip_option::options:
      // Only taking them away: the sandbox's packets have none.
      if (size > 40) return Errno::inval;
      return size == 0 ? Result<void>() : Errno::opnotsupp;
    case ip_option::transparent: {
      const int32_t value = TRY(read_short_option(caller, address, size));
      if (value && !is_capable(caller.creds, net(), Cap::net_admin) &&
          !is_capable(caller.creds, net(), Cap::net_raw))
        return Errno::perm;
      ip.set(ip_bit::transparent, value != 0);
      return {};
    }
    case ip_option::tos:
    case ip_option::ttl:
    case ip_option::mtu_discover:
    case ip_option::multicast_ttl:
    case ip_option::multicast_all:
    case ip_option::minttl:
    case ip_option::unicast_if:
    case ip_option::checksum:
      return set_ip_number(caller, name, TRY(read_short_option(caller, address, size)));
    default:
      break;
  }
  for (const BitName& b : kBits) {
    if (b.name != name) continue;
    const int32_t value = TRY(read_short_option(caller, address, size));
    ip.set(b.bit, value != 0);
    if (name == ip_option::recverr && value == 0) clear_errors();
    return {};
  }
  return Errno::noprotoopt;
}

Result<void> InetEndpoint::set_ip_number(const Caller& caller, int name, int32_t value) {
  constexpr uint8_t kEcn = 3;
  switch (name) {
    case ip_option::tos: {
      auto tos = static_cast<uint8_t>(value);
      // The ECN bits of a stream are TCP's.
      if (type() == socket_type::stream) tos = static_cast<uint8_t>((tos & ~kEcn) | (ip.tos & kEcn));
      ip.tos = tos;
      return {};
    }
    case ip_option::ttl:
      if (value != -1 && (value < 1 || value > 255)) return Errno::inval;
      ip.ttl = static_cast<int16_t>(value);
      return {};
    case ip_option::mtu_discover:
      if (value < 0 || value > static_cast<int>(PathMtu::omit)) return Errno::inval;
      ip.path_mtu = static_cast<PathMtu>(value);
      return {};
    case ip_option::multicast_ttl:
      if (type() == socket_type::stream) return Errno::inval;
      if (value == -1) value = 1;
      if (value < 0 || value > 255) return Errno::inval;
      ip.multicast_ttl = static_cast<int16_t>(value);
      return {};
    case ip_option::multicast_all:
      if (value != 0 && value != 1) return Errno::inval;
      ip.set(ip_bit::multicast_all, value != 0);
      return {};
    case ip_option::minttl:
      if (value < 0 || value > 255) return Errno::inval;
      ip.min_ttl = static_cast<uint8_t>(value);
      return {};
    case ip_option::unicast_if: {
      const uint32_t index = __builtin_bswap32(static_cast<uint32_t>(value));
      if (index && !stack().config.interface(index)) return Errno::addrnotavail;
      ip.unicast_interface = index;
      return {};
    }
    case ip_option::checksum:
      ip.set(ip_bit::no_check, value != 0);
      return {};
    default:
      (void)caller;
      return Errno::noprotoopt;
  }
}

Result<int32_t> InetEndpoint::ip_number(int name) {
  for (const BitName& b : kBits)
    if (b.name == name) return int32_t{ip.has(b.bit)};
  switch (name) {
    case ip_option::tos:
      return int32_t{ip.tos};
    case ip_option::ttl:
      return ip.ttl < 0 ? static_cast<int32_t>(stack().settings.default_ttl.load()) : int32_t{ip.ttl};
    case ip_option::mtu_discover:
      return static_cast<int32_t>(ip.path_mtu.load());
    case ip_option::multicast_ttl:
      return int32_t{ip.multicast_ttl};
    case ip_option::multicast_all:
      return int32_t{ip.has(ip_bit::multicast_all)};
    case ip_option::transparent:
      return int32_t{ip.has(ip_bit::transparent)};
    case ip_option::minttl:
      return int32_t{ip.min_ttl};
    case ip_option::unicast_if:
      return static_cast<int32_t>(__builtin_bswap32(ip.unicast_interface));
    case ip_option::checksum:
      return int32_t{ip.has(ip_bit::no_check)};
    case ip_option::mtu: {
      LockGuard guard(lock_);
      if (!has_peer_) return Errno::notconn;
      return static_cast<int32_t>(TRY(peer_route_locked()).mtu);
    }
    default:
      return Errno::noprotoopt;
  }
}

Result<uint32_t> InetEndpoint::get_option(const Caller& caller, int level, int name, uint64_t address,
                                          uint32_t size) {
  if (level == kSolIpv6 && v6()) {
    if (name == ipv6_option::pktinfo_2292) return Errno::noprotoopt;
    const int32_t value = TRY(ip6_number(name));
    return give_option(caller, address, size, value);
  }
  if (level != kSolIp) return Errno::noprotoopt;
  if (name == ip_option::multicast_if) {
    const uint32_t value = __builtin_bswap32(ip.multicast_address);
    return give_option(caller, address, size, &value, sizeof value);
  }
  if (name == ip_option::options) return uint32_t{0};
  return give_short_option(caller, address, size, TRY(ip_number(name)));
}

}  // namespace runsc::net
