#include "net/inet/udp_endpoint.h"

#include <algorithm>

#include "net/inet/option_value.h"
#include "net/inet/wire.h"
#include "net/network_namespace.h"

namespace runsc::net {

namespace {

constexpr int kUdpCork = 1, kUdpEncap = 100, kUdpNoCheck6Tx = 101, kUdpNoCheck6Rx = 102, kUdpSegment = 103,
              kUdpGro = 104;
constexpr uint16_t kChecksumAt = 6;
// What stands in one piece of object memory; larger payloads stand in pages.
constexpr size_t kLinearMax = 3072;

}  // namespace

Stack& UdpEndpoint::net_stack(NetworkNamespace& net) { return net.inet(); }

Result<Ref<Endpoint>> create_udp(const Caller& caller, NetworkNamespace& net, int domain, int) {
  Ref<UdpEndpoint> endpoint = make_ref<UdpEndpoint>(caller, net, domain);
  if (!endpoint) return Errno::nobufs;
  return Ref<Endpoint>(endpoint);
}

// ---- sending ----

Result<void> UdpEndpoint::transmit(const Target& target, PacketPtr packet) {
  const auto length = static_cast<uint16_t>(packet->size() + kHeader);
  auto& udp = header_at<UdpHeader>(packet->push(kHeader));
  {
    LockGuard guard(lock_);
    udp.source = local_.port;
  }
  udp.destination = target.to.port;
  udp.length = length;
  udp.checksum.set_raw(0);
  const bool v4 = target.route.destination.is_v4();
  const bool plain =
      v4 ? options.has(option_bit::no_check) : no_checksum6_send_.load(std::memory_order_relaxed);
  packet->info.protocol = ip_protocol::udp;
  if (!plain) stack().set_transport_checksum(*packet, target.route, ip_protocol::udp, kChecksumAt);
  Result<void> sent = stack().send(target.route, std::move(packet), target.options);
  if (sent) {
    stack().counters.add(Mib::udp_out, !v4);
  } else if (sent.error() == Errno::msgsize) {
    queue_local_error(Errno::msgsize, target.to, target.route.mtu);
  }
  return sent;
}

// UDP_SEGMENT: one buffer becomes many datagrams.
Result<void> UdpEndpoint::transmit_segments(const Target& target, PacketPtr packet) {
  constexpr size_t kSegmentsMax = 128;
  const size_t step = target.segment_size, total = packet->size();
  if (step == 0 || total <= step) return transmit(target, std::move(packet));
  const size_t headers =
      kHeader + (target.route.destination.is_v4() ? sizeof(Ipv4Header) : sizeof(Ipv6Header));
  if (step + headers > target.route.mtu || (total + step - 1) / step > kSegmentsMax) return Errno::inval;
  for (size_t done = 0; done < total; done += step) {
    const size_t n = std::min(step, total - done);
    PacketPtr part = Packet::create(static_cast<uint32_t>(std::min(n, kLinearMax)));
    if (!part || !part->append(*packet, done, n)) return Errno::nobufs;
    TRY(transmit(target, std::move(part)));
  }
  return {};
}

Result<void> UdpEndpoint::append(Target& target, mm::IoBuf& from, size_t size) {
  (void)target;
  if (corked_->size() + size > kMaxPayload) return Errno::msgsize;
  return corked_->fill(from, size);
}

Result<void> UdpEndpoint::push_corked() {
  corked_now_.store(false, std::memory_order_relaxed);
  if (!corked_) return {};
  PacketPtr packet = std::move(corked_);
  Target target = std::exchange(corked_for_, {});
  if (const size_t size = packet->size(); size <= kLinearMax) {
    // A little in a page of its own: as if it had come in one piece.
    PacketPtr small = Packet::create(static_cast<uint32_t>(size));
    if (!small) return Errno::nobufs;
    packet->read(0, {small->put(static_cast<uint32_t>(size)), size});
    packet = std::move(small);
  }
  return transmit_segments(target, std::move(packet));
}

Result<size_t> UdpEndpoint::send(SendMessage& message) {
  const size_t size = message.data.remaining();
  if (size > kMaxPayload + kHeader) return Errno::msgsize;
  DrainAtEnd draining(stack());
  TRY(autobind());
  const bool more = (message.flags & msg_flag::more) || cork_.load(std::memory_order_relaxed);
  if (more || corked_now_.load(std::memory_order_relaxed)) {
    LockGuard guard(send_lock_);
    if (!corked_) {
      corked_for_ = TRY(target_of(message));
      corked_ = Packet::create(0);
      if (!corked_) return Errno::nobufs;
      corked_now_.store(true, std::memory_order_relaxed);
    }
    Result<void> appended = append(corked_for_, message.data, size);
    if (!appended) {
      corked_.reset();
      corked_now_.store(false, std::memory_order_relaxed);
      return appended.error();
    }
    if (!more) TRY(push_corked());
    message.done = size;
    return size;
  }
  Target target = TRY(target_of(message));
  if (!target.segment_size) target.segment_size = segment_.load(std::memory_order_relaxed);
  if (int32_t e = take_error()) return static_cast<Errno>(e);
  if (size > kMaxPayload || (target.to.address.is_v4() && size > kMaxPayload - sizeof(Ipv4Header))) {
    queue_local_error(Errno::msgsize, target.to, target.route.mtu);
    return Errno::msgsize;
  }
  PacketPtr packet = Packet::create(size <= kLinearMax ? static_cast<uint32_t>(size) : 0);
  if (!packet) return Errno::nobufs;
  TRY(packet->fill(message.data, size));
  TRY(transmit_segments(target, std::move(packet)));
  message.done = size;
  return size;
}

// ---- receiving ----

SocketAddress UdpEndpoint::sender_of(const Packet& packet) const {
  SocketAddress from = DatagramEndpoint::sender_of(packet);
  from.port = header_at<UdpHeader>(packet.at(packet.info.transport_at)).source;
  return from;
}

bool UdpEndpoint::checks_datagram(Packet& packet) {
  stack().counters.add(Mib::udp_in, !packet.info.source.is_v4());
  return true;
}

namespace {

void deliver(UdpEndpoint& to, PacketPtr packet) { to.take_packet(std::move(packet)); }

// Every member of the group, or everybody who hears broadcasts.
void deliver_group(Stack& stack, const PortKey& key, PacketPtr packet) {
  Vec<PortRef> all;
  (void)stack.udp.find_all(key, all);
  const bool group = key.local.is_multicast();
  for (PortRef& ref : all) {
    InetEndpoint* endpoint = ref.endpoint();
    if (!endpoint || (group && !endpoint->takes_group(key.local, key.interface))) continue;
    if (PacketPtr copy = packet->clone()) deliver(static_cast<UdpEndpoint&>(*endpoint), std::move(copy));
  }
}

}  // namespace

void udp_receive(Stack& stack, PacketPtr packet) {
  const bool v6 = !packet->info.source.is_v4();
  auto bad = [&](Mib what) { stack.counters.add(what, v6); };
  const std::span<std::byte> bytes = packet->header(sizeof(UdpHeader));
  if (bytes.empty()) return bad(Mib::udp_in_errors);
  const auto& udp = header_at<UdpHeader>(bytes.data());
  uint32_t length = udp.length;
  if (length == 0 && v6) length = static_cast<uint32_t>(packet->size());
  if (length < sizeof(UdpHeader) || length > packet->size()) return bad(Mib::udp_in_errors);
  packet->trim(length);
  const bool unsummed = udp.checksum.raw() == 0;
  const bool right = unsummed ? !v6 || packet->info.checksum != ChecksumState::unknown
                              : stack.transport_checksum_ok(*packet, ip_protocol::udp);
  if (!right) {
    bad(Mib::udp_in_checksum);
    return bad(Mib::udp_in_errors);
  }
  packet->info.transport_at = packet->here();
  const PortKey key{packet->info.destination, packet->info.source, udp.destination, udp.source,
                    packet->info.interface};
  if (packet->info.to == PacketFor::multicast || packet->info.to == PacketFor::broadcast)
    return deliver_group(stack, key, std::move(packet));
  PortRef found = stack.udp.find_receiver(key);
  if (InetEndpoint* endpoint = found.endpoint())
    return deliver(static_cast<UdpEndpoint&>(*endpoint), std::move(packet));
  bad(Mib::udp_no_ports);
  stack.send_port_unreachable(*packet);
}

bool udp_error(Stack& stack, const IcmpError& error) {
  const std::span<std::byte> bytes = error.quoted.header(sizeof(UdpHeader));
  if (bytes.empty()) return false;
  const auto& udp = header_at<UdpHeader>(bytes.data());
  PortRef found = stack.udp.find_receiver(
      {error.source, error.destination, udp.source, udp.destination, error.interface});
  InetEndpoint* endpoint = found.endpoint();
  return endpoint && endpoint->icmp_error(error);
}

// ---- options ----

Result<void> UdpEndpoint::set_option(const Caller& caller, int level, int name, uint64_t address,
                                     uint32_t size) {
  if (level != kSolUdp) return InetEndpoint::set_option(caller, level, name, address, size);
  const int32_t value = TRY(read_option(caller, address, size));
  switch (name) {
    case kUdpCork: {
      cork_.store(value != 0, std::memory_order_relaxed);
      if (value) return {};
      DrainAtEnd draining(stack());
      LockGuard guard(send_lock_);
      return push_corked();
    }
    case kUdpSegment:
      if (value < 0 || value > 65535) return Errno::inval;
      segment_.store(static_cast<uint16_t>(value), std::memory_order_relaxed);
      return {};
    case kUdpGro:
      gro_.store(value != 0, std::memory_order_relaxed);
      return {};
    case kUdpNoCheck6Tx:
      no_checksum6_send_.store(value != 0, std::memory_order_relaxed);
      return {};
    case kUdpNoCheck6Rx:
      zero_checksum6_.store(value != 0, std::memory_order_relaxed);
      return {};
    default:
      return Errno::noprotoopt;
  }
}

Result<uint32_t> UdpEndpoint::get_option(const Caller& caller, int level, int name, uint64_t address,
                                         uint32_t size) {
  if (level != kSolUdp) return InetEndpoint::get_option(caller, level, name, address, size);
  switch (name) {
    case kUdpCork:
      return give_option(caller, address, size, int32_t{cork_});
    case kUdpSegment:
      return give_option(caller, address, size, int32_t{segment_});
    case kUdpGro:
      return give_option(caller, address, size, int32_t{gro_});
    case kUdpNoCheck6Tx:
      return give_option(caller, address, size, int32_t{no_checksum6_send_});
    case kUdpNoCheck6Rx:
      return give_option(caller, address, size, int32_t{zero_checksum6_});
    case kUdpEncap:
      return give_option(caller, address, size, int32_t{0});
    default:
      return Errno::noprotoopt;
  }
}

void UdpEndpoint::release() {
  DatagramEndpoint::release();
  PacketPtr gone;
  LockGuard guard(send_lock_);
  gone = std::move(corked_);
}

}  // namespace runsc::net
