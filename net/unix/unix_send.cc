// Sending on AF_UNIX sockets.
#include <algorithm>

#include "fs/user_namespace.h"
#include "kernel/base/check.h"
#include "net/socket_filter.h"
#include "net/unix/unix_endpoint.h"

namespace runsc::net {

using namespace fs::poll_bit;
using fs::Cap;

namespace {

constexpr uint32_t kWritable = out | wrnorm | wrband;
constexpr uint32_t kArrived = in | rdnorm | rdband | pri;
// The largest piece of a stream in one message: 32 KiB of pages and one piece of object memory.
constexpr size_t kStreamPages = 32768, kSmallMax = Buffer::kSmall;
// Linux takes up to four pages in one piece for a datagram; it matters for what is counted only.
constexpr size_t kDgramSmallMax = 16064;
// What a descriptor of a message takes away from a small send buffer.
constexpr size_t kStreamReserve = 64, kDgramReserve = 32;

class MessageView final : public FilterView {
 public:
  explicit MessageView(const UnixMessage& message) : message_(message) {}
  uint32_t size() const override { return static_cast<uint32_t>(message_.data.size()); }
  bool read(int64_t offset, std::span<std::byte> out) const override {
    return offset >= 0 && message_.data.read(static_cast<size_t>(offset), out);
  }

