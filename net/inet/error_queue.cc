#include "net/inet/error_queue.h"

#include <algorithm>

#include "kvm/arch/paid_by.h"
#include "net/inet/inet_endpoint.h"
#include "net/inet/wire.h"

namespace runsc::net {

using namespace fs::poll_bit;

namespace {
// RFC 1812, 4.3.2.3 and RFC 4443, 2.4 (c): no honest quote is longer.
constexpr size_t kQuoteMax4 = 576, kQuoteMax6 = 1280;
constexpr uint32_t kRecordCharge = 768;  // what Linux counts for one without a quote
}  // namespace

bool ErrorQueue::push(Unique<ErrorRecord>& record) {
  LockGuard guard(lock_);
  if (count_.load(std::memory_order_relaxed) >= kMost) return false;
  list_.push_back(*record.release());
  count_.fetch_add(1, std::memory_order_release);
  return true;
}

Unique<ErrorRecord> ErrorQueue::pop(uint32_t& next) {
  LockGuard guard(lock_);
  next = 0;
  if (list_.empty()) return {};
  Unique<ErrorRecord> record(&list_.front());
  list_.pop_front();
  count_.fetch_sub(1, std::memory_order_release);
  if (!list_.empty()) next = list_.front().error.error;
  return record;
}

uint32_t ErrorQueue::clear() {
  uint32_t next, charge = 0;
  while (Unique<ErrorRecord> record = pop(next)) charge += record->charge;
  return charge;
}

// ---- InetEndpoint's side of it ----

uint32_t InetEndpoint::error_poll() const {
  uint32_t bits = error() ? err : 0;
  if (!errors_.empty()) bits |= err | (options.has(option_bit::select_err_queue) ? pri : 0);
  return bits;
}

void InetEndpoint::queue_error(const IcmpError& error, uint16_t port, uint32_t payload) {
  if (!has_room_for_received(owner_, kRecordCharge, received_memory() == 0)) return;
  const PaidBy pays(payer());
  Unique<ErrorRecord> record = make<ErrorRecord>();
  if (!record) return;
  record->error = {
      static_cast<uint32_t>(error.error), error.origin, error.type, error.code, 0, error.info, 0};
  record->to.address = error.destination;
  record->to.port = port;
  if (error.destination.needs_scope()) record->to.scope = error.interface;
  record->offender = error.offender;
  record->interface = error.interface;
  record->about = error.about;
  if (options.has(option_bit::timestamp)) record->about.timestamp_ns = realtime_ns();
  const size_t quoted = std::min(error.quoted.size(), error.destination.is_v4() ? kQuoteMax4 : kQuoteMax6);
  if (quoted >= payload) {
    const auto n = static_cast<uint32_t>(quoted - payload);
    record->payload = Packet::create(n, 0);
    if (record->payload) error.quoted.read(payload, {record->payload->put(n), n});
  }
  push_error(std::move(record));
}

// Against SO_RCVBUF, as packets are: what has no room is not told.
bool InetEndpoint::push_error(Unique<ErrorRecord> record) {
  const uint32_t charge = record->payload ? record->payload->memory() : kRecordCharge;
  if (!charge_receive(charge)) return false;
  record->charge = charge;
  if (errors_.push(record)) return true;
  uncharge_receive(charge);
  return false;
}

void InetEndpoint::queue_local_error(Errno error, const SocketAddress& to, uint32_t info) {
  if (!wants_errors()) return;
  Unique<ErrorRecord> record = make<ErrorRecord>();
  if (!record) return;
  record->error = {static_cast<uint32_t>(error), error_origin::local, 0, 0, 0, info, 0};
  record->to = to;
  record->offender = any_address(v6());
  if (!push_error(std::move(record))) return;
  queue().wake_all(err | (options.has(option_bit::select_err_queue) ? pri : 0));
}

bool InetEndpoint::icmp_error(const IcmpError& error) {
  bool connected;
  {
    LockGuard guard(lock_);
    connected = has_peer_;
  }
  Errno what = error.error;
  bool hard = error.hard;
  if (error.too_big) {
    const PathMtu mode = v6() ? ip.path_mtu6 : ip.path_mtu;
    if (mode == PathMtu::dont) return true;
    what = Errno::msgsize;
    hard = true;
  }
  const bool v6_error = !error.destination.is_v4();
  if (ip.has(v6_error ? ip_bit::recv_err6 : ip_bit::recv_err)) {
    // The header of UDP is not the application's, that of ICMP is.
    const bool ports = protocol() == ip_protocol::udp;
    const std::span<std::byte> header = error.quoted.header(sizeof(uint32_t));
    const uint16_t port =
        ports && !header.empty() ? uint16_t{header_at<UdpHeader>(header.data()).destination} : uint16_t{0};
    tell_icmp(error, what, true, port, ports ? sizeof(UdpHeader) : 0);
  } else if (hard && connected) {
    tell_icmp(error, what, false, 0, 0);
  }
  return true;
}

void InetEndpoint::tell_icmp(const IcmpError& error, Errno what, bool queued, uint16_t port,
                             uint32_t payload) {
  if (queued) {
    IcmpError told = error;
    told.error = what;
    queue_error(told, port, payload);
  }
  set_error(what);
  queue().wake_all(err | in | out | rdnorm | wrnorm);
}

Result<size_t> InetEndpoint::receive_error(ReceiveMessage& message) {
  uint32_t next;
  Unique<ErrorRecord> record = errors_.pop(next);
  if (!record) return Errno::again;
  uncharge_receive(record->charge);
  const size_t whole = record->payload ? record->payload->size() : 0;
  const size_t n = whole < message.data.remaining() ? whole : message.data.remaining();
  if (n < whole) message.out_flags |= msg_flag::trunc;
  if (n > 0) TRY(record->payload->drain(message.data, 0, n));
  message.out_flags |= msg_flag::errqueue;
  message.has_address = true;
  put_address(record->to, domain(), message.address);
  const bool from_icmp =
      record->error.origin != error_origin::none && record->error.origin != error_origin::local;
  if (from_icmp) {
    // Its TTL, its time of arrival: of the message, not of what it quotes.
    PacketPtr empty = Packet::create(0, 0);
    if (!empty) return Errno::nobufs;
    empty->info = record->about;
    empty->info.transport_at = ~0u;
    put_control(message, *empty);
  }
  // struct sock_extended_err, then the address of who complained.
  struct {
    ExtendedError error;
    std::byte offender[kSizeV6];
  } told{record->error, {}};
  size_t size = sizeof(ExtendedError) + kSizeV4;
  const bool v6_form = v6();
  if (v6_form) size = sizeof(ExtendedError) + kSizeV6;
  if (from_icmp) {
    Address offender;
    SocketAddress from;
    from.address = record->offender;
    if (from.address.needs_scope()) from.scope = record->interface;
    put_address(from, v6_form ? family_number::inet6 : family_number::inet, offender);
    __builtin_memcpy(told.offender, offender.bytes, offender.size);
  }
  constexpr int kIpRecvErr = 11, kIpv6RecvErr = 25;
  message.control.put(v6_form ? kSolIpv6 : kSolIp, v6_form ? kIpv6RecvErr : kIpRecvErr,
                      std::as_bytes(std::span(&told, 1)).first(size));
  // SO_ERROR speaks of what is left.
  if (next)
    set_error(static_cast<Errno>(next));
  else if (from_icmp)
    (void)take_error();
  message.done = n;
  return n;
}

}  // namespace runsc::net
