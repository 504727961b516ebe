#include "net/inet/datagram_endpoint.h"

#include <algorithm>

#include "net/inet/neighbours.h"
#include "net/socket_filter.h"

namespace runsc::net {

using namespace fs::poll_bit;

namespace {
constexpr uint32_t kArrived = in | rdnorm, kWritable = out | wrnorm | wrband;
constexpr uint32_t kFionread = 0x541b, kSiocoutq = 0x5411;
}  // namespace

// ---- peers ----

Result<void> DatagramEndpoint::connect_name_locked(const Peer& peer) {
  local_.port =
      TRY(table()->connect(*this, claim_locked(), local_.address, peer.address.address, peer.address.port));
  return {};
}

void DatagramEndpoint::disconnect() {
  LockGuard guard(lock_);
  has_peer_ = false;
  peer_ = {};
  peer_.address = any_address(v6());
  route_ = {};
  local_.address = asked_local_;
  if (table()) table()->disconnect(*this, asked_local_, asked_port_);
  if (!asked_port_ && table()) local_.port = 0;
}

Result<void> DatagramEndpoint::connect(const Caller&, std::span<const std::byte> address, WaitPoint&) {
  if (TRY(address_family(address)) == family_number::unspec) {
    disconnect();
    return {};
  }
  if (needs_port()) TRY(autobind());
  LockGuard guard(lock_);
  Peer peer = TRY(find_peer_locked(address));
  const IpAddress before = local_.address;
  if (asked_local_.is_any()) local_.address = peer.route.source;
  Result<void> named = connect_name_locked(peer);
  if (!named) {
    local_.address = before;
    return named;
  }
  peer_ = peer.address;
  has_peer_ = true;
  route_ = std::move(peer.route);
  return {};
}

Result<void> DatagramEndpoint::autobind() {
  LockGuard guard(lock_);
  if (local_.port != 0 || !table()) return {};
  Result<void> taken = claim_name_locked(0);
  if (!taken) return Errno::again;
  return {};
}

Result<DatagramEndpoint::Target> DatagramEndpoint::target_of(SendMessage& message) {
  Target target;
  if (message.flags & msg_flag::oob) return Errno::opnotsupp;
  if (shut_.load(std::memory_order_acquire) & kSendShut) {
    message.sigpipe = true;
    return Errno::pipe;
  }
  bool addressed = message.has_address;
  if (addressed && v6() && TRY(address_family(message.address)) == family_number::unspec) addressed = false;
  if (addressed) target.to = TRY(destination(message.address));
  if (addressed && needs_port() && target.to.port == 0) return Errno::inval;
  {
    LockGuard guard(lock_);
    if (!addressed) {
      if (!has_peer_) return Errno::destaddrreq;
      target.to = peer_;
    }
    if (target.to.address == kAnyV6) target.to.address = local_.address.is_v4() ? kLoopbackV4 : kLoopbackV6;
    if (!local_.address.is_any() && local_.address.is_v4() && !target.to.address.is_v4())
      return Errno::afnosupport;
  }
  InetSendControl control;
  control.options = send_options(target.to.address);
  if (!message.control.empty()) TRY(read_control(message, control));
  target.options = control.options;
  target.segment_size = control.segment_size;
  const bool plain = !addressed && control.source.is_any() && control.interface == 0 &&
                     !(message.flags & msg_flag::dontroute);
  LockGuard guard(lock_);
  if (plain && has_peer_) {
    target.route = TRY(peer_route_locked());
    target.connected = true;
  } else {
    RouteQuery query = query_locked(target.to.address, target.to.scope);
    if (!control.source.is_any()) query.source = control.source;
    if (control.interface) query.interface = control.interface;
    if (message.flags & msg_flag::dontroute) query.direct = true;
    // A socket that is connected elsewhere still sends from its own address.
    target.route = TRY(stack().route(query));
  }
  TRY(check_broadcast(target.route));
  if (message.flags & msg_flag::confirm)
    if (Neighbours* neighbours = target.route.interface->neighbours())
      neighbours->confirm(target.route.next_hop);
  return target;
}

// ---- receiving ----

void DatagramEndpoint::take_packet(PacketPtr packet) {
  if (Ref<SocketFilter> chosen = filter();
      chosen && !pass_filter(*chosen, *packet, std::max(transport_header(), 1u))) {
    drops_.fetch_add(1, std::memory_order_relaxed);
    if (protocol() == ip_protocol::udp) stack().counters.add(Mib::udp_in_errors, v6());
    return;
  }
  if (!charge_receive(*packet)) {
    drops_.fetch_add(1, std::memory_order_relaxed);
    if (protocol() == ip_protocol::udp) {
      stack().counters.add(Mib::udp_receive_buffer, v6());
      stack().counters.add(Mib::udp_in_errors, v6());
    }
    return;
  }
  if (options.has(option_bit::timestamp)) packet->info.timestamp_ns = realtime_ns();
  {
    LockGuard guard(lock_);
    packets_.push_back(std::move(packet));
  }
  queue().wake_all(kArrived);
}

PacketPtr DatagramEndpoint::peek_locked(size_t& skip) {
  for (Packet* p = packets_.front(); p; p = packets_.next(*p)) {
    const size_t size = p->size() - transport_header();
    // SO_PEEK_OFF: packets that have been peeked at whole are behind us.
    if (skip >= size && skip > 0) {
      skip -= size;
      continue;
    }
    return p->clone();
  }
  return {};
}

// Null: `why`. MSG_PEEK gives a copy.
PacketPtr DatagramEndpoint::next_packet(uint32_t flags, size_t& skip, Errno& why, ReceiveMessage& message) {
  for (;;) {
    if (int32_t e = take_error()) {
      why = static_cast<Errno>(e);
      return {};
    }
    PacketPtr packet;
    {
      LockGuard guard(lock_);
      packet = flags & msg_flag::peek ? peek_locked(skip) : packets_.pop_front();
    }
    if (!packet) {
      why = shut_.load(std::memory_order_acquire) & kReceiveShut
                ? Errno{}
                : message.wait.at(*this, queue(), kArrived | err | hup);
      return {};
    }
    if (!(flags & msg_flag::peek)) uncharge_receive(packet->info.charge);
    if (checks_datagram(*packet)) return packet;
    if (flags & msg_flag::peek) {
      LockGuard guard(lock_);
      if (PacketPtr bad = packets_.pop_front()) uncharge_receive(bad->info.charge);
    }
  }
}

SocketAddress DatagramEndpoint::sender_of(const Packet& packet) const {
  SocketAddress from;
  from.address = packet.info.source;
  if (from.address.needs_scope()) from.scope = packet.info.interface;
  return from;
}

Result<size_t> DatagramEndpoint::receive(ReceiveMessage& message) {
  if ((message.flags & msg_flag::oob) && protocol() != ip_protocol::udp) return Errno::opnotsupp;
  if (message.flags & msg_flag::errqueue) return receive_error(message);
  const bool peek = message.flags & msg_flag::peek;
  const int32_t offset = options.peek_offset.load(std::memory_order_relaxed);
  size_t skip = peek && offset > 0 ? static_cast<size_t>(offset) : 0;
  Errno why{};
  PacketPtr packet = next_packet(message.flags, skip, why, message);
  if (!packet) return why == Errno{} ? Result<size_t>(size_t{0}) : why;
  const size_t header = transport_header() + skip;
  const size_t whole = packet->size() - header;
  const size_t n = std::min<size_t>(whole, message.data.remaining());
  TRY(packet->drain(message.data, header, n));
  if (offset >= 0) {
    const auto moved = static_cast<int32_t>(peek ? n : whole);
    const int32_t now = options.peek_offset.load(std::memory_order_relaxed);
    if (now >= 0)
      options.peek_offset.store(peek ? now + moved : std::max(0, now - moved), std::memory_order_relaxed);
  }
  if (n < whole) message.out_flags |= msg_flag::trunc;
  if (message.want_address) {
    put_address(sender_of(*packet), domain(), message.address);
    message.has_address = true;
  }
  put_control(message, *packet);
  message.done = n;
  return message.flags & msg_flag::trunc ? whole : n;
}

// ---- what is asked ----

uint32_t DatagramEndpoint::poll() {
  uint32_t bits = error_poll() | kWritable;
  const uint32_t shut = shut_.load(std::memory_order_acquire);
  if (shut == kBothShut) bits |= hup;
  if (shut & kReceiveShut) bits |= rdhup | in | rdnorm;
  LockGuard guard(lock_);
  if (!packets_.empty()) bits |= kArrived;
  return bits;
}

Result<void> DatagramEndpoint::shutdown(uint32_t how) {
  bool connected;
  {
    LockGuard guard(lock_);
    connected = has_peer_;
  }
  shut_.fetch_or(how, std::memory_order_acq_rel);
  queue().wake_all();
  return connected ? Result<void>() : Errno::notconn;
}

Result<uint64_t> DatagramEndpoint::ioctl(uint32_t request, uint64_t argument,
                                         const fs::IoctlContext& context) {
  if (request != kFionread && request != kSiocoutq) return InetEndpoint::ioctl(request, argument, context);
  int32_t n = 0;
  if (request == kFionread) {
    LockGuard guard(lock_);
    if (Packet* p = packets_.front()) n = static_cast<int32_t>(p->size() - transport_header());
  }
  TRY(mm::copy_out(context.space, mm::UserPtr<int32_t>(argument), n));
  return uint64_t{0};
}

DatagramEndpoint::QueueState DatagramEndpoint::queue_state() {
  LockGuard guard(lock_);
  return {received_memory(), drops_.load(std::memory_order_relaxed), has_peer_};
}

InetEndpoint::Facts DatagramEndpoint::facts() {
  constexpr uint8_t kConnected = 1, kOpen = 7;
  const QueueState state = queue_state();
  Facts out;
  out.state = state.connected ? kConnected : kOpen;
  out.receive_queue = state.receive_memory;
  out.shut = static_cast<uint8_t>(shut_.load(std::memory_order_relaxed));
  return out;
}

void DatagramEndpoint::release() {
  release_names();
  PacketQueue gone;
  LockGuard guard(lock_);
  has_peer_ = false;
  local_.port = 0;
  route_ = {};
  gone.swap(packets_);
}

}  // namespace runsc::net
