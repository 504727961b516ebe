// IPv6 extension headers (RFC 8200, section 4).
#include "net/inet/stack.h"
#include "net/inet/wire.h"

namespace runsc::net {

namespace {
constexpr uint8_t kUnknownNext = 1, kUnknownOption = 2, kBadField = 0;
constexpr unsigned kHeadersMax = 8;
}  // namespace

// RFC 8200, 4.2: the two high bits of an unknown option say what becomes of the packet.
bool Stack::options_ok(Packet& packet, uint32_t at, uint32_t size) {
  std::span<std::byte> bytes = packet.header(at + size);
  if (bytes.empty()) return false;
  constexpr uint8_t kPad1 = 0, kPadN = 1, kRouterAlert = 5;
  for (uint32_t i = at + 2; i < at + size;) {
    const auto kind = static_cast<uint8_t>(bytes[i]);
    if (kind == kPad1) {
      ++i;
      continue;
    }
    if (i + 1 >= at + size) return false;
    const uint32_t length = static_cast<uint8_t>(bytes[i + 1]);
    if (i + 2 + length > at + size) return false;
    if (kind != kPadN && kind != kRouterAlert) {
      const unsigned action = kind >> 6;
      if (action == 2 || (action == 3 && !packet.info.destination.is_multicast()))
        send_icmp_error(packet, icmp6_type::parameter, kUnknownOption, i);
      if (action != 0) return false;
    }
    i += 2 + length;
  }
  return true;
}

bool Stack::fragment6(PacketPtr& packet, Chain& chain) {
  std::span<std::byte> bytes = packet->header(chain.at + sizeof(Ipv6Fragment));
  if (bytes.empty()) return false;
  const Ipv6Fragment fragment = header_at<Ipv6Fragment>(bytes.data() + chain.at);
  const uint32_t offset = fragment.offset_more & Ipv6Fragment::kOffsetMask;
  const bool more = fragment.offset_more & Ipv6Fragment::kMore;
  const uint32_t header = chain.at + sizeof(Ipv6Fragment);
  const size_t part = packet->size() - header;
  if (offset == 0 && !more) {  // an atomic fragment (RFC 6946): all of it
    chain = {header, fragment.next, chain.at};
    return true;
  }
  if (more && part % 8 != 0) {
    constexpr uint32_t kLengthAt = 4;
    send_icmp_error(*packet, icmp6_type::parameter, kBadField, kLengthAt);
    return false;
  }
  const FragmentKey key{packet->info.source, packet->info.destination, fragment.id, packet->info.interface,
                        0};
  FragmentPlace place{offset, header, more};
  if (!reassemble(packet, key, place)) return false;
  bytes = packet->header(place.header);
  if (bytes.empty() || packet->size() - sizeof(Ipv6Header) > 0xffff) return false;
  // The first fragment's header stays where it was and is skipped; what follows is by it.
  const auto at = static_cast<uint32_t>(place.header - sizeof(Ipv6Fragment));
  chain = {place.header, header_at<Ipv6Fragment>(bytes.data() + at).next, at};
  header_at<Ipv6Header>(bytes.data()).length = static_cast<uint16_t>(packet->size() - sizeof(Ipv6Header));
  return true;
}

// To the first header that is no extension. False: the packet is gone, or to be dropped.
bool Stack::walk_extensions(PacketPtr& packet, Chain& chain) {
  for (unsigned count = 0;; ++count) {
    switch (chain.protocol) {
      case ip_protocol::ip:  // hop by hop: at the very beginning only
        if (count != 0) {
          send_icmp_error(*packet, icmp6_type::parameter, kUnknownNext, chain.next_at);
          return false;
        }
        break;
      case ip_protocol::destination:
      case ip_protocol::routing:
        break;
      case ip_protocol::fragment:
        if (count >= kHeadersMax || !fragment6(packet, chain)) return false;
        continue;
      default:
        return true;
    }
    if (count >= kHeadersMax) return false;
    std::span<std::byte> bytes = packet->header(chain.at + sizeof(uint64_t));
    if (bytes.empty()) return false;
    const auto extension = header_at<Ipv6Extension>(bytes.data() + chain.at);
    const uint32_t size = (extension.size + 1u) * 8;
    bytes = packet->header(chain.at + size);
    if (bytes.empty()) return false;
    if (chain.protocol == ip_protocol::routing) {
      // RFC 5095: no type of them is served; one that has been used up is passed over.
      constexpr uint32_t kTypeAt = 2, kLeftAt = 3;
      if (static_cast<uint8_t>(bytes[chain.at + kLeftAt]) != 0) {
        send_icmp_error(*packet, icmp6_type::parameter, kBadField, chain.at + kTypeAt);
        return false;
      }
    } else if (!options_ok(*packet, chain.at, size)) {
      return false;
    }
    chain = {chain.at + size, extension.next, chain.at};
  }
}

}  // namespace runsc::net
