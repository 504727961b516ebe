// The life of an AF_UNIX socket, and what is asked of it: poll, ioctl, options, /proc/net/unix.
#include "net/unix/unix_endpoint.h"

#include "net/inet/device_ioctl.h"
#include "net/socket.h"

namespace runsc::net {

using namespace fs::poll_bit;

namespace {

constexpr uint32_t kDgramBacklog = 10;  // /proc/sys/net/unix/max_dgram_qlen
constexpr uint32_t kReadable = in | rdnorm | rdband | pri, kWritable = out | wrnorm | wrband;

constexpr uint32_t kFionread = 0x541b, kSiocoutq = 0x5411, kSiocatmark = 0x8905;
constexpr int kOptionPeekOff = 42, kOptionPeerSec = 31;

}  // namespace

UnixEndpoint* unix_endpoint_of(fs::File& file) {
  Socket* socket = socket_of(file);
  if (!socket || socket->endpoint().domain() != family_number::local) return nullptr;
  return static_cast<UnixEndpoint*>(&socket->endpoint());
}

UnixEndpoint::UnixEndpoint(NetworkNamespace& net, int type)
    : Endpoint(Ref<NetworkNamespace>(net), family_number::local, type, 0), backlog_(kDgramBacklog) {}

UnixEndpoint::~UnixEndpoint() = default;

Result<Ref<UnixEndpoint>> UnixEndpoint::create(NetworkNamespace& net, int type) {
  Ref<UnixEndpoint> endpoint = make_ref<UnixEndpoint>(net, type);
  if (!endpoint) return Errno::nomem;
  net.local_sockets.add(*endpoint);
  return endpoint;
}

Result<Ref<Endpoint>> create_unix_endpoint(const Caller&, NetworkNamespace& net, int type, int protocol) {
  if (protocol != 0 && protocol != family_number::local) return Errno::protonosupport;
  // Linux takes a raw socket of this family for a datagram one.
  if (type == socket_type::raw) type = socket_type::dgram;
  if (type != socket_type::stream && type != socket_type::dgram && type != socket_type::seqpacket)
    return Errno::socktnosupport;
  return Ref<Endpoint>(TRY(UnixEndpoint::create(net, type)));
}

void UnixEndpoint::attached(Socket& file) {
  if (Result<fs::Attr> attr = file.get_attr()) ino_.store(attr->ino, std::memory_order_relaxed);
  file_.store(&file, std::memory_order_release);
}

void UnixEndpoint::release() {
  net().local_sockets.remove(*this);
  Ref<UnixEndpoint> peer;
  Ref<UnixName> name;
  Ref<UnixBinding> binding;
  UnixMessageList messages;
  UnixEndpoint* incoming;
  bool unread;
  {
    LockGuard guard(lock_);
    dead_ = true;
    shut_ = kBothShut;
    state_ = State::closed;
    std::swap(peer, peer_);
    std::swap(name, name_);
    std::swap(binding, binding_);
    messages.swap(messages_);
    urgent_ = nullptr;
    incoming = std::exchange(incoming_first_, nullptr);
    incoming_last_ = nullptr;
    queued_ = 0;
    // What was never accepted ends like what was never read.
    // What is left of an urgent byte that has been taken is nothing to read.
    const bool mark = type() == socket_type::stream && !messages.empty() && messages.front().left() == 0;
    unread = messages.size() > (mark ? 1 : 0) || !file_.load(std::memory_order_relaxed);
  }
  if (binding) {
    binding->clear();
    fs::inode_of(name->place).detach(fs::AttachmentKind::special);
  }
  room_.wake_all(kWritable);
  if (peer) {
    if (type() != socket_type::dgram) {
      {
        LockGuard guard(peer->lock_);
        peer->shut_ = kBothShut;
      }
      if (unread) peer->set_error(Errno::connreset);
      peer->queue().wake_all();
    }
    peer->room_.remove(room_watch_);
  }
  while (incoming) {
    Ref<UnixEndpoint> next = Ref<UnixEndpoint>::adopt(incoming);
    incoming = std::exchange(next->incoming_next_, nullptr);
    next->release();
  }
  while (!messages.empty()) {
    Ref<UnixMessage> message = Ref<UnixMessage>::adopt(&messages.front());
    messages.pop_front();
  }
  collect_garbage();
}

// ---- queues ----

void UnixEndpoint::append_locked(Ref<UnixMessage> message) {
  messages_.push_back(*message.leak());
  ++queued_;
}

Ref<UnixMessage> UnixEndpoint::pop_locked(UnixMessage& message) {
  messages_.erase(messages_.iterator_to(message));
  if (urgent_ == &message) urgent_ = nullptr;
  --queued_;
  return Ref<UnixMessage>::adopt(&message);
}

bool UnixEndpoint::writable() const {
  return charged_.load(std::memory_order_seq_cst) * 4 <= options.send_buffer.load(std::memory_order_relaxed);
}

void UnixEndpoint::uncharge(uint32_t size) {
  charged_.fetch_sub(size, std::memory_order_seq_cst);
  if (writable()) queue().wake_all(kWritable);
}

void UnixEndpoint::send_room_changed() {
  if (writable()) queue().wake_all(kWritable);
}

bool UnixEndpoint::RoomWatch::notify(uint32_t events) {
  if (!armed.exchange(false, std::memory_order_seq_cst)) return false;
  return owner_.queue().wake_all(events) > 0;
}

// ---- what is asked ----

uint32_t UnixEndpoint::poll() {
  uint32_t bits = error() ? err : 0;
  Ref<UnixEndpoint> full_peer;
  {
    LockGuard guard(lock_);
    if (shut_ == kBothShut) bits |= hup;
    if (shut_ & kReceiveShut) bits |= rdhup | in | rdnorm;
    if (queued_ > 0) bits |= in | rdnorm;
    if (urgent_) bits |= pri;
    if (type() != socket_type::dgram && state_ == State::closed) bits |= hup;
    if (state_ != State::listening && writable()) bits |= kWritable;
    if (type() == socket_type::dgram && peer_ && peer_.get() != this && (bits & out)) full_peer = peer_;
  }
  if (!full_peer) return bits;
  auto full = [&] {
    LockGuard guard(full_peer->lock_);
    return full_peer->peer_.get() != this && full_peer->full_locked() && !full_peer->dead_;
  };
  if (!full()) return bits;
  // Ordered before the second look: whoever makes room after it finds the mark.
  room_watch_.armed.store(true, std::memory_order_seq_cst);
  return full() ? bits & ~kWritable : bits;
}

Result<uint64_t> UnixEndpoint::ioctl(uint32_t request, uint64_t argument, const fs::IoctlContext& context) {
  int32_t n = 0;
  if (request == kSiocoutq) {
    n = static_cast<int32_t>(charged_.load(std::memory_order_relaxed));
  } else if (request == kFionread) {
    LockGuard guard(lock_);
    if (state_ == State::listening) return Errno::inval;
    for (const UnixMessage& message : messages_) {
      n += static_cast<int32_t>(message.left());
      if (type() == socket_type::dgram) break;
    }
  } else if (request == kSiocatmark) {
    n = at_mark() ? 1 : 0;
  } else {
    return device_ioctl(net(), false, request, argument, context);
  }
  TRY(mm::copy_out(context.space, mm::UserPtr<int32_t>(argument), n));
  return uint64_t{0};
}

bool UnixEndpoint::listening() {
  LockGuard guard(lock_);
  return state_ == State::listening;
}

PeerCredentials UnixEndpoint::peer_credentials() {
  LockGuard guard(lock_);
  return peer_creds_;
}

Ref<const fs::Credentials> UnixEndpoint::peer_groups() {
  LockGuard guard(lock_);
  return peer_groups_;
}

Result<void> UnixEndpoint::set_socket_option(const Caller& caller, int name, uint64_t address,
                                             uint32_t size) {
  if (name != kOptionPeekOff) return Endpoint::set_socket_option(caller, name, address, size);
  if (size < sizeof(int32_t)) return Errno::inval;
  int32_t offset = TRY(mm::copy_in(caller.space, mm::UserPtr<int32_t>(address)));
  LockGuard guard(receive_lock_);
  options.peek_offset.store(offset, std::memory_order_relaxed);
  return {};
}

Result<uint32_t> UnixEndpoint::get_socket_option(const Caller& caller, int name, uint64_t address,
                                                 uint32_t size) {
  if (name == kOptionPeerSec) return Errno::noprotoopt;
  if (name != kOptionPeekOff) return Endpoint::get_socket_option(caller, name, address, size);
  int32_t offset = options.peek_offset.load(std::memory_order_relaxed);
  uint32_t n = size < sizeof offset ? size : static_cast<uint32_t>(sizeof offset);
  TRY(mm::copy_out_bytes(caller.space, address, &offset, n));
  return n;
}

void UnixEndpoint::fdinfo(TextSink& out) const {
  uint32_t files = 0;
  {
    LockGuard guard(lock_);
    for (const UnixMessage& message : messages_) files += message.rights ? 1 : 0;
  }
  format(out, "scm_fds: {}\n", files);
}

void UnixEndpoint::describe(TextSink& out) {
  Ref<UnixName> name;
  uint32_t flags = 0, status;
  {
    LockGuard guard(lock_);
    if (dead_) return;
    name = name_;
    if (state_ == State::listening) flags = 0x10000;
    status = state_ == State::established ? 3 : 1;
  }
  const uint64_t ino = ino_.load(std::memory_order_relaxed);
  if (!ino) status = status == 3 ? 2 : 4;  // not accepted yet
  format(out, "{:016x}: {:08X} {:08X} {:08X} {:04X} {:02X} {:5}", uint64_t{0}, ref_count(), 0u, flags,
         static_cast<uint32_t>(type()), status, ino);
  if (name) {
    out.write(" ");
    std::string_view text = name->text();
    if (!name->abstract()) text.remove_suffix(1);
    for (char c : text) out.write({c ? &c : "@", 1});
  }
  out.write("\n");
}

UnixEndpoint::Facts UnixEndpoint::facts() {
  constexpr uint8_t kConnected = 1, kClosed = 7, kListening = 10;
  Facts out;
  Ref<UnixEndpoint> peer;
  {
    LockGuard guard(lock_);
    if (dead_) return out;
    out.alive = true;
    out.shut = static_cast<uint8_t>(shut_);
    out.name = name_;
    peer = peer_;
    const bool listens = state_ == State::listening;
    out.state = listens ? kListening : state_ == State::established ? kConnected : kClosed;
    out.receive_queue = queued_;
    out.send_queue = listens ? backlog_ : static_cast<uint32_t>(charged_.load(std::memory_order_relaxed));
    if (!listens) {
      size_t bytes = 0;
      for (const UnixMessage& message : messages_) bytes += message.left();
      out.receive_queue = static_cast<uint32_t>(bytes);
    }
  }
  out.ino = ino_.load(std::memory_order_relaxed);
  if (peer) out.peer_ino = peer->ino_.load(std::memory_order_relaxed);
  return out;
}

}  // namespace runsc::net
