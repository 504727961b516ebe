// Receiving on AF_UNIX sockets.
#include <algorithm>

#include "fs/user_namespace.h"
#include "net/unix/unix_endpoint.h"

namespace runsc::net {

using namespace fs::poll_bit;

namespace {

constexpr uint32_t kReadable = in | rdnorm | rdband | pri | hup | rdhup | err;
constexpr uint32_t kWritable = out | wrnorm | wrband;
constexpr int kScmTimestamp = 29, kScmTimestampNs = 35, kScmTimestampNew = 63, kScmTimestampNsNew = 64;
constexpr uint32_t kOverflowId = 65534;

}  // namespace

Result<size_t> UnixEndpoint::receive(ReceiveMessage& message) {
  if (type() == socket_type::stream)
    return message.flags & msg_flag::oob ? receive_urgent(message) : receive_stream(message);
  return message.flags & msg_flag::oob ? Errno::opnotsupp : receive_dgram(message);
}

// SO_PEEK_OFF: a peek moves the place of the next one on, taking data moves it back.
void UnixEndpoint::peek_forward(int64_t n) {
  int32_t offset = options.peek_offset.load(std::memory_order_relaxed);
  if (offset >= 0) options.peek_offset.store(static_cast<int32_t>(offset + n), std::memory_order_relaxed);
}

void UnixEndpoint::peek_back(int64_t n) {
  int32_t offset = options.peek_offset.load(std::memory_order_relaxed);
  if (offset >= 0)
    options.peek_offset.store(static_cast<int32_t>(std::max<int64_t>(offset - n, 0)),
                              std::memory_order_relaxed);
}

void UnixEndpoint::note_sender(ReceiveMessage& message, const UnixMessage& from) {
  if (!message.want_address || message.has_address) return;
  message.has_address = true;
  if (Ref<UnixName> name = from.sender->bound_name()) name->put(message.address);
}

// ---- streams ----

// False: the message is somebody else's than what has been taken so far.
bool UnixEndpoint::adopt_credentials(ReceiveMessage& message, const UnixMessage& from) {
  if (message.fixed_creds) return message.creds == from.creds;
  if (options.has(option_bit::passcred)) {
    message.creds = from.creds;
    message.has_creds = message.fixed_creds = true;
  }
  return true;
}

// Takes (or peeks at) what `from` has from `skip` on. False: nothing further in this call. EFAULT.
Result<bool> UnixEndpoint::take_stream(ReceiveMessage& message, UnixMessage& from, size_t skip) {
  const size_t n = std::min<size_t>(from.left() - skip, message.data.remaining());
  TRY(from.data.drain(message.data, from.consumed + skip, n));
  message.done += n;
  if (message.flags & msg_flag::peek) {
    peek_forward(static_cast<int64_t>(n));
    if (!from.rights) return true;
    message.rights = TRY(from.rights->clone());
    return false;
  }
  from.consumed += n;
  peek_back(static_cast<int64_t>(n));
  if (from.rights) {
    from.rights->land();
    message.rights = std::move(from.rights);
  }
  if (from.left() > 0) return false;
  Ref<UnixMessage> spent;
  LockGuard guard(lock_);
  spent = pop_locked(from);
  return !message.rights;
}

// Messages that go when the reader has let go of its locks: files that came with them may be closed.
struct UnixEndpoint::Gone {
  void take(Ref<UnixMessage> message) { messages.push_back(*message.leak()); }
  ~Gone() {
    while (!messages.empty()) {
      UnixMessage& message = messages.front();
      messages.pop_front();
      (void)Ref<UnixMessage>::adopt(&message);
    }
  }
  UnixMessageList messages;
};

// Of a call that reads.
struct UnixEndpoint::Step {
  bool peek, taken;  // something has been read already
  Gone& gone;
  bool stopped = false;  // what is next does not go together with that
};

// What is read where `at` stands: an urgent byte only inline, or where nothing precedes it; neither is read
// across one, nor across the place where one has been taken. Null: nothing.
UnixMessage* UnixEndpoint::pass_urgent_locked(UnixMessage& at, Step& step) {
  UnixMessage* m = &at;
  const auto next = [&](UnixMessage& x) REQUIRES(lock_) {
    auto it = std::next(messages_.iterator_to(x));
    return it == messages_.end() ? nullptr : &*it;
  };
  if (m->left() > 0 && m != urgent_) return m;
  step.stopped = step.taken;
  if (m->left() == 0) {
    if (step.taken && !urgent_) return nullptr;
    UnixMessage* behind = next(*m);
    if (!step.peek) step.gone.take(pop_locked(*m));
    m = behind;
  }
  if (!m || m != urgent_) return m;
  if (step.taken) return nullptr;
  const bool inline_too = options.has(option_bit::oobinline);
  if (!step.peek) urgent_ = nullptr;
  if (inline_too) return m;
  UnixMessage* behind = next(*m);
  if (!step.peek) step.gone.take(pop_locked(*m));
  return behind;
}

// The message after `after` (null: the first) that has more than `skip` bytes; what the others have comes off
// `skip`. Null: there is none. Only the reader takes messages of a stream out, so it stays where it is.
Result<UnixMessage*> UnixEndpoint::next_of_stream_locked(UnixMessage* after, size_t& skip, Step& step) {
  if (state_ != State::established) return Errno::inval;
  auto at = after ? std::next(messages_.iterator_to(*after)) : messages_.begin();
  if (at == messages_.end()) return nullptr;
  UnixMessage* m = pass_urgent_locked(*at, step);
  if (!m) return nullptr;
  step.stopped = false;
  for (at = messages_.iterator_to(*m); at != messages_.end() && skip >= at->left(); ++at) skip -= at->left();
  return at == messages_.end() ? nullptr : &*at;
}

// MSG_OOB: the urgent byte, if there is one and it is not inline.
Result<size_t> UnixEndpoint::receive_urgent(ReceiveMessage& message) {
  const bool peek = message.flags & msg_flag::peek;
  LockGuard reader(receive_lock_);
  Ref<UnixMessage> from;
  {
    LockGuard guard(lock_);
    if (state_ != State::established || options.has(option_bit::oobinline) || !urgent_) return Errno::inval;
    from = Ref<UnixMessage>(*urgent_);
    if (!peek) urgent_ = nullptr;
  }
  if (message.data.remaining() == 0) return Errno::fault;
  TRY(from->data.drain(message.data, from->consumed, 1));
  if (!peek) from->consumed = from->data.size();
  message.out_flags |= msg_flag::oob;
  message.done = 1;
  return size_t{1};
}

// SIOCATMARK.
bool UnixEndpoint::at_mark() {
  LockGuard guard(lock_);
  if (messages_.empty()) return false;
  auto first = messages_.begin();
  if (&*first == urgent_) return true;
  if (type() != socket_type::stream || first->left() > 0) return false;
  auto second = std::next(first);
  return !urgent_ || (second != messages_.end() && &*second == urgent_);
}

Result<size_t> UnixEndpoint::end_of_stream_locked(ReceiveMessage& message) {
  if (int32_t e = take_error()) {
    if (message.done > 0) return message.done;
    return static_cast<Errno>(e);
  }
  if (shut_ & kReceiveShut) return message.done;
  return message.wait.at(*this, queue(), kReadable);
}

Result<size_t> UnixEndpoint::receive_stream(ReceiveMessage& message) {
  const bool peek = message.flags & msg_flag::peek;
  const size_t size = message.data.remaining() + message.done;
  size_t target = message.flags & msg_flag::waitall
                      ? size
                      : std::min<size_t>(size, options.receive_low.load(std::memory_order_relaxed));
  if (target == 0) target = 1;
  Gone gone;
  LockGuard reader(receive_lock_);
  size_t skip = peek ? std::max(options.peek_offset.load(std::memory_order_relaxed), 0) : 0;
  UnixMessage* from = nullptr;
  for (;;) {
    Step step{peek, message.done > 0, gone};
    {
      // In one section: the last bytes may come together with the end.
      LockGuard guard(lock_);
      from = TRY(next_of_stream_locked(peek ? from : nullptr, skip, step));
      if (!from) {
        // A peek does not wait for more.
        if (step.stopped || message.done >= target || (peek && message.done > 0)) return message.done;
        return end_of_stream_locked(message);
      }
    }
    if (!adopt_credentials(message, *from)) return message.done;
    note_sender(message, *from);
    Result<bool> more = take_stream(message, *from, skip);
    if (!more) {
      if (message.done > 0) return message.done;
      return more.error();
    }
    if (!*more || message.data.remaining() == 0) return message.done;
    skip = 0;
  }
}

// ---- datagrams and sequenced packets ----

// The next message, out of the queue unless it is only peeked at. `skip` becomes where it starts for this
// peek.
Ref<UnixMessage> UnixEndpoint::take_dgram_locked(uint32_t flags, int64_t& skip) {
  const bool peek = flags & msg_flag::peek;
  int64_t offset = peek ? options.peek_offset.load(std::memory_order_relaxed) : -1;
  const bool from_offset = offset >= 0;
  if (!from_offset) offset = 0;
  for (UnixMessage& m : messages_) {
    auto size = static_cast<int64_t>(m.data.size());
    if (from_offset && offset >= size && (offset > 0 || m.peeked)) {
      offset -= size;
      continue;
    }
    skip = offset;
    if (!peek) return pop_locked(m);
    m.peeked = true;
    return Ref<UnixMessage>(m);
  }
  return {};
}

// Why there is no message: EAGAIN to wait for one, or the end.
Result<size_t> UnixEndpoint::empty_dgram_locked(ReceiveMessage& message) {
  if ((shut_ & kReceiveShut) && (!message.wait.nonblocking || type() == socket_type::seqpacket))
    return size_t{0};
  return message.wait.at(*this, queue(), kReadable);
}

Result<size_t> UnixEndpoint::receive_dgram(ReceiveMessage& message) {
  if (type() == socket_type::seqpacket) {
    LockGuard guard(lock_);
    if (state_ != State::established) return Errno::notconn;
  }
  const bool peek = message.flags & msg_flag::peek;
  LockGuard reader(receive_lock_);
  if (int32_t e = take_error()) return static_cast<Errno>(e);
  int64_t skip = 0;
  Ref<UnixMessage> from;
  {
    LockGuard guard(lock_);
    from = take_dgram_locked(message.flags, skip);
    if (!from) return empty_dgram_locked(message);
  }
  room_.wake(kWritable);
  note_sender(message, *from);
  const size_t whole = from->data.size() - static_cast<size_t>(skip);
  size_t n = std::min<size_t>(whole, message.data.remaining());
  if (n < whole) message.out_flags |= msg_flag::trunc;
  TRY(from->data.drain(message.data, static_cast<size_t>(skip), n));
  message.timestamp_ns = from->timestamp_ns;
  if (options.has(option_bit::passcred)) {
    message.creds = from->creds;
    message.has_creds = true;
  }
  if (peek) {
    peek_forward(static_cast<int64_t>(n));
    if (from->rights) message.rights = TRY(from->rights->clone());
  } else {
    peek_back(static_cast<int64_t>(from->data.size()));
    if (from->rights) {
      from->rights->land();
      message.rights = std::move(from->rights);
    }
  }
  message.done = n;
  return message.flags & msg_flag::trunc ? whole : n;
}

// ---- ancillary data ----

void UnixEndpoint::finish_receive(ReceiveMessage& message) {
  if (message.timestamp_ns != 0 && options.has(option_bit::timestamp)) {
    const bool ns = options.has(option_bit::timestampns), fresh = options.has(option_bit::timestamp_new);
    struct {
      int64_t sec, part;
    } stamp{message.timestamp_ns / 1'000'000'000, message.timestamp_ns % 1'000'000'000};
    if (!ns) stamp.part /= 1000;
    int kind =
        ns ? (fresh ? kScmTimestampNsNew : kScmTimestampNs) : (fresh ? kScmTimestampNew : kScmTimestamp);
    message.control.put(kSolSocket, kind, std::as_bytes(std::span(&stamp, 1)));
  }
  if (!message.control.present()) {
    if (message.has_creds || message.rights) message.control.set_truncated();
    message.rights.reset();
    return;
  }
  if (message.has_creds) {
    PeerCredentials creds = message.creds;
    creds.pid = message.caller.number_of(creds.pid);
    creds.uid = creds.uid == ~0u ? kOverflowId : fs::shown_uid(message.caller.creds, creds.uid);
    creds.gid = creds.gid == ~0u ? kOverflowId : fs::shown_gid(message.caller.creds, creds.gid);
    message.control.put(kSolSocket, control_type::credentials, std::as_bytes(std::span(&creds, 1)));
  }
  if (message.rights)
    message.control.put_files(message.caller, message.rights->files(),
                              message.flags & msg_flag::cmsg_cloexec);
  message.rights.reset();
}

}  // namespace runsc::net
