// setsockopt(2) and getsockopt(2) of SOL_IPV6 (ipv6(7), RFC 3493, RFC 3542).
#include "net/capable.h"
#include "net/inet/inet_endpoint.h"
#include "net/inet/ip_numbers.h"
#include "net/inet/option_value.h"

namespace runsc::net {

using fs::Cap;

namespace {

struct BitName {
  int name;
  uint32_t bit;
};
constexpr BitName kBits[] = {
    {ipv6_option::recvpktinfo, ip_bit::recv_pktinfo6},
    {ipv6_option::recvhoplimit, ip_bit::recv_hoplimit6},
    {ipv6_option::recvtclass, ip_bit::recv_tclass6},
    {ipv6_option::recverr, ip_bit::recv_err6},
    {ipv6_option::multicast_loop, ip_bit::multicast_loop6},
    {ipv6_option::multicast_all, ip_bit::multicast_all6},
    {ipv6_option::recvpathmtu, ip_bit::recv_pathmtu6},
    {ipv6_option::flowinfo, ip_bit::flowinfo6},
    {ipv6_option::flowinfo_send, ip_bit::flowinfo_send6},
    {ipv6_option::autoflowlabel, ip_bit::autoflow6},
    {ipv6_option::dontfrag, ip_bit::dont_fragment6},
    {ipv6_option::recvrthdr, ip_bit::recv_rthdr6},
    {ipv6_option::recvhopopts, ip_bit::recv_hopopts6},
    {ipv6_option::recvdstopts, ip_bit::recv_dstopts6},
    {ipv6_option::freebind, ip_bit::freebind},
};

}  // namespace

// IPV6_ADD_MEMBERSHIP, IPV6_DROP_MEMBERSHIP: struct ipv6_mreq.
Result<void> InetEndpoint::change_membership6(const Caller& caller, int name, uint64_t address,
                                              uint32_t size) {
  struct {
    std::byte group[16];
    int32_t index;
  } request{};
  if (size < sizeof request) return Errno::inval;
  TRY(mm::copy_in_bytes(caller.space, &request, address, sizeof request));
  const IpAddress group = IpAddress::from_v6(request.group);
  const bool join = name == ipv6_option::add_membership;
  if (group.is_v4() || !group.is_multicast()) return Errno::inval;
  NetConfig& config = stack().config;
  auto index = static_cast<uint32_t>(request.index);
  if (index == 0 && join) {
    Result<Route> way = stack().route({.destination = group, .source = kAnyV6});
    if (!way) return Errno::nodev;
    index = way->interface->index();
  }
  if (index && !config.interface(index)) return Errno::nodev;
  return member(group, index, join);
}

Result<void> InetEndpoint::set_ip6(const Caller& caller, int name, uint64_t address, uint32_t size) {
  switch (name) {
    case ipv6_option::add_membership:
    case ipv6_option::drop_membership:
      if (type() == socket_type::stream) return Errno::proto;
      return change_membership6(caller, name, address, size);
    case ipv6_option::mcast_join_group:
    case ipv6_option::mcast_leave_group:
      return change_group(caller, name, address, size);
    case ipv6_option::pktinfo:
    case ipv6_option::hopopts:
    case ipv6_option::rthdr:
    case ipv6_option::dstopts:
      return Errno::inval;
    default:
      break;
  }
  const int32_t value = TRY(read_option(caller, address, size));
  for (const BitName& b : kBits) {
    if (b.name != name) continue;
    ip.set(b.bit, value != 0);
    if (name == ipv6_option::recverr && value == 0) clear_errors();
    return {};
  }
  return set_ip6_number(caller, name, value);
}

Result<void> InetEndpoint::set_ip6_number(const Caller& caller, int name, int32_t value) {
  auto hops = [](int32_t v) { return v >= -1 && v <= 255; };
  switch (name) {
    case ipv6_option::v6only: {
      LockGuard guard(lock_);
      if (local_.port != 0) return Errno::inval;
      ip.set(ip_bit::v6only, value != 0);
      return {};
    }
    case ipv6_option::unicast_hops:
      if (!hops(value)) return Errno::inval;
      ip.hop_limit = static_cast<int16_t>(value);
      return {};
    case ipv6_option::multicast_hops:
      if (type() == socket_type::stream) return Errno::noprotoopt;
      if (!hops(value)) return Errno::inval;
      ip.multicast_hops = static_cast<int16_t>(value == -1 ? 1 : value);
      return {};
    case ipv6_option::tclass:
      if (value < -1 || value > 255) return Errno::inval;
      ip.traffic_class = static_cast<uint8_t>(value == -1 ? 0 : value);
      return {};
    case ipv6_option::mtu_discover:
      if (value < 0 || value > static_cast<int>(PathMtu::omit)) return Errno::inval;
      ip.path_mtu6 = static_cast<PathMtu>(value);
      return {};
    case ipv6_option::mtu:
      if (value != 0 && value < 1280) return Errno::inval;
      ip.mtu6 = static_cast<uint32_t>(value);
      return {};
    case ipv6_option::multicast_if: {
      if (type() == socket_type::stream) return Errno::noprotoopt;
      const auto index = static_cast<uint32_t>(value);
      if (index && !stack().config.interface(index)) return Errno::nodev;
      if (index && bound_device() && bound_device() != index) return Errno::inval;
      ip.multicast_interface6 = index;
      return {};
    }
    case ipv6_option::unicast_if: {
      const uint32_t index = __builtin_bswap32(static_cast<uint32_t>(value));
      if (index && !stack().config.interface(index)) return Errno::addrnotavail;
      ip.unicast_interface6 = index;
      return {};
    }
    case ipv6_option::minhopcount:
      if (value < 0 || value > 255) return Errno::inval;
      ip.min_hops = static_cast<uint8_t>(value);
      return {};
    case ipv6_option::transparent:
      if (value && !is_capable(caller.creds, net(), Cap::net_admin) &&
          !is_capable(caller.creds, net(), Cap::net_raw))
        return Errno::perm;
      ip.set(ip_bit::transparent, value != 0);
      return {};
    default:
      return Errno::noprotoopt;
  }
}

Result<int32_t> InetEndpoint::ip6_number(int name) {
  for (const BitName& b : kBits)
    if (b.name == name) return int32_t{ip.has(b.bit)};
  const auto default_hops = static_cast<int32_t>(stack().settings.default_hop_limit.load());
  switch (name) {
    case ipv6_option::v6only:
      return int32_t{ip.has(ip_bit::v6only)};
    case ipv6_option::unicast_hops:
      return ip.hop_limit < 0 ? default_hops : int32_t{ip.hop_limit};
    case ipv6_option::multicast_hops:
      return ip.multicast_hops < 0 ? 1 : int32_t{ip.multicast_hops};
    case ipv6_option::tclass:
      return int32_t{ip.traffic_class};
    case ipv6_option::mtu_discover:
      return static_cast<int32_t>(ip.path_mtu6.load());
    case ipv6_option::mtu: {
      LockGuard guard(lock_);
      if (!has_peer_) return Errno::notconn;
      return static_cast<int32_t>(TRY(peer_route_locked()).mtu);
    }
    case ipv6_option::multicast_if:
      return static_cast<int32_t>(ip.multicast_interface6);
    case ipv6_option::unicast_if:
      return static_cast<int32_t>(__builtin_bswap32(ip.unicast_interface6));
    case ipv6_option::minhopcount:
      return int32_t{ip.min_hops};
    case ipv6_option::transparent:
      return int32_t{ip.has(ip_bit::transparent)};
    default:
      return Errno::noprotoopt;
  }
}

}  // namespace runsc::net
