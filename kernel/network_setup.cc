#include "kernel/network_setup.h"

#include "kernel/base/log.h"
#include "kvm/hostcall/network_spec.h"
#include "net/device/ring_wire.h"
#include "net/inet/stack.h"

namespace runsc::kernel {

namespace {

using hostcall::ContainerReader;
using net::IpAddress;
using net::MacAddress;
constexpr uint32_t kMostRows = 1 << 16;

Result<uint32_t> read_count(ContainerReader& reader) {
  const uint32_t count = reader.u32();
  if (!reader.ok() || count > kMostRows) return Errno::inval;
  return count;
}

// `missing` stands for the empty string.
Result<IpAddress> read_address(ContainerReader& reader, const IpAddress& missing = net::kAnyV6) {
  constexpr size_t kV4 = 4, kV6 = 16;
  const std::string_view bytes = reader.string();
  if (bytes.size() == kV4) return IpAddress::from_v4(bytes.data());
  if (bytes.size() == kV6) return IpAddress::from_v6(bytes.data());
  if (!reader.ok() || !bytes.empty()) return Errno::inval;
  return missing;
}

Result<MacAddress> read_mac(ContainerReader& reader) {
  const std::string_view bytes = reader.string();
  if (bytes.size() != sizeof(MacAddress::b)) return Errno::inval;
  return MacAddress::from(bytes.data());
}

// What is there already (a route that an address brought along) or cannot be here is no reason not to start.
Result<void> unless_refused(Result<void> result, std::string_view what) {
  if (result || result.error() == Errno::exist) return {};
  if (result.error() == Errno::nomem) return result;
  log_warning("network: {} of the host is not taken over: error {}", what, static_cast<int>(result.error()));
  return {};
}

// When a life of so many seconds from now ends; 0: never.
uint64_t end_of(uint32_t seconds) {
  constexpr uint64_t kSecond = 1'000'000'000;
  return seconds == hostcall::kForEver ? 0 : net::monotonic_ns() + uint64_t{seconds} * kSecond + 1;
}

Result<void> add_address(net::NetConfig& config, net::Interface& interface, ContainerReader& reader) {
  net::InterfaceAddress a;
  a.address = TRY(read_address(reader));
  a.peer = TRY(read_address(reader, a.address));
  a.broadcast = TRY(read_address(reader, net::any_address(!a.address.is_v4())));
  const uint32_t prefix = reader.u32();
  a.scope = static_cast<uint8_t>(reader.u32());
  a.flags = reader.u32();
  a.protocol = static_cast<uint8_t>(reader.u32());
  a.valid_ns = end_of(reader.u32());
  a.preferred_ns = end_of(reader.u32());
  const std::string_view label = reader.string();
  if (!reader.ok() || prefix > a.address.bits() || label.size() >= sizeof a.label) return Errno::inval;
  a.prefix = static_cast<uint8_t>(prefix);
  __builtin_memcpy(a.label, label.data(), label.size());
  return unless_refused(config.add_address(interface, a), "an address");
}

Result<void> add_neighbour(net::Interface& interface, ContainerReader& reader) {
  const IpAddress address = TRY(read_address(reader));
  const MacAddress mac = TRY(read_mac(reader));
  if (!interface.neighbours()) return {};
  return unless_refused(interface.neighbours()->set(address, mac), "a neighbour");
}

// The index that it got.
Result<uint32_t> add_interface(net::NetworkNamespace& net, uint32_t number, ContainerReader& reader) {
  const std::string_view name = reader.string();
  const uint32_t index = reader.u32();
  const MacAddress mac = TRY(read_mac(reader));
  const uint32_t mtu = reader.u32();
  const uint32_t queue_length = reader.u32();
  const uint32_t flags = reader.u32();
  if (!reader.ok()) return Errno::inval;
  net::NetConfig& config = net.inet().config;
  Unique<net::RingWire> wire = TRY(net::RingWire::create(number));
  Ref<net::Ethernet> link = TRY(net::Ethernet::make(net.inet(), name, mac, mtu, *wire));
  if (flags & hostcall::kIpv6Off) link->settings.disable_ipv6 = 1;
  if (flags & hostcall::kNoRouterAdvertisements) link->settings.accept_ra = 0;
  auto added = config.add_interface(link, index);
  // Ours has the number of lo.
  if (!added && added.error() == Errno::busy) added = config.add_interface(link);
  TRY(added);
  // The interface has it, whatever comes of the rest.
  net::RingWire& stays = *wire.release();
  config.set_queue_length(*link, queue_length);
  for (uint32_t n = TRY(read_count(reader)); n > 0; --n) TRY(add_address(config, *link, reader));
  for (uint32_t n = TRY(read_count(reader)); n > 0; --n) TRY(add_neighbour(*link, reader));
  TRY(stays.connect(Ref<net::NetworkNamespace>(net), link));
  TRY(config.set_flags(*link, net::interface_flag::up, net::interface_flag::up));
  return link->index();
}

Result<void> add_route(net::NetworkNamespace& net, const Vec<uint32_t>& indexes, ContainerReader& reader) {
  net::RouteEntry r;
  r.destination = TRY(read_address(reader));
  const IpAddress none = net::any_address(!r.destination.is_v4());
  const uint32_t length = reader.u32();
  r.gateway = TRY(read_address(reader, none));
  r.source = TRY(read_address(reader, none));
  const uint32_t place = reader.u32();
  r.metric = reader.u32();
  r.protocol = static_cast<uint8_t>(reader.u32());
  r.scope = static_cast<uint8_t>(reader.u32());
  r.type = static_cast<net::RouteType>(reader.u32());
  r.mtu = reader.u32();
  r.tos = static_cast<uint8_t>(reader.u32());
  r.flags = reader.u32();
  r.expires_ns = end_of(reader.u32());
  r.by_prefix = !r.v4() && r.protocol == net::RouteEntry::kByKernel && r.expires_ns != 0;
  if (!reader.ok() || length > r.destination.bits()) return Errno::inval;
  if (place != hostcall::kNoPlace && place >= indexes.size()) return Errno::inval;
  if (place != hostcall::kNoPlace) r.interface = indexes[place];
  r.length = static_cast<uint8_t>(length);
  return unless_refused(net.inet().config.add_route(r, false, true), "a route");
}

}  // namespace

Result<void> set_up_network(net::NetworkNamespace& net, std::string_view bytes) {
  if (bytes.empty()) return {};
  ContainerReader reader(std::as_bytes(std::span(bytes.data(), bytes.size())));
  if (reader.u32() != hostcall::kNetworkVersion) return Errno::inval;
  const uint32_t interfaces = TRY(read_count(reader));
  Vec<uint32_t> indexes;
  for (uint32_t i = 0; i < interfaces; ++i) TRY(indexes.push_back(TRY(add_interface(net, i, reader))));
  for (uint32_t n = TRY(read_count(reader)); n > 0; --n) TRY(add_route(net, indexes, reader));
  if (!reader.at_end()) return Errno::inval;
  for (const uint32_t index : indexes)
    if (auto link = net.inet().config.interface(index); link && link->neighbours())
      link->neighbours()->link().autoconf().watch_times();
  net.inet().drain();
  return {};
}

}  // namespace runsc::kernel
