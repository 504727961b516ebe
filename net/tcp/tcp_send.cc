// Writing: out of the application's memory into pages, once; from there segments share them.
#include <algorithm>

#include "net/tcp/tcp_endpoint.h"

namespace runsc::net {

using namespace fs::poll_bit;

namespace {
constexpr uint32_t kFastOpen = 0x20000000;    // MSG_FASTOPEN
constexpr uint32_t kDrainEvery = 256 * 1024;  // bytes sent before what they cause is looked at
constexpr size_t kBlock = 32768;
constexpr uint32_t kRoomEvents = kTcpWritable | err | hup;
}  // namespace

// Whether bytes can go: Errno{} yes, EAGAIN with where to wait, EPIPE, what has happened.
Errno TcpEndpoint::may_send_locked(SendMessage& message) {
  const tcp::Tcb& c = connection_.view();
  // After some bytes it stays for the next call.
  if (error() && message.done > 0) return Errno::pipe;
  if (int32_t e = take_error()) return static_cast<Errno>(e);
  if (stage_ == Stage::listening || (shut_ & kSendShut)) return Errno::pipe;
  switch (c.state) {
    case tcp::State::established:
    case tcp::State::close_wait:
      return Errno{};
    case tcp::State::syn_sent:
    case tcp::State::syn_received:
      return message.wait.at(*this, queue(), kRoomEvents);
    default:
      return Errno::pipe;
  }
}

// Up to `room` bytes into the block that is being filled, or a new one. They are nobody else's yet.
Result<uint32_t> TcpEndpoint::fill_tail(SendMessage& message, size_t room) {
  const size_t wanted = std::min<size_t>(message.data.remaining(), room);
  if (tail_used_ >= tail_.size()) {
    tail_ = TRY(Slice::allocate(std::min(std::max<size_t>(wanted, mm::kPageSize), kBlock)));
    tail_used_ = 0;
  }
  const auto n = static_cast<uint32_t>(std::min<size_t>(wanted, tail_.size() - tail_used_));
  const size_t got = TRY(message.data.get(tail_.data() + tail_used_, n));
  return static_cast<uint32_t>(got);
}

Result<size_t> TcpEndpoint::send_more(SendMessage& message) {
  const bool urgent = message.flags & msg_flag::oob;
  uint32_t since_drain = 0;
  for (;;) {
    size_t room = 0;
    {
      Section section(*this);
      if (Errno e = may_send_locked(message); e != Errno{}) return e;
      const uint32_t queued = connection_.view().unacknowledged();
      const uint32_t most = options.send_buffer.load(std::memory_order_relaxed);
      room = queued < most ? most - queued : 0;
      if (connection_.view().unsent() >= not_sent_low_) room = 0;
      if (room == 0 && message.data.remaining() > 0) {
        connection_.wrote(0, true, false, false, now_us());
        no_space_ = true;
      }
    }
    if (message.data.remaining() == 0) return message.done;
    if (room == 0) {
      // What is on its way on loopback may make room at once.
      if (since_drain > 0) {
        stack().drain();
        since_drain = 0;
        continue;
      }
      return message.wait.at(*this, queue(), kRoomEvents);
    }
    Unique<tcp::SendQueue::Node> spare = make<tcp::SendQueue::Node>();
    if (!spare) return Errno::nobufs;
    const uint32_t n = TRY(fill_tail(message, room));
    if (n == 0) return Errno::fault;
    {
      Section section(*this);
      if (Errno e = may_send_locked(message); e != Errno{}) {
        message.data.rewind(n);
        return e;
      }
      const bool last = message.data.remaining() == 0;
      send_queue_.append(tail_.part(tail_used_, n), spare);
      tail_used_ += n;
      connection_.wrote(n, last, !last || (message.flags & msg_flag::more), urgent && last, now_us());
    }
    message.done += n;
    since_drain += n;
    if (since_drain < kDrainEvery) continue;
    stack().drain();
    since_drain = 0;
  }
}

Result<size_t> TcpEndpoint::send(SendMessage& message) {
  if (message.flags & kFastOpen) return Errno::opnotsupp;
  DrainAtEnd drain(stack());
  LockGuard writer(send_lock_);
  Result<size_t> n = send_more(message);
  if (n) return n;
  if (n.error() == Errno::again) return n;
  if (message.done > 0) return message.done;
  message.sigpipe = n.error() == Errno::pipe;
  return n;
}

}  // namespace runsc::net
