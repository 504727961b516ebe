#include "net/inet/stack.h"

#include <algorithm>

#include "net/inet/icmp.h"
#include "net/inet/loopback.h"
#include "net/inet/raw_table.h"
#include "net/inet/wire.h"
#include "net/netlink/netlink_table.h"
#include "net/network_namespace.h"

namespace runsc::net {

Stack::Stack(NetworkNamespace& net) : net_(net), secret_(random_u64() | 1) {
  for (std::atomic<uint32_t>& id : next_ids_) id.store(random_u32(), std::memory_order_relaxed);
}

Stack::~Stack() { config.stop(); }

Result<void> Stack::init() {
  raw_ = make<RawTable>();
  taps_ = make<PacketTaps>();
  netlink_ = make<NetlinkTable>(config);
  Ref<Loopback> lo = make_ref<Loopback>(*this);
  if (!raw_ || !taps_ || !netlink_ || !lo) return Errno::nomem;
  TRY(config.add_interface(lo));
  constexpr IpAddress kAllHosts = IpAddress::v4(0xe0000001), kAllNodes{0xff02000000000000, 1},
                      kAllNodesHere{0xff01000000000000, 1};
  for (const IpAddress& group : {kAllHosts, kAllNodes, kAllNodesHere}) TRY(config.join(lo->index(), group));
  return {};
}

void Stack::receive(Interface& from, PacketPtr packet) {
  const PacketInfo& info = packet->info;
  const uint32_t size = static_cast<uint32_t>(packet->size());
  // The ports, where they can be seen, tell flows apart.
  uint32_t ports = 0;
  const uint32_t end = packet->here() + static_cast<uint32_t>(packet->linear_size());
  if (info.transport_at >= packet->here() && info.transport_at + sizeof ports <= end)
    __builtin_memcpy(&ports, packet->at(info.transport_at), sizeof ports);
  uint64_t flow = (info.source.low ^ info.source.high) * 3 + (info.destination.low ^ info.destination.high);
  flow = (flow ^ ports ^ info.protocol) * secret_;
  if (!info.looped) {
    from.received.packets.fetch_add(1, std::memory_order_relaxed);
    from.received.bytes.fetch_add(size + from.link_header(), std::memory_order_relaxed);
  }
  if (!backlog_.push(std::move(packet), flow >> 32))
    from.received.dropped.fetch_add(1, std::memory_order_relaxed);
}

void Stack::drain() {
  drain_backlog();
  ring_doorbells();
}

void Stack::drain_backlog() {
  if (backlog_.empty()) return;
  if (!net_.try_ref()) return;  // nobody is left to receive
  Ref<NetworkNamespace> keep = Ref<NetworkNamespace>::adopt(&net_);
  constexpr size_t kBudget = 4096;
  // Packets that cause packets without end must not hold a CPU for ever.
  if (!backlog_.drain(kBudget, [this](PacketPtr packet) { deliver(std::move(packet)); }))
    drain_later_.arm(monotonic_ns());
}

bool Stack::transport_checksum_ok(const Packet& packet, uint8_t protocol) const {
  if (packet.info.checksum != ChecksumState::unknown) return true;
  ChecksumSum sum;
  sum.add_pseudo_header(packet.info.source, packet.info.destination, protocol,
                        static_cast<uint32_t>(packet.size()));
  packet.add_to(sum, 0, packet.size());
  return sum.checksum() == 0;
}

// ---- lo ----

Loopback::Loopback(Stack& stack) : Interface(stack, "lo", interface_flag::loopback, kMtu) {
  hardware_size_ = 6;
}

Result<void> Loopback::add_own_v6() {
  InterfaceAddress address;
  address.address = address.peer = kLoopbackV6;
  address.prefix = 128;
  address.scope = scope::host;
  return stack().config.add_address(*this, address);
}

void Loopback::came_up() {
  Vec<InterfaceAddress> all;
  if (!stack().config.list_addresses(*this, all)) return;
  const bool has_v4 =
      std::any_of(all.begin(), all.end(), [](const InterfaceAddress& a) { return a.address.is_v4(); });
  if (!has_v4) {
    InterfaceAddress address;
    address.address = address.peer = kLoopbackV4;
    address.broadcast = kAnyV4;
    address.prefix = 8;
    address.scope = scope::host;
    const std::string_view label = name();
    __builtin_memcpy(address.label, label.data(), label.size());
    (void)stack().config.add_address(*this, address);
  }
  (void)add_own_v6();
}

void Loopback::went_down() { ipv6_switched(false); }

void Loopback::ipv6_switched(bool on) {
  if (on) {
    (void)add_own_v6();
    return;
  }
  Vec<InterfaceAddress> all;
  if (!stack().config.list_addresses(*this, all)) return;
  for (const InterfaceAddress& a : all)
    if (!a.address.is_v4()) (void)stack().config.remove_address(*this, a.address, a.prefix);
}

void Loopback::transmit(const Route&, PacketPtr packet) {
  stack().taps().see(*packet, true);
  sent.packets.fetch_add(1, std::memory_order_relaxed);
  sent.bytes.fetch_add(packet->size() + link_header(), std::memory_order_relaxed);
  packet->info.to = PacketFor::host;
  packet->info.interface = index();
  packet->info.timestamp_ns = 0;
  stack().receive(*this, std::move(packet));
}

Result<void> Loopback::transmit_raw(PacketPtr packet) {
  constexpr uint32_t kHeader = 14, kTypeAt = 12;
  if (!up()) return Errno::netdown;
  std::span<std::byte> header = packet->header(kHeader);
  if (header.empty()) return Errno::inval;
  packet->info.ether = header_at<Be16>(header.data() + kTypeAt);
  (void)packet->pull(kHeader);
  packet->info.network_at = packet->info.transport_at = packet->here();
  packet->info.checksum = ChecksumState::unknown;
  packet->info.by_hand = true;
  transmit({}, std::move(packet));
  return {};
}

// ---- raw and packet sockets ----

bool RawTable::deliver(Stack& stack, const Packet& packet, uint8_t protocol) {
  (void)stack;
  if (sockets.empty()) return false;
  bool any = false;
  sockets.each([&](const RawReceiver& r) { return r.wants(packet, protocol); },
               [&](RawReceiver& r) {
                 any = true;
                 if (PacketPtr copy = packet.clone()) r.raw_packet(std::move(copy));
               });
  return any;
}

bool RawTable::tell(const IcmpError& error, uint8_t protocol) {
  if (sockets.empty()) return false;
  bool any = false;
  sockets.each([&](const RawReceiver& r) { return r.wants_error(error, protocol); },
               [&](RawReceiver& r) {
                 any = true;
                 r.raw_error(error);
               });
  return any;
}

void PacketTaps::show(const Packet& packet, bool outgoing) {
  sockets.each([&](const TapReceiver& r) { return r.wants(packet, outgoing); },
               [&](TapReceiver& r) {
                 PacketPtr copy = packet.clone();
                 if (!copy) return;
                 if (outgoing) copy->info.to = PacketFor::outgoing;
                 r.tap_packet(std::move(copy));
               });
}

}  // namespace runsc::net
