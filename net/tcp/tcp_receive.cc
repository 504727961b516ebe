// Reading: out of the packets as they came into the application's memory, once.
#include <algorithm>

#include "net/tcp/packet_piece.h"
#include "net/tcp/tcp_endpoint.h"

namespace runsc::net {

using namespace fs::poll_bit;

namespace {
constexpr uint32_t kArrivalEvents = kTcpReadable | pri | err | hup | rdhup;
constexpr int kCmInq = 36;  // TCP_CM_INQ
}  // namespace

// What stands next to be read.
struct TcpEndpoint::Found {
  PacketPiece* piece = nullptr;
  uint32_t offset = 0, size = 0;  // in the packet's data
  uint32_t skipped = 0;           // bytes in front that are not of the stream (urgent ones)
  bool stop = false;              // an urgent byte is next, and something has been read
};

// True: there is something, or reason to stop. `skip` bytes of the queue have been looked at before (a peek).
bool TcpEndpoint::find_data_locked(ReceiveMessage& message, Found& found) {
  const tcp::Tcb& c = connection_.view();
  const bool inline_too = options.has(option_bit::oobinline);
  tcp::Seq at = c.copied_seq;
  const tcp::Seq end = c.rcv_nxt - c.fin_received;
  const bool peek = message.flags & msg_flag::peek;
  const bool has_mark = c.urgent != tcp::Urgent::none;
  if (peek) {
    at += static_cast<uint32_t>(message.done);
    // What was peeked at before does not count an urgent byte in the middle.
    if (has_mark && !inline_too && message.done > 0 && c.urgent_seq == c.copied_seq) ++at;
  }
  if (!tcp::before(at, end)) return false;
  if (has_mark && c.urgent_seq == at && message.done > 0 && !(peek && c.urgent_seq == c.copied_seq)) {
    found.stop = true;
    return true;
  }
  while ((has_mark && c.urgent_seq == at && !inline_too) || (c.skip && c.skip_seq == at)) {
    ++at;
    ++found.skipped;
    if (!tcp::before(at, end)) return found.skipped > 0 && !peek;
  }
  tcp::Piece* piece = connection_.pieces().find(at);
  if (!piece) return false;
  connection_.pieces().pin(piece);
  found.piece = static_cast<PacketPiece*>(piece);
  found.offset = piece->offset + (at - piece->start);
  found.size = std::min(piece->end() - at, end - at);
  auto stop_before = [&](tcp::Seq mark) {
    if (tcp::before(at, mark)) found.size = std::min(found.size, mark - at);
  };
  if (has_mark) stop_before(c.urgent_seq);
  if (c.skip) stop_before(c.skip_seq);
  return true;
}

// Why there is nothing: the end, an error, or EAGAIN and where to wait.
Result<size_t> TcpEndpoint::no_data_locked(ReceiveMessage& message, size_t target) {
  if (message.done > 0 && message.done >= target) return message.done;
  const tcp::State state = shown_state();
  if (message.done > 0) {
    if (error() || state == tcp::State::closed || (shut_ & kReceiveShut)) return message.done;
    return message.wait.at(*this, queue(), kArrivalEvents);
  }
  // Who has seen the end reads no error behind it: that is for who writes, and for SO_ERROR.
  if (connection_.view().fin_received) return size_t{0};
  if (int32_t e = take_error()) return static_cast<Errno>(e);
  if (shut_ & kReceiveShut) return size_t{0};
  if (state == tcp::State::closed || state == tcp::State::listen) return Errno::notconn;
  return message.wait.at(*this, queue(), kArrivalEvents);
}

Result<size_t> TcpEndpoint::receive(ReceiveMessage& message) {
  if (message.flags & msg_flag::errqueue) return receive_error(message);
  DrainAtEnd drain(stack());
  if (message.flags & msg_flag::oob) return receive_urgent(message);
  const bool peek = message.flags & msg_flag::peek, drop = message.flags & msg_flag::trunc;
  const size_t size = message.data.remaining() + message.done;
  const auto low = static_cast<size_t>(std::max(options.receive_low.load(std::memory_order_relaxed), 1));
  const size_t target = message.flags & msg_flag::waitall ? size : std::min(size, low);
  LockGuard reader(receive_lock_);
  {
    LockGuard guard(lock_);
    if (stage_ == Stage::listening) return Errno::notconn;
  }
  if (message.data.remaining() == 0 && message.done == 0) {
    // recv(2) of nothing waits for something all the same.
    Found found;
    LockGuard guard(lock_);
    return find_data_locked(message, found) ? Result<size_t>(size_t{0}) : no_data_locked(message, 1);
  }
  while (message.data.remaining() > 0) {
    Found found;
    {
      // In one section: the last bytes may come together with the end.
      LockGuard guard(lock_);
      if (!find_data_locked(message, found)) return no_data_locked(message, std::max<size_t>(target, 1));
    }
    if (found.stop) return message.done;
    const auto n = static_cast<uint32_t>(std::min<uint64_t>(found.size, message.data.remaining()));
    if (n > 0 && drop) {
      message.data.advance(n);
    } else if (n > 0) {
      Result<void> copied = found.piece->drain(message.data, found.offset, n);
      if (!copied) return message.done > 0 ? Result<size_t>(message.done) : copied.error();
    }
    message.done += n;
    if (peek) continue;
    Section section(*this);
    connection_.did_read(n + found.skipped, now_us());
  }
  return message.done;
}

// MSG_OOB: the urgent byte (tcp(7)).
Result<size_t> TcpEndpoint::receive_urgent(ReceiveMessage& message) {
  std::byte value;
  {
    Section section(*this);
    const tcp::Tcb& c = connection_.view();
    if (stage_ == Stage::listening) return Errno::notconn;
    if (options.has(option_bit::oobinline) || c.urgent == tcp::Urgent::none || c.urgent == tcp::Urgent::taken)
      return Errno::inval;
    if (c.urgent == tcp::Urgent::announced) {
      if (shown_state() == tcp::State::closed || (shut_ & kReceiveShut)) return size_t{0};
      return Errno::again;
    }
    value = c.urgent_byte;
    if (!(message.flags & msg_flag::peek)) connection_.take_urgent();
  }
  message.out_flags |= msg_flag::oob;
  if (message.data.remaining() == 0) {
    message.out_flags |= msg_flag::trunc;
    return size_t{0};
  }
  if (message.flags & msg_flag::trunc) {
    message.data.advance(1);
  } else {
    TRY(message.data.put(&value, 1));
  }
  message.done = 1;
  return size_t{1};
}

void TcpEndpoint::finish_receive(ReceiveMessage& message) {
  int32_t n;
  {
    LockGuard guard(lock_);
    if (!report_inq_) return;
    n = static_cast<int32_t>(connection_.view().readable());
  }
  message.control.put(kSolTcp, kCmInq, std::as_bytes(std::span(&n, 1)));
}

}  // namespace runsc::net
