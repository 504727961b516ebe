#include "net/inet/ethernet.h"

#include <algorithm>

#include "net/inet/arp.h"
#include "net/inet/ndp.h"
#include "net/inet/raw_table.h"
#include "net/inet/stack.h"
#include "net/inet/wire.h"

namespace runsc::net {

namespace {

struct Header {
  MacAddress to, from;
  Be16 type;
};
static_assert(sizeof(Header) == Ethernet::kHeader && alignof(Header) == 1);
struct VlanTag {  // IEEE 802.1Q, behind the addresses
  Be16 type, control;
};

constexpr uint16_t kLeastType = 0x600, k802_3 = 1, k802_2 = 4;
constexpr uint16_t kVlanIdMask = 0xfff;

// What keeps the order of a flow, before anybody has looked whether any of it is right (Stack::receive()).
void guess_flow(Packet& packet) {
  PacketInfo& info = packet.info;
  info.source = info.destination = {};
  info.protocol = 0;
  const std::span<const std::byte> bytes = packet.linear();
  if (info.ether == ether_type::ipv4 && bytes.size() >= sizeof(Ipv4Header)) {
    const auto& ip = header_at<Ipv4Header>(bytes.data());
    info.source = IpAddress::from_v4(ip.source);
    info.destination = IpAddress::from_v4(ip.destination);
    info.protocol = ip.protocol;
    // Fragments go where their first one goes: by addresses alone.
    const bool ports = ip.protocol == ip_protocol::tcp || ip.protocol == ip_protocol::udp;
    if (info.checksum != ChecksumState::partial)
      info.transport_at = ports && !ip.is_fragment() ? packet.here() + ip.size() : 0;
  } else if (info.ether == ether_type::ipv6 && bytes.size() >= sizeof(Ipv6Header)) {
    const auto& ip = header_at<Ipv6Header>(bytes.data());
    info.source = IpAddress::from_v6(ip.source);
    info.destination = IpAddress::from_v6(ip.destination);
    info.protocol = ip.next;
    const bool ports = ip.next == ip_protocol::tcp || ip.next == ip_protocol::udp;
    if (info.checksum != ChecksumState::partial)
      info.transport_at = ports ? packet.here() + static_cast<uint32_t>(sizeof(Ipv6Header)) : 0;
  }
}

// The driver says where the sum goes: that must be in the packet.
bool partial_ok(Packet& packet) {
  const PacketInfo& info = packet.info;
  if (info.transport_at < packet.here()) return false;
  const uint64_t end = uint64_t{info.transport_at} - packet.here() + info.checksum_offset + sizeof(Sum16);
  return !packet.header(end).empty();
}

bool is_vlan(uint16_t ether) { return ether == ether_type::vlan || ether == ether_type::service_vlan; }

}  // namespace

Result<Ref<Ethernet>> Ethernet::make(Stack& stack, std::string_view name, const MacAddress& mac, uint32_t mtu,
                                     Wire& wire) {
  if (!mac.is_station()) return Errno::inval;
  Ref<Ethernet> link = make_ref<Ethernet>(stack, name, mac, mtu, wire);
  if (!link) return Errno::nomem;
  return link;
}

Ethernet::Ethernet(Stack& stack, std::string_view name, const MacAddress& mac, uint32_t mtu, Wire& wire)
    : Interface(stack, name, interface_flag::broadcast | interface_flag::multicast, mtu),
      mac_(mac),
      wire_(wire),
      neighbours_(stack, *this),
      autoconf_(stack, *this),
      reports_(stack, *this) {
  hardware_size_ = sizeof mac_.b;
  __builtin_memcpy(hardware_, mac_.b, sizeof mac_.b);
}

Ethernet::~Ethernet() = default;

// ---- what NetConfig says ----

void Ethernet::attached() {
  constexpr IpAddress kAllHosts = IpAddress::v4(0xe0000001), kAllNodesHere{0xff01000000000000, 1};
  for (const IpAddress& group : {kAllHosts, kAllNodes, kAllNodesHere})
    (void)stack().config.join(index(), group);
}

void Ethernet::came_up() {
  reports_.came_up();
  autoconf_.came_up();
  if (!with_all(&InterfaceSettings::arp_notify)) return;
  Vec<InterfaceAddress> all;
  if (!stack().config.list_addresses(*this, all)) return;
  for (const InterfaceAddress& a : all)
    if (a.address.is_v4()) announce_arp(*this, a.address);
}

void Ethernet::went_down() {
  neighbours_.flush(true);
  autoconf_.went_down();
  reports_.went_down();
}

void Ethernet::ipv6_switched(bool on) {
  if (on)
    autoconf_.came_up();
  else
    autoconf_.went_down();
}

void Ethernet::address_added(const InterfaceAddress& a) {
  if (a.valid_ns || a.preferred_ns) autoconf_.watch_times();
  if (a.address.is_v4()) {
    if (up() && with_all(&InterfaceSettings::arp_notify)) announce_arp(*this, a.address);
    return;
  }
  (void)stack().config.join(index(), solicited_node(a.address));
  if (a.tentative() && up()) autoconf_.begin_dad(a.address);
}

void Ethernet::address_removed(const InterfaceAddress& a) {
  if (a.address.is_v4()) return;
  autoconf_.forget(a.address);
  stack().config.leave(index(), solicited_node(a.address));
}

void Ethernet::group_joined(const IpAddress& group) { reports_.joined(group); }
void Ethernet::group_left(const IpAddress& group) { reports_.left(group); }

void Ethernet::stop() {
  neighbours_.stop();
  autoconf_.stop();
  reports_.stop();
}

IpAddress Ethernet::link_local() const { return stack().config.link_local(*this); }

// arp_announce: whether any of our addresses may be named, or one that the target knows.
IpAddress Ethernet::arp_source(const IpAddress& target, const IpAddress& wish) const {
  const NetConfig& config = stack().config;
  const uint32_t announce = with_all(&InterfaceSettings::arp_announce);
  const bool wished = wish.is_v4() && !wish.is_any() && config.is_local(wish);
  if (wished && (announce == 0 || (announce == 1 && config.on_link(*this, wish, target)))) return wish;
  return config.source_on(*this, target);
}

IpAddress Ethernet::solicit_source(const IpAddress& target, const IpAddress& wish) const {
  const NetConfig& config = stack().config;
  if (!wish.is_v4() && !wish.is_any() && config.is_local(wish, index())) return wish;
  return config.source_on(*this, target);
}

void Ethernet::flags_changed() { wire_.set_receive_filter(promiscuous()); }

// ---- up ----

PacketFor Ethernet::whom(const MacAddress& to) const {
  if (to.is_broadcast()) return PacketFor::broadcast;
  if (to.is_group()) return PacketFor::multicast;
  return to == mac_ ? PacketFor::host : PacketFor::other_host;
}

void Ethernet::receive_frame(PacketPtr frame) {
  if (!up()) return;
  std::span<std::byte> bytes = frame->header(kHeader);
  if (bytes.empty()) {
    received.errors.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  PacketInfo& info = frame->info;
  info.to = whom(header_at<Header>(bytes.data()).to);
  // Nobody listens to what others are told, unless asked to.
  if (info.to == PacketFor::other_host && !promiscuous()) return;
  if (info.to == PacketFor::multicast) multicast_received.fetch_add(1, std::memory_order_relaxed);
  uint16_t type = header_at<Header>(bytes.data()).type;
  info.vlan_type = info.vlan_control = 0;
  if (is_vlan(type) && !(bytes = frame->header(kHeader + sizeof(VlanTag))).empty()) {
    // The tag goes out of the header, as it does in Linux. What is of a VLAN is for nobody here but taps; a
    // tag that only says a priority changes nothing.
    const auto tag = header_at<VlanTag>(bytes.data() + offsetof(Header, type));
    info.vlan_type = tag.type;
    info.vlan_control = tag.control;
    __builtin_memmove(bytes.data() + sizeof tag, bytes.data(), offsetof(Header, type));
    (void)frame->pull(sizeof tag);
    type = header_at<Header>(frame->data()).type;
    if ((info.vlan_control & kVlanIdMask) || is_vlan(type)) info.to = PacketFor::other_host;
  }
  info.ether = type >= kLeastType ? type : k802_2;
  if (info.ether == k802_2 && frame->size() >= kHeader + 2) {
    uint16_t first;
    frame->read(kHeader, std::as_writable_bytes(std::span(&first, 1)));
    if (first == 0xffff) info.ether = k802_3;
  }
  (void)frame->pull(kHeader);
  info.link_header = kHeader;
  info.interface = index();
  info.by_hand = false;
  info.looped = false;
  info.network_at = frame->here();
  if (info.checksum == ChecksumState::partial && !partial_ok(*frame)) {
    received.errors.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  if (info.checksum != ChecksumState::partial) info.transport_at = frame->here();
  guess_flow(*frame);
  stack().receive(*this, std::move(frame));
}

// ---- down ----

void Ethernet::emit(PacketPtr frame, uint16_t ether) {
  PacketInfo& info = frame->info;
  info.interface = index();
  info.ether = ether;
  info.link_header = kHeader;
  if (!wire_.checksum_offload()) Stack::complete_checksum(*frame);
  if (!stack().taps().sockets.empty()) {
    (void)frame->pull(kHeader);
    stack().taps().see(*frame, true);
    (void)frame->push(kHeader);
  }
  const size_t size = frame->size();
  if (!wire_.send(std::move(frame))) {
    sent.dropped.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  sent.packets.fetch_add(1, std::memory_order_relaxed);
  sent.bytes.fetch_add(size, std::memory_order_relaxed);
}

void Ethernet::send_to(const MacAddress& to, PacketPtr packet, uint16_t ether) {
  if (!up() || packet->headroom() < kHeader) {
    sent.dropped.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  auto& header = header_at<Header>(packet->push(kHeader));
  header.to = to;
  header.from = mac_;
  header.type = ether;
  emit(std::move(packet), ether);
}

void Ethernet::transmit(const Route& route, PacketPtr packet) {
  const uint16_t ether = packet->info.ether;
  if (route.type == RouteType::broadcast) return send_to(kBroadcastMac, std::move(packet), ether);
  if (route.next_hop.is_multicast())
    return send_to(MacAddress::of_group(route.next_hop), std::move(packet), ether);
  neighbours_.send(route.next_hop, std::move(packet), ether);
}

Result<void> Ethernet::transmit_raw(PacketPtr packet) {
  if (!up()) return Errno::netdown;
  std::span<std::byte> bytes = packet->header(kHeader);
  if (bytes.empty()) return Errno::inval;
  packet->info.by_hand = true;
  packet->info.checksum = ChecksumState::unknown;
  packet->info.network_at = packet->info.transport_at = packet->here() + kHeader;
  emit(std::move(packet), header_at<Header>(bytes.data()).type);
  return {};
}

}  // namespace runsc::net
