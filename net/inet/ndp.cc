#include "net/inet/ndp.h"

#include <algorithm>

#include "net/inet/ethernet.h"
#include "net/inet/icmp_send.h"
#include "net/inet/stack.h"
#include "net/inet/wire.h"

namespace runsc::net {

namespace {

constexpr uint8_t kSourceMac = 1, kTargetMac = 2, kNonce = 14;
constexpr uint8_t kHopLimit = 255;
constexpr uint32_t kFromRouter = 1u << 31, kSolicited = 1u << 30, kOverride = 1u << 29;

struct TargetMessage {  // solicitation, advertisement
  IcmpHeader icmp;
  uint8_t target[16];
};
struct RedirectMessage {
  IcmpHeader icmp;
  uint8_t target[16], destination[16];
};
struct MacOption {
  uint8_t type, words;
  MacAddress mac;
};
static_assert(sizeof(TargetMessage) == 24 && sizeof(MacOption) == 8 && alignof(TargetMessage) == 1);

PacketPtr message(uint8_t type, uint32_t info, const IpAddress* target) {
  const uint32_t size = target ? sizeof(TargetMessage) : sizeof(IcmpHeader);
  PacketPtr packet = Packet::create(size + sizeof(MacOption));
  if (!packet) return {};
  std::byte* bytes = packet->put(size);
  auto& icmp = header_at<IcmpHeader>(bytes);
  icmp.type = type;
  icmp.code = 0;
  icmp.info = info;
  if (target) target->put_v6(bytes + sizeof(IcmpHeader));
  return packet;
}

void add_mac(Packet& packet, uint8_t type, const MacAddress& mac) {
  header_at<MacOption>(packet.put(sizeof(MacOption))) = {type, 1, mac};
}

void send(Ethernet& link, const IpAddress& source, const IpAddress& destination, PacketPtr packet) {
  send_link_icmp6(link, source, destination, kHopLimit, false, std::move(packet));
}

struct LinkOptions {
  const MacAddress* mac(uint8_t type) const {
    return type == kSourceMac ? has_source ? &source : nullptr : has_target ? &target : nullptr;
  }
  MacAddress source, target;
  bool has_source = false, has_target = false, has_nonce = false;
  uint64_t nonce = 0;
};

// False: they are not what they may be; the message is for nobody.
bool read_options(std::span<const std::byte> bytes, LinkOptions& out) {
  NdpOptions options(bytes);
  NdpOptions::Item item;
  while (options.next(item)) {
    if (item.type == kSourceMac || item.type == kTargetMac) {
      if (item.data.size() != sizeof(MacOption)) return false;
      const MacAddress mac = header_at<MacOption>(item.data.data()).mac;
      const bool source = item.type == kSourceMac;
      (source ? out.source : out.target) = mac;
      (source ? out.has_source : out.has_target) = true;
    } else if (item.type == kNonce && item.data.size() == sizeof(MacOption)) {
      out.has_nonce = true;
      __builtin_memcpy(&out.nonce, item.data.data() + 2, 6);
    }
  }
  return !options.wrong();
}

void solicited(Stack& stack, Ethernet& link, const Packet& packet, const IpAddress& target,
               const LinkOptions& options) {
  const PacketInfo& info = packet.info;
  const bool probes = info.source.is_any(), group = info.destination.is_multicast();
  if (probes && (info.destination != solicited_node(target) || options.has_source)) return;
  InterfaceAddress ours;
  if (!stack.config.find_address(target, link.index(), ours)) return;
  if (ours.tentative()) {
    if (probes && !(options.has_nonce && link.autoconf().own_nonce(target, options.nonce)))
      link.autoconf().somebody_has(target);
    if (!(ours.flags & address_flag::optimistic)) return;
  }
  if (ours.flags & address_flag::dad_failed) return;
  if (probes) return send_neighbour_advert(link, target, kAllNodes, false, true);
  if (options.has_source || !group) {
    Neighbours::Heard heard;
    heard.create = true;
    heard.override_mac = heard.weak_override = true;
    if (options.has_source) link.neighbours()->heard(info.source, &options.source, heard);
  }
  send_neighbour_advert(link, target, info.source, true, true);
}

void advertised(Stack& stack, Ethernet& link, const Packet& packet, const IpAddress& target, uint32_t flags,
                const LinkOptions& options) {
  if (packet.info.destination.is_multicast() && flags & kSolicited) return;
  InterfaceAddress ours;
  if (stack.config.find_address(target, link.index(), ours)) {
    if (ours.tentative()) link.autoconf().somebody_has(target);
    return;
  }
  Neighbours::Heard heard;
  heard.reachable = flags & kSolicited;
  heard.weak_override = true;
  heard.override_mac = flags & kOverride;
  heard.sets_router = true;
  heard.router = flags & kFromRouter;
  if (link.neighbours()->heard(target, options.mac(kTargetMac), heard))
    link.autoconf().no_router_any_more(target);
}

// RFC 4861, 8.1: from the router that we send to now, about somebody on the link.
void redirected(Stack& stack, Ethernet& link, Packet& packet) {
  const PacketInfo& info = packet.info;
  if (!link.settings.accept_redirects6.load(std::memory_order_relaxed)) return;
  if (!info.source.is_link_local()) return;
  const std::span<std::byte> bytes = packet.header(packet.size());
  if (bytes.size() < sizeof(RedirectMessage)) return;
  const auto& m = header_at<RedirectMessage>(bytes.data());
  const IpAddress target = IpAddress::from_v6(m.target), destination = IpAddress::from_v6(m.destination);
  if (destination.is_multicast() || destination.is_v4() || target.is_v4() || target.is_multicast()) return;
  const bool on_link = target == destination;
  if (!on_link && !target.is_link_local()) return;
  LinkOptions options;
  if (!read_options(bytes.subspan(sizeof(RedirectMessage)), options)) return;
  if (!stack.config.redirect(destination, info.source, target, link.index())) return;
  if (!options.has_target) return;
  Neighbours::Heard heard;
  heard.create = heard.override_mac = heard.weak_override = true;
  heard.sets_router = heard.router = !on_link;
  link.neighbours()->heard(target, &options.target, heard);
}

}  // namespace

bool NdpOptions::next(Item& item) {
  constexpr size_t kUnit = 8;
  if (rest_.empty() || wrong_) return false;
  const size_t size = rest_.size() < 2 ? 0 : static_cast<uint8_t>(rest_[1]) * kUnit;
  if (size == 0 || size > rest_.size()) {
    wrong_ = true;
    return false;
  }
  item.type = static_cast<uint8_t>(rest_[0]);
  item.data = rest_.first(size);
  rest_ = rest_.subspan(size);
  return true;
}

void send_neighbour_solicit(Ethernet& link, const IpAddress& target, const MacAddress* station,
                            const IpAddress& source) {
  const IpAddress from = link.solicit_source(target, source);
  if (from.is_any()) return;
  PacketPtr packet = message(icmp6_type::neighbour_solicit, 0, &target);
  if (!packet) return;
  add_mac(*packet, kSourceMac, link.mac());
  send(link, from, station ? target : solicited_node(target), std::move(packet));
}

void send_dad_probe(Ethernet& link, const IpAddress& target, uint64_t nonce) {
  PacketPtr packet = message(icmp6_type::neighbour_solicit, 0, &target);
  if (!packet) return;
  add_mac(*packet, kNonce, MacAddress::from(&nonce));
  send(link, kAnyV6, solicited_node(target), std::move(packet));
}

void send_neighbour_advert(Ethernet& link, const IpAddress& address, const IpAddress& to, bool is_answer,
                           bool override_mac) {
  const uint32_t flags = (is_answer ? kSolicited : 0) | (override_mac ? kOverride : 0);
  PacketPtr packet = message(icmp6_type::neighbour_advert, flags, &address);
  if (!packet) return;
  add_mac(*packet, kTargetMac, link.mac());
  send(link, address, to, std::move(packet));
}

void send_router_solicit(Ethernet& link) {
  const IpAddress from = link.link_local();
  PacketPtr packet = message(icmp6_type::router_solicit, 0, nullptr);
  if (!packet) return;
  if (!from.is_any()) add_mac(*packet, kSourceMac, link.mac());
  send(link, from, kAllRouters, std::move(packet));
}

void ndp_receive(Stack& stack, Packet& packet) {
  const PacketInfo& info = packet.info;
  // RFC 4861, 6.1, 7.1: whoever is not on the link cannot have sent it.
  if (info.ttl != kHopLimit) return;
  Ref<Interface> from = stack.config.interface(info.interface);
  if (!from || !from->neighbours()) return;
  Ethernet& link = from->neighbours()->link();
  std::span<std::byte> bytes = packet.header(packet.size());
  if (bytes.size() < sizeof(IcmpHeader)) return;
  const auto icmp = header_at<IcmpHeader>(bytes.data());
  if (icmp.code != 0) return;
  switch (icmp.type) {
    case icmp6_type::neighbour_solicit:
    case icmp6_type::neighbour_advert: {
      if (bytes.size() < sizeof(TargetMessage)) return;
      const IpAddress target = IpAddress::from_v6(bytes.data() + sizeof(IcmpHeader));
      if (target.is_multicast() || target.is_v4() || target.is_any()) return;
      LinkOptions options;
      if (!read_options(bytes.subspan(sizeof(TargetMessage)), options)) return;
      if (icmp.type == icmp6_type::neighbour_solicit) return solicited(stack, link, packet, target, options);
      return advertised(stack, link, packet, target, icmp.info, options);
    }
    case icmp6_type::router_advert:
      return link.autoconf().router_advert(packet);
    case icmp6_type::redirect:
      return redirected(stack, link, packet);
    default:
      return;  // only routers are solicited
  }
}

}  // namespace runsc::net
