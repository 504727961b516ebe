#include "net/inet/icmp.h"

#include <algorithm>

#include "net/inet/multicast_reports.h"
#include "net/inet/ndp.h"
#include "net/inet/ping_endpoint.h"
#include "net/inet/raw_table.h"
#include "net/inet/wire.h"

namespace runsc::net {

namespace {

constexpr Errno kNoNet = static_cast<Errno>(64);
constexpr uint8_t kFragmentNeeded = 4, kPortUnreachable4 = 3, kPortUnreachable6 = 4;
constexpr uint32_t kQuoteMax4 = 576, kQuoteMax6 = 1280;
constexpr size_t kLeastQuote = 8;

// By code of destination unreachable.
constexpr IcmpMeaning kUnreachable4[] = {
    {Errno::netunreach, false},  {Errno::hostunreach, false}, {Errno::noprotoopt, true},
    {Errno::connrefused, true},  {Errno::msgsize, false},     {Errno::opnotsupp, false},
    {Errno::netunreach, true},   {Errno::hostdown, true},     {kNoNet, true},
    {Errno::netunreach, true},   {Errno::hostunreach, true},  {Errno::netunreach, false},
    {Errno::hostunreach, false}, {Errno::hostunreach, true},  {Errno::hostunreach, true},
    {Errno::hostunreach, true},
};
constexpr IcmpMeaning kUnreachable6[] = {
    {Errno::netunreach, false},  {Errno::acces, true},       {Errno::hostunreach, false},
    {Errno::hostunreach, false}, {Errno::connrefused, true}, {Errno::acces, true},
    {Errno::acces, true},
};

void set_checksum(Packet& packet, bool v6, const Route& route) {
  if (v6) return;
  auto& icmp = header_at<IcmpHeader>(packet.data());
  icmp.checksum.set_raw(0);
  ChecksumSum sum;
  packet.add_to(sum, 0, packet.size());
  icmp.checksum.set_raw(sum.checksum());
  (void)route;
}

void send_icmp(Stack& stack, const Route& route, PacketPtr packet, uint8_t tos) {
  const bool v6 = !route.destination.is_v4();
  constexpr uint16_t kChecksumAt = 2;
  IpSendOptions options;
  options.protocol = v6 ? ip_protocol::icmpv6 : ip_protocol::icmp;
  options.tos = tos;
  const auto type = static_cast<uint8_t>(*packet->data());
  packet->info.checksum = ChecksumState::unknown;
  if (v6)
    stack.set_transport_checksum(*packet, route, options.protocol, kChecksumAt);
  else
    set_checksum(*packet, v6, route);
  stack.counters.add(Mib::icmp_out, v6);
  stack.counters.icmp_types[v6][1][type].fetch_add(1, std::memory_order_relaxed);
  (void)stack.send(route, std::move(packet), options);
}

// RFC 1122, 3.2.2.6; RFC 4443, 4.2: the same bytes back, from the address that was asked.
void answer_echo(Stack& stack, const Packet& request) {
  const PacketInfo& info = request.info;
  const bool v6 = !info.source.is_v4();
  if (stack.settings.echo_ignore_all.load(std::memory_order_relaxed) && !v6) return;
  const bool group = info.to == PacketFor::broadcast || info.to == PacketFor::multicast;
  if (group && !v6 && stack.settings.echo_ignore_broadcasts.load(std::memory_order_relaxed)) return;
  RouteQuery query;
  query.destination = info.source;
  query.source = group ? any_address(v6) : info.destination;
  if (info.source.needs_scope()) query.interface = info.interface;
  Result<Route> route = stack.route(query);
  if (!route) return;
  PacketPtr reply = Packet::create(sizeof(IcmpHeader));
  if (!reply || !reply->append(request, 0, request.size())) return;
  std::span<std::byte> bytes = reply->header(sizeof(IcmpHeader));
  if (bytes.empty()) return;
  header_at<IcmpHeader>(bytes.data()).type = v6 ? icmp6_type::echo_reply : icmp_type::echo_reply;
  send_icmp(stack, *route, std::move(reply), info.tos);
}

// To the transport whose packet is quoted.
void take_error(Stack& stack, Packet& packet, const IcmpHeader& icmp) {
  const PacketInfo outer = packet.info;
  const bool v6 = !outer.source.is_v4();
  (void)packet.pull(sizeof(IcmpHeader));
  IcmpError error{.origin = static_cast<uint8_t>(v6 ? 3 : 2),
                  .type = icmp.type,
                  .code = icmp.code,
                  .error = Errno::hostunreach,
                  .hard = false,
                  .too_big = false,
                  .info = 0,
                  .interface = outer.interface,
                  .offender = outer.source,
                  .source = {},
                  .destination = {},
                  .ip_size = sizeof(Ipv6Header),
                  .about = outer,
                  .quoted = packet};
  // Nobody acts on these any more (RFC 6633; redirects are refused).
  if (!v6 && (icmp.type == icmp_type::source_quench || icmp.type == icmp_type::redirect)) return;
  const IcmpMeaning meaning = icmp_meaning(v6, icmp.type, icmp.code);
  error.error = meaning.error;
  error.hard = meaning.hard;
  uint8_t protocol;
  std::span<std::byte> bytes = packet.header(v6 ? sizeof(Ipv6Header) : sizeof(Ipv4Header));
  if (bytes.empty()) return;
  if (v6) {
    const auto& ip = header_at<Ipv6Header>(bytes.data());
    protocol = ip.next;
    error.source = IpAddress::from_v6(ip.source);
    error.destination = IpAddress::from_v6(ip.destination);
    if (icmp.type == icmp6_type::too_big)
      error.too_big = true, error.info = std::max<uint32_t>(icmp.info, 1280);
    if (icmp.type == icmp6_type::parameter) error.info = icmp.info;
    (void)packet.pull(sizeof(Ipv6Header));
  } else {
    const auto& ip = header_at<Ipv4Header>(bytes.data());
    const uint32_t size = ip.size();
    if (size < sizeof(Ipv4Header) || ip.offset() != 0) return;
    protocol = ip.protocol;
    error.source = IpAddress::from_v4(ip.source);
    error.destination = IpAddress::from_v4(ip.destination);
    if (icmp.type == icmp_type::unreachable && icmp.code == kFragmentNeeded) {
      error.too_big = true;
      error.info = std::max<uint32_t>(icmp.info & 0xffff, 552);  // net.ipv4.route.min_pmtu
    }
    if (icmp.type == icmp_type::parameter) error.info = icmp.info >> 24;
    if (packet.header(size).empty()) return;
    (void)packet.pull(size);
    error.ip_size = size;
  }
  // RFC 4291, 2.5.5.2: mapped addresses are no business of the wire.
  if (v6 && (error.source.is_v4() || error.destination.is_v4())) return;
  if (packet.size() < kLeastQuote || packet.header(kLeastQuote).empty()) return;
  if (!stack.config.is_local(error.source)) return;
  const auto tell = protocol_of(protocol).error;
  const bool raw = stack.raw().tell(error, protocol);
  const bool vouched = (tell && tell(stack, error)) || raw;
  if (vouched && error.too_big) stack.config.path_mtu(error.destination, error.info);
}

void icmp_receive(Stack& stack, PacketPtr packet) {
  const bool v6 = !packet->info.source.is_v4();
  stack.counters.add(Mib::icmp_in, v6);
  std::span<std::byte> bytes = packet->header(sizeof(IcmpHeader));
  if (bytes.empty()) return stack.counters.add(Mib::icmp_in_errors, v6);
  bool right;
  if (v6) {
    right = stack.transport_checksum_ok(*packet, ip_protocol::icmpv6);
  } else {
    ChecksumSum sum;
    packet->add_to(sum, 0, packet->size());
    right = sum.checksum() == 0;
  }
  if (!right) {
    stack.counters.add(Mib::icmp_in_checksum, v6);
    return stack.counters.add(Mib::icmp_in_errors, v6);
  }
  const IcmpHeader icmp = header_at<IcmpHeader>(bytes.data());
  stack.counters.icmp_types[v6][0][icmp.type].fetch_add(1, std::memory_order_relaxed);
  if (is_icmp_error(v6, icmp.type)) return take_error(stack, *packet, icmp);
  if (icmp.type == (v6 ? icmp6_type::echo : icmp_type::echo)) return answer_echo(stack, *packet);
  if (icmp.type == (v6 ? icmp6_type::echo_reply : icmp_type::echo_reply))
    return ping_receive(stack, std::move(packet));
  if (!v6) return;
  if (icmp.type >= icmp6_type::mld_query && icmp.type <= icmp6_type::mld_done)
    return mld_receive(stack, *packet);
  if (icmp.type >= icmp6_type::router_solicit && icmp.type <= icmp6_type::redirect)
    ndp_receive(stack, *packet);
}

// RFC 1122, 3.2.2; RFC 4443, 2.4 (e).
bool may_complain(const Stack& stack, const Packet& packet, uint8_t type) {
  (void)stack;
  const PacketInfo& info = packet.info;
  const bool v6 = !info.source.is_v4();
  const bool group = info.to == PacketFor::broadcast || info.to == PacketFor::multicast;
  const bool to_groups = v6 && (type == icmp6_type::too_big || type == icmp6_type::parameter);
  if (group && !to_groups) return false;
  if (info.source.is_any() || info.source.is_multicast() || info.source.is_broadcast()) return false;
  if (info.protocol != (v6 ? ip_protocol::icmpv6 : ip_protocol::icmp)) return true;
  // Never about an error.
  std::byte kind{};
  if (info.transport_at < info.network_at) return true;
  const uint32_t skip = packet.here() > info.transport_at ? 0 : info.transport_at - packet.here();
  if (packet.here() > info.transport_at) {
    kind = *packet.at(info.transport_at);
  } else {
    if (packet.size() <= skip) return false;
    packet.read(skip, {&kind, 1});
  }
  return !is_icmp_error(v6, static_cast<uint8_t>(kind));
}

}  // namespace

bool is_icmp_error(bool v6, uint8_t type) {
  if (v6) return type < 128;
  return type == icmp_type::unreachable || type == icmp_type::source_quench || type == icmp_type::redirect ||
         type == icmp_type::time_exceeded || type == icmp_type::parameter;
}

IcmpMeaning icmp_meaning(bool v6, uint8_t type, uint8_t code) {
  if (v6) {
    switch (type) {
      case icmp6_type::unreachable:
        return code < std::size(kUnreachable6) ? kUnreachable6[code] : IcmpMeaning{Errno::proto, true};
      case icmp6_type::too_big:
        return {Errno::msgsize, false};
      case icmp6_type::parameter:
        return {Errno::proto, true};
      default:
        return {type == icmp6_type::time_exceeded ? Errno::hostunreach : Errno::proto, false};
    }
  }
  if (type == icmp_type::unreachable && code < std::size(kUnreachable4)) return kUnreachable4[code];
  if (type == icmp_type::parameter) return {Errno::proto, true};
  return {Errno::hostunreach, false};
}

void Stack::send_icmp_error(const Packet& packet, uint8_t type, uint8_t code, uint32_t info) {
  if (!may_complain(*this, packet, type)) return;
  const PacketInfo& about = packet.info;
  const bool v6 = !about.source.is_v4();
  RouteQuery query;
  query.destination = about.source;
  const bool ours = config.is_local(about.destination);
  query.source = ours ? about.destination : any_address(v6);
  if (about.source.needs_scope()) query.interface = about.interface;
  Result<Route> way = route(query);
  if (!way) return;
  if (!way->interface->is_loopback() &&
      !icmp_limit_.allow(keyed_hash({about.source.high, about.source.low}, secret_), monotonic_ns()))
    return;
  // The packet from its IP header on, of which what was pulled still stands in front.
  PacketPtr error = Packet::create(kQuoteMax6);
  if (!error) return;
  std::byte* bytes = error->put(sizeof(IcmpHeader));
  auto& icmp = header_at<IcmpHeader>(bytes);
  icmp.type = type;
  icmp.code = code;
  icmp.info = v6 ? info : type == icmp_type::parameter ? info << 24 : info;
  const uint32_t ip_header = v6 ? sizeof(Ipv6Header) : sizeof(Ipv4Header);
  size_t room = (v6 ? kQuoteMax6 : kQuoteMax4) - ip_header - sizeof(IcmpHeader);
  const uint32_t before = packet.here() > about.network_at ? packet.here() - about.network_at : 0;
  const auto front = static_cast<uint32_t>(std::min<size_t>(before, room));
  __builtin_memcpy(error->put(front), packet.at(about.network_at), front);
  room -= front;
  const auto rest = static_cast<uint32_t>(std::min(packet.size(), room));
  packet.read(0, {error->put(rest), rest});
  constexpr uint8_t kInternetControl = 0xc0;
  send_icmp(*this, *way, std::move(error), v6 ? uint8_t{0} : kInternetControl);
}

void Stack::send_port_unreachable(const Packet& packet) {
  const bool v6 = !packet.info.source.is_v4();
  send_icmp_error(packet, v6 ? icmp6_type::unreachable : icmp_type::unreachable,
                  v6 ? kPortUnreachable6 : kPortUnreachable4, 0);
}

void icmp_init() {
  register_protocol(ip_protocol::icmp, {icmp_receive, ping_error});
  register_protocol(ip_protocol::icmpv6, {icmp_receive, ping_error});
  register_protocol(ip_protocol::igmp, {igmp_receive, nullptr});
}

}  // namespace runsc::net
