#include "net/inet/arp.h"

#include "net/inet/ethernet.h"
#include "net/inet/stack.h"
#include "net/inet/wire.h"

namespace runsc::net {

namespace {

struct ArpPacket {
  Be16 hardware, protocol;
  uint8_t hardware_size, protocol_size;
  Be16 operation;
  MacAddress sender_mac;
  uint8_t sender[4];
  MacAddress target_mac;
  uint8_t target[4];
};
static_assert(sizeof(ArpPacket) == 28 && alignof(ArpPacket) == 1);
constexpr uint16_t kEthernet = 1, kIeee802 = 6, kRequest = 1, kReply = 2;
constexpr auto kRelaxed = std::memory_order_relaxed;

void send_arp(Ethernet& link, const MacAddress& to, uint16_t operation, const IpAddress& sender,
              const MacAddress& target_mac, const IpAddress& target) {
  PacketPtr packet = Packet::create(sizeof(ArpPacket));
  if (!packet) return;
  auto& arp = header_at<ArpPacket>(packet->put(sizeof(ArpPacket)));
  arp.hardware = kEthernet;
  arp.protocol = ether_type::ipv4;
  arp.hardware_size = sizeof(MacAddress);
  arp.protocol_size = sizeof arp.sender;
  arp.operation = operation;
  arp.sender_mac = link.mac();
  sender.put_v4(arp.sender);
  arp.target_mac = target_mac;
  target.put_v4(arp.target);
  packet->info.network_at = packet->info.transport_at = packet->here();
  link.send_to(to, std::move(packet), ether_type::arp);
}

// arp_ignore: of whom we say nothing though the address is ours.
bool keeps_silent(Stack& stack, Ethernet& link, const IpAddress& sender, const IpAddress& target) {
  switch (link.with_all(&InterfaceSettings::arp_ignore)) {
    case 0:
      return false;
    case 1:
      return !stack.config.is_local(target, link.index());
    case 2:
      return !stack.config.is_local(target, link.index()) || !stack.config.on_link(link, sender, target);
    case 3: {
      InterfaceAddress found;
      return !stack.config.find_address(target, 0, found) || found.scope >= scope::link;
    }
    case 8:
      return true;
    default:
      return false;
  }
}

bool could_send(Stack& stack, const IpAddress& sender) {
  return !sender.is_multicast() && !sender.is_broadcast() && !sender.is_loopback() &&
         sender.v4() >> 24 != 0 && !stack.config.is_local(sender) && !stack.config.is_broadcast(sender);
}

}  // namespace

void send_arp_request(Ethernet& link, const IpAddress& target, const MacAddress* station,
                      const IpAddress& source) {
  const IpAddress from = link.arp_source(target, source);
  if (from.is_any()) return;
  send_arp(link, station ? *station : kBroadcastMac, kRequest, from, station ? *station : MacAddress{},
           target);
}

void announce_arp(Ethernet& link, const IpAddress& address) {
  send_arp(link, kBroadcastMac, kRequest, address, MacAddress{}, address);
}

void arp_receive(Stack& stack, Ethernet& link, Packet& packet) {
  if (link.flags() & interface_flag::noarp) return;
  if (packet.info.to == PacketFor::other_host) return;
  std::span<std::byte> bytes = packet.header(sizeof(ArpPacket));
  if (bytes.empty()) return;
  const auto arp = header_at<ArpPacket>(bytes.data());
  if (arp.hardware != kEthernet && arp.hardware != kIeee802) return;
  if (arp.protocol != ether_type::ipv4 || arp.hardware_size != sizeof(MacAddress) || arp.protocol_size != 4)
    return;
  const uint16_t operation = arp.operation;
  if (operation != kRequest && operation != kReply) return;
  const IpAddress sender = IpAddress::from_v4(arp.sender), target = IpAddress::from_v4(arp.target);
  if (target.is_multicast() || target.is_loopback() || !arp.sender_mac.is_station()) return;
  const bool asks = operation == kRequest;
  const bool ours = !target.is_any() && stack.config.is_local(target);
  if (sender.is_any()) {  // RFC 5227, 2.1.1: somebody wants to know whether the address is free
    if (asks && ours && !keeps_silent(stack, link, sender, target))
      send_arp(link, arp.sender_mac, kReply, target, arp.sender_mac, sender);
    return;
  }
  if (!could_send(stack, sender)) return;
  Neighbours::Heard heard;
  if (asks && ours) {
    if (keeps_silent(stack, link, sender, target)) return;
    heard.create = heard.override_mac = true;
    link.neighbours()->heard(sender, &arp.sender_mac, heard);
    send_arp(link, arp.sender_mac, kReply, target, arp.sender_mac, sender);
    return;
  }
  // Nobody is believed whom we did not want to hear of: only entries that there are change, and a reply to us
  // alone says that the station can be reached.
  const bool gratuitous = sender == target;
  heard.create = gratuitous && link.with_all(&InterfaceSettings::arp_accept) == 1;
  heard.reachable = !asks && packet.info.to == PacketFor::host;
  heard.override_mac = gratuitous;
  heard.after_locktime = true;
  link.neighbours()->heard(sender, &arp.sender_mac, heard);
}

}  // namespace runsc::net
