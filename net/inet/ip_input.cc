// Packets on their way up: header checks (RFC 1122 3.2.1, RFC 8200), whether they are for us, fragments, and
// to whom of the transports they go. Nothing in them is believed before it has been checked.
#include "net/inet/arp.h"
#include "net/inet/icmp.h"
#include "net/inet/neighbours.h"
#include "net/inet/raw_table.h"
#include "net/inet/stack.h"
#include "net/inet/wire.h"

namespace runsc::net {

namespace {

// Written at boot, before there are tasks.
constinit Protocol g_protocols[256] = {};

// RFC 791, 3.1: options end before the header does. Source routes are refused (RFC 7126).
bool options4_ok(std::span<const std::byte> options) {
  constexpr uint8_t kEnd = 0, kNop = 1, kLooseRoute = 131, kStrictRoute = 137;
  for (size_t i = 0; i < options.size();) {
    const auto kind = static_cast<uint8_t>(options[i]);
    if (kind == kEnd) return true;
    if (kind == kNop) {
      ++i;
      continue;
    }
    if (i + 1 >= options.size()) return false;
    const auto size = static_cast<uint8_t>(options[i + 1]);
    if (size < 2 || i + size > options.size()) return false;
    if (kind == kLooseRoute || kind == kStrictRoute) return false;
    i += size;
  }
  return true;
}

}  // namespace

void register_protocol(uint8_t number, const Protocol& protocol) { g_protocols[number] = protocol; }
const Protocol& protocol_of(uint8_t number) { return g_protocols[number]; }

void Stack::deliver(PacketPtr packet) {
  if (!packet->info.looped) taps_->see(*packet, false);
  if (packet->info.to == PacketFor::other_host) return;
  switch (packet->info.ether) {
    case ether_type::ipv4:
      return input4(std::move(packet));
    case ether_type::ipv6:
      return input6(std::move(packet));
    case ether_type::arp:
      return input_arp(*packet);
    default:
      return;
  }
}

void Stack::input_arp(Packet& packet) {
  Ref<Interface> from = config.interface(packet.info.interface);
  if (from && from->neighbours()) arp_receive(*this, from->neighbours()->link(), packet);
}

// Whether somebody can have sent it from there (RFC 1122, 3.2.1.3; RFC 1812, 5.3.7). What came by lo is ours,
// unless an application made all of it.
bool Stack::source_possible(const Packet& packet, bool group) const {
  const PacketInfo& info = packet.info;
  const IpAddress& source = info.source;
  const bool v6 = !source.is_v4();
  if (source.is_multicast() || source.is_broadcast()) return false;
  if (info.looped || (info.interface == config.loopback()->index() && (v6 || !info.by_hand))) return true;
  if (source.is_loopback() || info.destination.is_loopback()) return false;
  if (v6) return source.is_any() || !config.is_local(source, source.is_link_local() ? info.interface : 0);
  // Who has no address yet asks all, or the groups of the link.
  constexpr IpAddress kLinkGroups = IpAddress::v4(0xe0000000);
  if (source.v4() >> 24 == 0)
    return info.destination.is_broadcast() || (group && info.destination.matches(kLinkGroups, 24));
  if (config.is_broadcast(source)) return false;
  Ref<Interface> from = config.interface(info.interface);
  if (!from) return false;
  if (config.is_local(source)) return from->with_all(&InterfaceSettings::accept_local);
  return comes_the_right_way(*from, source);
}

// rp_filter (RFC 3704): 1: we would send to it by the same interface; 2: by any.
bool Stack::comes_the_right_way(const Interface& from, const IpAddress& source) const {
  const uint32_t strict = from.with_all(&InterfaceSettings::rp_filter);
  if (strict == 0) return true;
  Result<Route> back = config.route({.destination = source, .source = kAnyV4});
  return back && back->type == RouteType::unicast && (strict != 1 || back->interface.get() == &from);
}

// The addresses are ones that a packet may have, and it is for us.
bool Stack::accepts(const Packet& packet, bool group) {
  const PacketInfo& info = packet.info;
  const bool v6 = !info.source.is_v4();
  if (!source_possible(packet, group)) return false;
  if (group) return config.is_member(info.interface, info.destination);
  if (v6 && info.destination.is_link_local()) return config.is_local(info.destination, info.interface);
  return config.is_local(info.destination);
}

void Stack::input4(PacketPtr packet) {
  counters.add(Mib::ip_in_receives, false);
  auto bad = [&](Mib what) { counters.add(what, false); };
  std::span<std::byte> bytes = packet->header(sizeof(Ipv4Header));
  if (bytes.empty()) return bad(Mib::ip_in_header_errors);
  const uint32_t size = header_at<Ipv4Header>(bytes.data()).size();
  if (size < sizeof(Ipv4Header)) return bad(Mib::ip_in_header_errors);
  bytes = packet->header(size);
  if (bytes.empty()) return bad(Mib::ip_in_header_errors);
  const auto& ip = header_at<Ipv4Header>(bytes.data());
  const uint32_t total = ip.length;
  if (ip.version_size >> 4 != 4 || total < size || total > packet->size())
    return bad(Mib::ip_in_header_errors);
  if (checksum_of(bytes) != 0) return bad(Mib::ip_in_header_errors);
  packet->trim(total);
  PacketInfo& info = packet->info;
  info.network_at = packet->here();
  info.source = IpAddress::from_v4(ip.source);
  info.destination = IpAddress::from_v4(ip.destination);
  info.protocol = ip.protocol;
  info.ttl = ip.ttl;
  info.tos = ip.tos;
  info.flow_label = 0;
  if (!options4_ok(bytes.subspan(sizeof(Ipv4Header)))) return bad(Mib::ip_in_header_errors);
  const bool group = info.destination.is_multicast();
  const bool broadcast = !group && config.is_broadcast(info.destination, info.interface);
  if (broadcast)
    info.to = PacketFor::broadcast;
  else if (group)
    info.to = PacketFor::multicast;
  if (broadcast ? !source_possible(*packet, false) : !accepts(*packet, group))
    return bad(Mib::ip_in_address_errors);
  if (ip.is_fragment()) {
    const FragmentKey key{info.source, info.destination, ip.id, info.interface, info.protocol};
    FragmentPlace place{ip.offset(), size, (ip.fragment & Ipv4Header::kMoreFragments) != 0};
    if (!reassemble(packet, key, place)) return;
    const std::span<std::byte> front = packet->header(place.header);
    if (front.empty() || packet->size() > 0xffff) return bad(Mib::ip_in_header_errors);
    auto& whole = header_at<Ipv4Header>(front.data());
    whole.length = static_cast<uint16_t>(packet->size());
    whole.fragment = 0;
    whole.checksum.set_raw(0);
    whole.checksum.set_raw(checksum_of(front));
  }
  local4(std::move(packet));
}

// True: `packet` is the whole datagram, behind `place.header` bytes of the first fragment's headers.
bool Stack::reassemble(PacketPtr& packet, const FragmentKey& key, FragmentPlace& place) {
  const bool v6 = !key.source.is_v4();
  counters.add(Mib::ip_reasm_required, v6);
  if (packet->info.checksum == ChecksumState::partial) complete_checksum(*packet);
  Reassembly::Outcome outcome = fragments.add(key, place, std::move(packet), monotonic_ns());
  switch (outcome.verdict) {
    case Reassembly::Verdict::waits:
      if (!expire_later_.armed()) expire_later_.arm(fragments.next_deadline());
      return false;
    case Reassembly::Verdict::dropped:
      counters.add(Mib::ip_reasm_fails, v6);
      return false;
    case Reassembly::Verdict::complete:
      break;
  }
  counters.add(Mib::ip_reasm_ok, v6);
  packet = std::move(outcome.packet);
  place.header = outcome.header;
  packet->info.network_at = packet->here();
  return true;
}

void Stack::expire_fragments() {
  PacketQueue told;
  uint32_t count = 0;
  fragments.expire(monotonic_ns(), told, count);
  while (PacketPtr packet = told.pop_front()) {
    const bool v6 = !packet->info.source.is_v4();
    counters.add(Mib::ip_reasm_timeout, v6);
    constexpr uint8_t kReassemblyTime = 1;
    send_icmp_error(*packet, v6 ? icmp6_type::time_exceeded : icmp_type::time_exceeded, kReassemblyTime, 0);
  }
  const uint64_t next = fragments.next_deadline();
  if (next != ~uint64_t{0}) expire_later_.arm(next);
  drain();
}

void Stack::local4(PacketPtr packet) {
  const auto& ip = header_at<Ipv4Header>(packet->data());
  const uint8_t protocol = ip.protocol;
  const uint32_t size = ip.size();
  packet->info.transport_at = packet->here() + size;
  const bool wanted = raw_->deliver(*this, *packet, protocol);
  (void)packet->pull(size);
  if (g_protocols[protocol].receive || wanted) return to_protocol(std::move(packet), protocol);
  counters.add(Mib::ip_in_unknown_protocols, false);
  constexpr uint8_t kNoProtocol = 2;
  send_icmp_error(*packet, icmp_type::unreachable, kNoProtocol, 0);
}

void Stack::to_protocol(PacketPtr packet, uint8_t protocol) {
  counters.add(Mib::ip_in_delivers, !packet->info.source.is_v4());
  packet->info.transport_at = packet->here();
  if (auto receive = g_protocols[protocol].receive) receive(*this, std::move(packet));
}

void Stack::input6(PacketPtr packet) {
  counters.add(Mib::ip_in_receives, true);
  auto bad = [&](Mib what) { counters.add(what, true); };
  std::span<std::byte> bytes = packet->header(sizeof(Ipv6Header));
  if (bytes.empty()) return bad(Mib::ip_in_header_errors);
  const auto& ip = header_at<Ipv6Header>(bytes.data());
  const uint32_t payload = ip.length;
  if (ip.version_class_flow >> 28 != 6 || payload + sizeof(Ipv6Header) > packet->size())
    return bad(Mib::ip_in_header_errors);
  packet->trim(payload + sizeof(Ipv6Header));
  PacketInfo& info = packet->info;
  info.network_at = packet->here();
  info.source = IpAddress::from_v6(ip.source);
  info.destination = IpAddress::from_v6(ip.destination);
  info.flow_label = ip.version_class_flow & 0xfffffff;
  info.tos = static_cast<uint8_t>(ip.version_class_flow >> 20);
  info.ttl = ip.hop_limit;
  info.protocol = ip.next;
  // RFC 4291, 2.5.5.2: mapped addresses are no business of the wire.
  if (info.source.is_v4() || info.destination.is_v4() || info.destination.is_any())
    return bad(Mib::ip_in_address_errors);
  const bool group = info.destination.is_multicast();
  if (group) info.to = PacketFor::multicast;
  if (Ref<Interface> from = config.interface(info.interface);
      !from || from->settings.disable_ipv6.load(std::memory_order_relaxed))
    return bad(Mib::ip_in_discards);
  // RFC 4291, 2.7: what belongs to one machine does not come from another.
  constexpr uint8_t kReserved = 0, kInterfaceLocal = 1;
  const auto wide = static_cast<uint8_t>(info.destination.high >> 48 & 0xf);
  if (group && (wide == kReserved ||
                (wide == kInterfaceLocal && !info.looped && info.interface != config.loopback()->index())))
    return bad(Mib::ip_in_header_errors);
  if (!accepts(*packet, group)) return bad(Mib::ip_in_address_errors);
  local6(std::move(packet));
}

void Stack::local6(PacketPtr packet) {
  Chain chain{sizeof(Ipv6Header), packet->info.protocol, offsetof(Ipv6Header, next)};
  if (!walk_extensions(packet, chain)) return;
  if (chain.protocol == ip_protocol::none) return;
  packet->info.protocol = chain.protocol;
  (void)packet->pull(chain.at);
  packet->info.transport_at = packet->here();
  const bool wanted = raw_->deliver(*this, *packet, chain.protocol);
  if (g_protocols[chain.protocol].receive || wanted) return to_protocol(std::move(packet), chain.protocol);
  counters.add(Mib::ip_in_unknown_protocols, true);
  constexpr uint8_t kUnknownNext = 1;
  send_icmp_error(*packet, icmp6_type::parameter, kUnknownNext, chain.next_at);
}

}  // namespace runsc::net
