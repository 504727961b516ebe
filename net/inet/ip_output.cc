// Packets on their way down: IP headers, fragments, checksums.
#include <algorithm>

#include "net/inet/stack.h"
#include "net/inet/wire.h"

namespace runsc::net {

namespace {
constexpr uint32_t kMaxPacket = 65535, kFragmentUnit = 8;
constexpr uint8_t kUdp = ip_protocol::udp;

// Bytes [offset, offset + size) of a packet as one of its own; what is not in pages already gets none.
PacketPtr part_of(const Packet& packet, size_t offset, uint32_t size) {
  const size_t linear = packet.linear_size() > offset ? packet.linear_size() - offset : 0;
  PacketPtr part = Packet::create(static_cast<uint32_t>(std::min<size_t>(linear, size)));
  if (!part || !part->append(packet, offset, size)) return {};
  return part;
}
}  // namespace

// Nobody learns from the numbers that he sees what is sent to others.
uint16_t Stack::next_id(const Route& route, uint8_t protocol) {
  const uint64_t hash = keyed_hash({route.source.low, route.destination.low, protocol}, secret_);
  const uint32_t count = next_ids_[hash % kIdCounters].fetch_add(1, std::memory_order_relaxed);
  return static_cast<uint16_t>(count + (hash >> 32));
}

void Stack::set_transport_checksum(Packet& packet, const Route& route, uint8_t protocol, uint16_t field) {
  ChecksumSum sum;
  sum.add_pseudo_header(route.source, route.destination, protocol, static_cast<uint32_t>(packet.size()));
  Sum16& at = header_at<Sum16>(packet.data() + field);
  packet.info.transport_at = packet.here();
  packet.info.checksum_offset = field;
  if (route.interface->completes_checksums() && (packet.size() <= route.mtu || packet.info.segment_size)) {
    at.set_raw(sum.folded());
    packet.info.checksum = ChecksumState::partial;
    return;
  }
  at.set_raw(0);
  packet.add_to(sum, 0, packet.size());
  uint16_t value = sum.checksum();
  if (value == 0 && protocol == kUdp) value = 0xffff;
  at.set_raw(value);
  packet.info.checksum = ChecksumState::verified;
}

void Stack::complete_checksum(Packet& packet) {
  if (packet.info.checksum != ChecksumState::partial) return;
  packet.info.checksum = ChecksumState::verified;
  const uint32_t from = packet.info.transport_at - packet.here();
  ChecksumSum sum;
  packet.add_to(sum, from, packet.size() - from);
  uint16_t value = sum.checksum();
  if (value == 0 && packet.info.protocol == kUdp) value = 0xffff;
  header_at<Sum16>(packet.at(packet.info.transport_at + packet.info.checksum_offset)).set_raw(value);
}

// What goes to a group that we are in, or to all, is for us too (RFC 1112, 6.1; RFC 1122, 3.3.6).
void Stack::loop_back(const Route& route, const Packet& packet, bool loop) {
  const bool group = route.type == RouteType::multicast;
  if (group && (!loop || !config.is_member(route.interface->index(), route.destination))) return;
  PacketPtr copy = packet.clone();
  if (!copy) return;
  copy->info.looped = true;
  copy->info.link_header = 0;
  copy->info.to = group ? PacketFor::multicast : PacketFor::broadcast;
  receive(*route.interface, std::move(copy));
}

void Stack::emit(const Route& route, PacketPtr packet, uint16_t ether, const IpSendOptions& options) {
  packet->info.ether = ether;
  packet->info.interface = route.interface->index();
  if (route.type != RouteType::unicast && !route.interface->is_loopback()) {
    if (route.type == RouteType::multicast || route.type == RouteType::broadcast)
      loop_back(route, *packet, options.multicast_loop);
    constexpr uint8_t kInterfaceLocal = 1;
    const auto wide = static_cast<uint8_t>(route.destination.high >> 48 & 0xf);
    const bool here =
        route.type == RouteType::multicast && !route.destination.is_v4() && wide <= kInterfaceLocal;
    if (options.stays || here) return;
  }
  if (!route.interface->completes_checksums()) complete_checksum(*packet);
  route.interface->transmit(route, std::move(packet));
}

Result<void> Stack::send(const Route& route, PacketPtr packet, const IpSendOptions& options) {
  const bool v6 = !route.destination.is_v4();
  counters.add(Mib::ip_out_requests, v6);
  if (!route.interface->up()) return Errno::netdown;
  PacketInfo& info = packet->info;
  info.source = route.source;
  info.destination = route.destination;
  info.protocol = options.protocol;
  if (info.checksum != ChecksumState::partial) info.transport_at = packet->here();
  return v6 ? output6(route, std::move(packet), options) : output4(route, std::move(packet), options);
}

Result<void> Stack::output4(const Route& route, PacketPtr packet, const IpSendOptions& options) {
  const auto extra = static_cast<uint32_t>(options.ip_options.size());
  const uint32_t header = sizeof(Ipv4Header) + extra;
  const size_t total = packet->size() + header;
  if (total > kMaxPacket) return Errno::msgsize;
  // With segments, the device cuts it into what fits.
  const bool too_large = total > route.mtu && !packet->info.segment_size;
  if (too_large && options.dont_fragment) return Errno::msgsize;
  std::byte* bytes = packet->push(header);
  if (extra) __builtin_memcpy(bytes + sizeof(Ipv4Header), options.ip_options.data(), extra);
  auto& ip = header_at<Ipv4Header>(bytes);
  ip.version_size = static_cast<uint8_t>(0x40 | header / 4);
  ip.tos = options.tos;
  ip.length = static_cast<uint16_t>(total);
  ip.id = next_id(route, options.protocol);
  const bool df = options.dont_fragment || (options.prefer_df && !too_large);
  ip.fragment = df ? Ipv4Header::kDontFragment : uint16_t{0};
  ip.ttl = options.ttl ? options.ttl
           : route.type == RouteType::multicast
               ? uint8_t{1}
               : static_cast<uint8_t>(settings.default_ttl.load(std::memory_order_relaxed));
  ip.protocol = options.protocol;
  route.source.put_v4(ip.source);
  route.destination.put_v4(ip.destination);
  ip.checksum.set_raw(0);
  ip.checksum.set_raw(checksum_of({bytes, header}));
  packet->info.network_at = packet->here();
  if (too_large) return fragment4(route, *packet, route.mtu, options);
  emit(route, std::move(packet), ether_type::ipv4, options);
  return {};
}

Result<void> Stack::fragment4(const Route& route, Packet& packet, uint32_t mtu,
                              const IpSendOptions& options) {
  complete_checksum(packet);
  const auto& original = header_at<Ipv4Header>(packet.data());
  const uint32_t header = original.size();
  if (mtu < header + kFragmentUnit) return Errno::msgsize;
  const uint32_t step = (mtu - header) / kFragmentUnit * kFragmentUnit;
  const auto payload = static_cast<uint32_t>(packet.size() - header);
  for (uint32_t done = 0; done < payload; done += step) {
    const uint32_t n = std::min(step, payload - done);
    PacketPtr part = part_of(packet, header + done, n);
    if (!part) {
      counters.add(Mib::ip_frag_fails, false);
      return Errno::nobufs;
    }
    std::byte* bytes = part->push(header);
    __builtin_memcpy(bytes, packet.data(), header);
    auto& ip = header_at<Ipv4Header>(bytes);
    ip.length = static_cast<uint16_t>(header + n);
    const uint16_t more = done + n < payload ? Ipv4Header::kMoreFragments : uint16_t{0};
    ip.fragment = static_cast<uint16_t>(done / kFragmentUnit | more);
    ip.checksum.set_raw(0);
    ip.checksum.set_raw(checksum_of({bytes, header}));
    part->info = packet.info;
    part->info.network_at = part->here();
    part->info.checksum = ChecksumState::unknown;
    counters.add(Mib::ip_frag_creates, false);
    emit(route, std::move(part), ether_type::ipv4, options);
  }
  counters.add(Mib::ip_frag_ok, false);
  return {};
}

Result<void> Stack::output6(const Route& route, PacketPtr packet, const IpSendOptions& options) {
  const size_t payload = packet->size();
  const uint32_t limit = options.fragment_max ? std::min(options.fragment_max, route.mtu) : route.mtu;
  const bool too_large = payload + sizeof(Ipv6Header) > limit && !packet->info.segment_size;
  if (payload > kMaxPacket || (too_large && options.dont_fragment)) return Errno::msgsize;
  std::byte* bytes = packet->push(sizeof(Ipv6Header));
  auto& ip = header_at<Ipv6Header>(bytes);
  ip.version_class_flow = 6u << 28 | uint32_t{options.tos} << 20 | (options.flow_label & 0xfffff);
  ip.length = static_cast<uint16_t>(payload);
  ip.next = options.protocol;
  ip.hop_limit =
      options.ttl ? options.ttl
      : route.type == RouteType::multicast
          ? uint8_t{1}
          : static_cast<uint8_t>(route.interface->settings.hop_limit.load(std::memory_order_relaxed));
  route.source.put_v6(ip.source);
  route.destination.put_v6(ip.destination);
  packet->info.network_at = packet->here();
  if (too_large) return fragment6_out(route, *packet, limit, options);
  emit(route, std::move(packet), ether_type::ipv6, options);
  return {};
}

// RFC 8200, 4.5.
Result<void> Stack::fragment6_out(const Route& route, Packet& packet, uint32_t mtu,
                                  const IpSendOptions& options) {
  const uint8_t protocol = options.protocol;
  complete_checksum(packet);
  constexpr uint32_t kHeaders = sizeof(Ipv6Header) + sizeof(Ipv6Fragment);
  if (mtu < kHeaders + kFragmentUnit) return Errno::msgsize;
  const uint32_t step = (mtu - kHeaders) / kFragmentUnit * kFragmentUnit;
  const auto payload = static_cast<uint32_t>(packet.size() - sizeof(Ipv6Header));
  const uint32_t id = random_u32();
  for (uint32_t done = 0; done < payload; done += step) {
    const uint32_t n = std::min(step, payload - done);
    PacketPtr part = part_of(packet, sizeof(Ipv6Header) + done, n);
    if (!part) {
      counters.add(Mib::ip_frag_fails, true);
      return Errno::nobufs;
    }
    std::byte* bytes = part->push(kHeaders);
    __builtin_memcpy(bytes, packet.data(), sizeof(Ipv6Header));
    auto& ip = header_at<Ipv6Header>(bytes);
    ip.length = static_cast<uint16_t>(sizeof(Ipv6Fragment) + n);
    ip.next = ip_protocol::fragment;
    auto& fragment = header_at<Ipv6Fragment>(bytes + sizeof(Ipv6Header));
    fragment.next = protocol;
    fragment.reserved = 0;
    const uint16_t more = done + n < payload ? Ipv6Fragment::kMore : uint16_t{0};
    fragment.offset_more = static_cast<uint16_t>(done | more);
    fragment.id = id;
    part->info = packet.info;
    part->info.network_at = part->here();
    part->info.checksum = ChecksumState::unknown;
    counters.add(Mib::ip_frag_creates, true);
    emit(route, std::move(part), ether_type::ipv6, options);
  }
  counters.add(Mib::ip_frag_ok, true);
  return {};
}

Result<void> Stack::send_whole(const Route& route, PacketPtr packet) {
  const bool v6 = !route.destination.is_v4();
  counters.add(Mib::ip_out_requests, v6);
  if (!route.interface->up()) return Errno::netdown;
  if (packet->size() > route.mtu) return Errno::msgsize;
  packet->info.network_at = packet->info.transport_at = packet->here();
  emit(route, std::move(packet), v6 ? ether_type::ipv6 : ether_type::ipv4, {});
  return {};
}

}  // namespace runsc::net
