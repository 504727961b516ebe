// Connections of AF_UNIX sockets: listen(2), connect(2), accept(2), socketpair(2), shutdown(2).
#include "net/unix/unix_endpoint.h"

namespace runsc::net {

using namespace fs::poll_bit;

namespace {
constexpr uint32_t kWritable = out | wrnorm | wrband;
constexpr uint32_t kArrived = in | rdnorm | rdband | pri;
constexpr int kMaxBacklog = 4096;  // /proc/sys/net/core/somaxconn

PeerCredentials credentials_of(const Caller& caller) {
  return {caller.pid, caller.creds.euid, caller.creds.egid};
}
}  // namespace

void UnixEndpoint::set_peer_credentials(const PeerCredentials& creds, Ref<const fs::Credentials> groups) {
  peer_creds_ = creds;
  peer_groups_ = std::move(groups);
}

Result<void> UnixEndpoint::listen(const Caller& caller, int backlog) {
  if (type() == socket_type::dgram) return Errno::opnotsupp;
  if (backlog < 0 || backlog > kMaxBacklog) backlog = kMaxBacklog;
  Ref<const fs::Credentials> creds(caller.creds), old;
  bool more;
  {
    LockGuard guard(lock_);
    if (!name_) return Errno::inval;
    if (state_ == State::established) return Errno::inval;
    more = static_cast<uint32_t>(backlog) > backlog_;
    backlog_ = static_cast<uint32_t>(backlog);
    state_ = State::listening;
    old = std::move(peer_groups_);
    set_peer_credentials(credentials_of(caller), std::move(creds));
  }
  if (more) room_.wake_all(kWritable);
  return {};
}

Ref<UnixEndpoint> UnixEndpoint::take_incoming_locked() {
  UnixEndpoint* first = incoming_first_;
  if (!first) return {};
  incoming_first_ = std::exchange(first->incoming_next_, nullptr);
  if (!incoming_first_) incoming_last_ = nullptr;
  --queued_;
  return Ref<UnixEndpoint>::adopt(first);
}

Result<Ref<Endpoint>> UnixEndpoint::accept(WaitPoint& wait) {
  if (type() == socket_type::dgram) return Errno::opnotsupp;
  Ref<UnixEndpoint> fresh;
  {
    LockGuard guard(lock_);
    if (state_ != State::listening) return Errno::inval;
    fresh = take_incoming_locked();
    if (!fresh && (shut_ & kReceiveShut) && !wait.nonblocking) return Errno::inval;
  }
  if (!fresh) return wait.at(*this, queue(), kArrived | hup | err | rdhup);
  room_.wake(kWritable);
  return Ref<Endpoint>(std::move(fresh));
}

Result<void> UnixEndpoint::connect(const Caller& caller, std::span<const std::byte> address,
                                   WaitPoint& wait) {
  if (type() == socket_type::dgram) {
    uint16_t family = 0;
    if (address.size() < sizeof family) return Errno::inval;
    __builtin_memcpy(&family, address.data(), sizeof family);
    if (family == family_number::unspec) return connect_dgram(caller, {}, true);
    return connect_dgram(caller, TRY(unix_path_of(address)), false);
  }
  return connect_stream(caller, TRY(unix_path_of(address)), wait);
}

// ---- streams ----

Result<void> UnixEndpoint::connect_stream(const Caller& caller, std::string_view path, WaitPoint& wait) {
  TRY(autobind_for_credentials());
  Ref<UnixEndpoint> fresh = TRY(create(net(), type()));
  for (;;) {
    Result<Ref<UnixEndpoint>> listener = find(caller, path);
    Result<bool> done = listener ? try_connect(caller, **listener, fresh, wait) : listener.error();
    if (done && !*done) continue;  // it died: whoever has the name now counts
    if (done) return {};
    fresh->release();
    return done.error();
  }
}

// False: the listener is gone.
Result<bool> UnixEndpoint::try_connect(const Caller& caller, UnixEndpoint& listener,
                                       const Ref<UnixEndpoint>& fresh,
                                       WaitPoint& wait) NO_THREAD_SAFETY_ANALYSIS {
  {
    PairGuard guard(*this, listener);
    if (listener.dead_) return false;
    if (listener.state_ != State::listening || (listener.shut_ & kReceiveShut)) return Errno::connrefused;
    if (listener.full_locked()) return wait.at(listener, listener.room_, kWritable);
    if (state_ != State::closed) return state_ == State::established ? Errno::isconn : Errno::inval;
    TRY(link_locked(caller, listener, fresh));
  }
  listener.queue().wake_all(kArrived);
  queue().wake_all(kWritable);
  return true;
}

Result<void> UnixEndpoint::link_locked(const Caller& caller, UnixEndpoint& listener,
                                       const Ref<UnixEndpoint>& fresh) {
  Ref<const fs::Credentials> creds(caller.creds);
  {
    // Nobody else knows it yet: its lock is for the analysis and for /proc/net/unix.
    LockGuard guard(fresh->lock_);
    fresh->peer_ = Ref<UnixEndpoint>(*this);
    fresh->state_ = State::established;
    fresh->name_ = listener.name_;
    fresh->set_peer_credentials(credentials_of(caller), std::move(creds));
  }
  set_peer_credentials(listener.peer_creds_, listener.peer_groups_);
  state_ = State::established;
  peer_ = fresh;
  UnixEndpoint* last = Ref<UnixEndpoint>(fresh).leak();
  (listener.incoming_last_ ? listener.incoming_last_->incoming_next_ : listener.incoming_first_) = last;
  listener.incoming_last_ = last;
  ++listener.queued_;
  return {};
}

Result<void> UnixEndpoint::pair(const Caller& caller, Endpoint& other_endpoint) NO_THREAD_SAFETY_ANALYSIS {
  auto& other = static_cast<UnixEndpoint&>(other_endpoint);
  Ref<const fs::Credentials> mine(caller.creds), theirs(caller.creds);
  PairGuard guard(*this, other);
  peer_ = Ref<UnixEndpoint>(other);
  other.peer_ = Ref<UnixEndpoint>(*this);
  set_peer_credentials(credentials_of(caller), std::move(mine));
  other.set_peer_credentials(credentials_of(caller), std::move(theirs));
  state_ = other.state_ = State::established;
  return {};
}

// ---- datagrams ----

// unix(7): a connected datagram socket sends to its peer, and receives from it only.
Result<void> UnixEndpoint::connect_dgram(const Caller& caller, std::string_view path, bool dissolve) {
  Ref<UnixEndpoint> old;
  if (dissolve) {
    LockGuard changing(bind_lock_);
    {
      LockGuard guard(lock_);
      std::swap(old, peer_);
      state_ = State::closed;
    }
    set_dgram_peer({}, std::move(old));
    return {};
  }
  TRY(autobind_for_credentials());
  LockGuard changing(bind_lock_);
  for (;;) {
    Ref<UnixEndpoint> other = TRY(find(caller, path));
    Result<bool> done = [&]() NO_THREAD_SAFETY_ANALYSIS -> Result<bool> {
      PairGuard guard(*this, *other);
      if (other->dead_) return false;
      if (!may_send_to_locked(*other)) return Errno::perm;
      state_ = other->state_ = State::established;
      old = std::exchange(peer_, other);
      return true;
    }();
    if (!TRY(std::move(done))) continue;
    set_dgram_peer(std::move(other), std::move(old));
    return {};
  }
}

// After the peer has changed from `old`.
void UnixEndpoint::set_dgram_peer(Ref<UnixEndpoint> other, Ref<UnixEndpoint> old) {
  if (old) {
    old->room_.remove(room_watch_);
    queue().wake_all(kWritable);
    if (old != other) {
      disconnected_from(*old);
      LockGuard guard(old->lock_);
      if (!old->peer_) old->state_ = State::closed;
    }
  }
  if (other) other->room_.add(room_watch_, kWritable);
}

// What came from the old peer is lost; a peer that was connected to us hears of it.
void UnixEndpoint::disconnected_from(UnixEndpoint& other) {
  UnixMessageList messages;
  {
    LockGuard guard(lock_);
    messages.swap(messages_);
    urgent_ = nullptr;
    queued_ = 0;
  }
  if (messages.empty()) return;
  while (!messages.empty()) {
    Ref<UnixMessage> message = Ref<UnixMessage>::adopt(&messages.front());
    messages.pop_front();
  }
  room_.wake_all(kWritable);
  {
    LockGuard guard(other.lock_);
    if (other.dead_ || other.peer_.get() != this) return;
  }
  other.set_error(Errno::connreset);
  other.queue().wake_all();
}

// ---- shutdown ----

Result<void> UnixEndpoint::shutdown(uint32_t how) {
  Ref<UnixEndpoint> peer;
  {
    LockGuard guard(lock_);
    shut_ |= how;
    if (type() != socket_type::dgram) peer = peer_;
  }
  queue().wake_all();
  if (!peer) return {};
  {
    LockGuard guard(peer->lock_);
    if (how & kReceiveShut) peer->shut_ |= kSendShut;
    if (how & kSendShut) peer->shut_ |= kReceiveShut;
  }
  peer->queue().wake_all();
  return {};
}

}  // namespace runsc::net