 private:
  const UnixMessage& message_;
};

// unix(7), SCM_CREDENTIALS: who is not privileged tells the truth.
Result<PeerCredentials> checked_credentials(const Caller& caller, std::span<const std::byte> data) {
  PeerCredentials c;
  if (data.size() != sizeof c) return Errno::inval;
  __builtin_memcpy(&c, data.data(), sizeof c);
  const fs::Credentials& mine = caller.creds;
  c.uid = fs::global_uid(mine.user_ns.get(), c.uid);
  c.gid = fs::global_gid(mine.user_ns.get(), c.gid);
  if (c.uid == ~0u || c.gid == ~0u) return Errno::inval;
  const int32_t own = caller.number_of(caller.pid);
  c.pid = c.pid == own ? caller.pid : caller.process_of(c.pid);
  const bool pid_ok = c.pid >= 0;  // else it is not for the caller to name
  bool uid_ok = c.uid == mine.uid || c.uid == mine.euid || c.uid == mine.suid || mine.has_own(Cap::setuid);
  bool gid_ok = c.gid == mine.gid || c.gid == mine.egid || c.gid == mine.sgid || mine.has_own(Cap::setgid);
  if (!pid_ok || !uid_ok || !gid_ok) return Errno::perm;
  if (c.pid == 0) return Errno::srch;
  return c;
}

}  // namespace

// Reads the ancillary data, once.
Result<void> UnixEndpoint::prepare_send(SendMessage& message) {
  if (std::exchange(message.prepared, true)) return {};
  ControlReader reader(message.control);
  ControlReader::Item item;
  while (TRY(reader.next(item))) {
    if (item.level != kSolSocket) continue;
    if (item.type == control_type::rights) {
      if (!message.rights) message.rights = make<Rights>();
      if (!message.rights) return Errno::nomem;
      TRY(message.rights->add(message.caller, item.data));
    } else if (item.type == control_type::credentials) {
      message.creds = TRY(checked_credentials(message.caller, item.data));
      message.has_creds = true;
    } else {
      return Errno::inval;
    }
  }
  if (!message.rights) return {};
  if (message.rights->empty()) {
    message.rights.reset();
    return {};
  }
  return message.rights->take_off(message.caller);
}

Result<size_t> UnixEndpoint::send(SendMessage& message) {
  Result<void> prepared = prepare_send(message);
  if (!prepared) return prepared.error();
  if ((message.flags & msg_flag::oob) && type() != socket_type::stream) return Errno::opnotsupp;
  return type() == socket_type::stream ? send_stream(message) : send_dgram(message);
}

// A charged message of `size` bytes out of the caller's memory. EAGAIN: no room in the send buffer now.
Result<Ref<UnixMessage>> UnixEndpoint::make_message(SendMessage& message, size_t size, size_t header_max) {
  if (Errno e = static_cast<Errno>(take_error()); e != Errno{}) return e;
  {
    LockGuard guard(lock_);
    if (shut_ & kSendShut) return Errno::pipe;
  }
  if (charged_.load(std::memory_order_seq_cst) >= options.send_buffer.load(std::memory_order_relaxed))
    return message.wait.at(*this, queue(), kWritable | err | hup);
  size_t header = size;
  if (size > header_max) header = size - std::min<size_t>(size, mm::page_up(size - header_max));
  const uint32_t charge = unix_message_charge(header, size);
  charged_.fetch_add(charge, std::memory_order_seq_cst);
  Ref<UnixMessage> fresh = make_ref<UnixMessage>(Ref<UnixEndpoint>(*this), charge);
  if (!fresh) {
    uncharge(charge);
    return Errno::nobufs;
  }
  fresh->data = TRY(Buffer::create(size));
  const uint64_t before = message.data.done();
  Result<void> filled = fresh->data.fill(message.data);
  if (!filled) {
    message.data.rewind(message.data.done() - before);
    return filled.error();
  }
  if (message.has_creds) fresh->creds = message.creds;
  return fresh;
}

// What the receiver's options ask to be told.
void UnixEndpoint::stamp(UnixMessage& message, const Caller& caller, UnixEndpoint& to) {
  if (message.creds.pid == 0 && (options.has(option_bit::passcred) || to.options.has(option_bit::passcred) ||
                                 !to.file_.load(std::memory_order_acquire)))
    message.creds = {caller.pid, caller.creds.uid, caller.creds.gid};
  if (to.options.has(option_bit::timestamp)) {
    fs::Time now = fs::now_realtime();
    message.timestamp_ns = now.sec * 1'000'000'000 + now.nsec;
  }
}

// ---- streams ----

// EPIPE: nobody reads any more.
Result<void> UnixEndpoint::send_piece(SendMessage& message, UnixEndpoint& to, size_t size, bool urgent) {
  Ref<UnixMessage> fresh = TRY(make_message(message, size, kSmallMax));
  stamp(*fresh, message.caller, to);
  fresh->rights = std::move(message.rights);
  bool gone;
  {
    LockGuard guard(to.lock_);
    gone = to.dead_ || (to.shut_ & kReceiveShut);
    if (!gone) to.append_locked(fresh);
    // One that nobody has read is urgent no longer.
    if (!gone && urgent) to.urgent_ = fresh.get();
  }
  if (gone) {
    message.data.rewind(size);
    return Errno::pipe;
  }
  to.queue().wake(urgent ? kArrived | kUrgentEvent : kArrived);
  message.done += size;
  return {};
}

Result<size_t> UnixEndpoint::send_stream(SendMessage& message) {
  const bool urgent = message.flags & msg_flag::oob;
  Ref<UnixEndpoint> to;
  bool shut;
  {
    LockGuard guard(lock_);
    if (urgent && message.data.remaining() == 0) return Errno::opnotsupp;
    if (message.has_address) return state_ == State::established ? Errno::isconn : Errno::opnotsupp;
    if (!peer_) return Errno::notconn;
    to = peer_;
    shut = shut_ & kSendShut;
  }
  auto broken = [&]() -> Result<size_t> {
    if (message.done > 0) return message.done;
    message.sigpipe = true;
    return Errno::pipe;
  };
  if (shut) return broken();
  while (message.data.remaining() > 0) {
    const size_t send_buffer = options.send_buffer.load(std::memory_order_relaxed);
    // The last byte alone is urgent.
    const size_t left = message.data.remaining();
    const bool last = urgent && left == 1;
    size_t size = std::min<size_t>(urgent && !last ? left - 1 : left, send_buffer / 2 - kStreamReserve);
    size = std::min(size, kSmallMax + kStreamPages);
    Result<void> sent = send_piece(message, *to, size, last);
    if (sent) continue;
    if (sent.error() != Errno::again && message.done > 0) return message.done;
    if (sent.error() == Errno::pipe) return broken();
    return sent.error();
  }
  return message.done;
}

// ---- datagrams and sequenced packets ----

// The receiver: of the address, or the peer.
Result<Ref<UnixEndpoint>> UnixEndpoint::dgram_target(SendMessage& message) {
  if (message.has_address && type() == socket_type::dgram)
    return find(message.caller, TRY(unix_path_of(message.address)));
  LockGuard guard(lock_);
  if (!peer_) return Errno::notconn;
  return peer_;
}

Result<size_t> UnixEndpoint::send_dgram(SendMessage& message) {
  const bool packets = type() == socket_type::seqpacket;
  if (packets) {
    if (Errno e = static_cast<Errno>(take_error()); e != Errno{}) return e;
    LockGuard guard(lock_);
    if (state_ != State::established) return Errno::notconn;
  }
  const bool addressed = message.has_address && !packets;
  if (addressed) TRY(unix_path_of(message.address));
  Ref<UnixEndpoint> to;
  if (!addressed) to = TRY(dgram_target(message));
  TRY(autobind_for_credentials());
  const size_t size = message.data.remaining();
  if (size > options.send_buffer.load(std::memory_order_relaxed) - kDgramReserve) return Errno::msgsize;
  const uint64_t before = message.data.done();
  Result<Ref<UnixMessage>> fresh = make_message(message, size, kDgramSmallMax);
  if (!fresh) return fresh.error();
  Result<void> delivered;
  bool retry = false;
  do {
    if (addressed || retry) {
      Result<Ref<UnixEndpoint>> found =
          addressed ? find(message.caller, TRY(unix_path_of(message.address))) : Errno::connreset;
      if (!found) {
        delivered = found.error();
        break;
      }
      to = std::move(*found);
    }
    message.wait.queue = nullptr;
    delivered = deliver_dgram(message, *to, *fresh);
    retry = !delivered && delivered.error() == Errno::again && !message.wait.queue;
  } while (retry);
  if (!delivered) {
    // Tried again from the start: the files go with the next message.
    message.data.rewind(message.data.done() - before);
    if ((*fresh)->rights) message.rights = std::move((*fresh)->rights);
    return delivered.error();
  }
  to->queue().wake(kArrived);
  message.done = size;
  return size;
}

Result<void> UnixEndpoint::deliver_dgram(SendMessage& message, UnixEndpoint& to,
                                         const Ref<UnixMessage>& fresh) {
  stamp(*fresh, message.caller, to);
  // What a filter does not want is gone without a word to the sender.
  bool wanted = true;
  if (Ref<SocketFilter> filter = to.filter()) {
    const uint32_t keep = filter->run(MessageView(*fresh));
    wanted = keep != 0;
    if (keep < fresh->data.size()) fresh->data.trim(keep);
  }
  bool dead;
  {
    LockGuard guard(to.lock_);
    dead = to.dead_;
    if (!dead) {
      if (!may_send_to_locked(to)) return Errno::perm;
      if (to.shut_ & kReceiveShut) return Errno::pipe;
      if (!wanted) return {};
      if (&to != this && to.peer_.get() != this && to.full_locked())
        return message.wait.at(to, to.room_, kWritable);
      if (!fresh->rights) fresh->rights = std::move(message.rights);
      to.append_locked(fresh);
      return {};
    }
  }
  return lost_target(to);
}

// The receiver has been closed: a peer is one no longer.
Errno UnixEndpoint::lost_target(UnixEndpoint& to) {
  if (type() == socket_type::seqpacket) return Errno::pipe;
  LockGuard changing(bind_lock_);
  Ref<UnixEndpoint> old;
  {
    LockGuard guard(lock_);
    if (peer_.get() != &to) return Errno::again;
    std::swap(old, peer_);
    state_ = State::closed;
  }
  set_dgram_peer({}, std::move(old));
  return Errno::connrefused;
}

}  // namespace runsc::net
