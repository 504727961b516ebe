// UnixEndpoint: an AF_UNIX socket (unix(7)).
#pragma once

#include <boost/intrusive/list.hpp>

#include "net/endpoint.h"
#include "net/family.h"
#include "net/unix/unix_message.h"
#include "net/unix/unix_name.h"

namespace runsc::net {

// For register_family().
Result<Ref<Endpoint>> create_unix_endpoint(const Caller& caller, NetworkNamespace& net, int type,
                                           int protocol);

// Locks: bind_lock_ (names are made, peers of datagram sockets change), then receive_lock_ (one reader at a
// time; held while bytes go to the application), then lock_, a spinlock, for all the rest; of two endpoints
// in address order (PairGuard). Messages and references are let go of outside of spinlocks.
class UnixEndpoint final : public Endpoint, public UnixTableEntry {
 public:
  static Result<Ref<UnixEndpoint>> create(NetworkNamespace& net, int type);
  ~UnixEndpoint() override;

  Result<void> bind(const Caller& caller, std::span<const std::byte> address) override;
  Result<void> listen(const Caller& caller, int backlog) override;
  Result<Ref<Endpoint>> accept(WaitPoint& wait) override;
  Result<void> connect(const Caller& caller, std::span<const std::byte> address, WaitPoint& wait) override;
  Result<void> pair(const Caller& caller, Endpoint& other) override;
  Result<void> name(Address& out, bool peer) override;
  Result<size_t> send(SendMessage& message) override;
  Result<size_t> receive(ReceiveMessage& message) override;
  void finish_receive(ReceiveMessage& message) override;
  Result<void> shutdown(uint32_t how) override;
  uint32_t poll() override;
  Result<uint64_t> ioctl(uint32_t request, uint64_t argument, const fs::IoctlContext& context) override;
  bool listening() override;
  PeerCredentials peer_credentials() override;
  Ref<const fs::Credentials> peer_groups() override;
  Result<void> set_socket_option(const Caller& caller, int name, uint64_t address, uint32_t size) override;
  Result<uint32_t> get_socket_option(const Caller& caller, int name, uint64_t address,
                                     uint32_t size) override;
  void attached(Socket& file) override;
  void release() override;
  void fdinfo(TextSink& out) const override;

  // UnixTable's.
  int listed_type() const override { return type(); }
  UnixEndpoint& listed_endpoint() override { return *this; }
  void describe(TextSink& out);  // a row of /proc/net/unix
  // For sock_diag(7).
  struct Facts {
    bool alive = false;
    uint8_t state = 0, shut = 0;  // as TCP numbers states
    uint64_t ino = 0, peer_ino = 0;
    uint32_t receive_queue = 0, send_queue = 0;
    Ref<UnixName> name;
  };
  Facts facts();

  // A message of this sender has been freed.
  void uncharge(uint32_t size);
  Ref<UnixName> bound_name() const;

 private:
  friend class UnixGarbage;
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  enum class State : uint8_t { closed, listening, established };
  struct PairGuard;
  // Wakes the senders of a full receiver that poll for room, once for each time they asked.
  class RoomWatch final : public Waiter {
   public:
    explicit RoomWatch(UnixEndpoint& owner) : owner_(owner) {}
    bool notify(uint32_t events) override;
    std::atomic<bool> armed{false};

   private:
    UnixEndpoint& owner_;
  };

  UnixEndpoint(NetworkNamespace& net, int type);

  // unix_name.cc
  Result<void> bind_path(const Caller& caller, std::string_view path);
  Result<void> bind_abstract(std::string_view text);
  Result<void> autobind();
  Result<void> autobind_for_credentials();
  Result<Ref<UnixEndpoint>> find(const Caller& caller, std::string_view path);
  // unix_connect.cc
  Result<void> connect_stream(const Caller& caller, std::string_view path, WaitPoint& wait);
  Result<bool> try_connect(const Caller& caller, UnixEndpoint& listener, const Ref<UnixEndpoint>& fresh,
                           WaitPoint& wait);
  Result<void> link_locked(const Caller& caller, UnixEndpoint& listener, const Ref<UnixEndpoint>& fresh)
      REQUIRES(lock_, listener.lock_);
  Result<void> connect_dgram(const Caller& caller, std::string_view path, bool dissolve);
  Result<void> link_dgram_locked(UnixEndpoint& other) REQUIRES(lock_, other.lock_);
  void set_dgram_peer(Ref<UnixEndpoint> other, Ref<UnixEndpoint> old) REQUIRES(bind_lock_);
  void disconnected_from(UnixEndpoint& other);
  void set_peer_credentials(const PeerCredentials& creds, Ref<const fs::Credentials> groups) REQUIRES(lock_);
  // unix_send.cc
  Result<void> prepare_send(SendMessage& message);
  Result<Ref<UnixMessage>> make_message(SendMessage& message, size_t size, size_t header_max);
  void stamp(UnixMessage& message, const Caller& caller, UnixEndpoint& to);
  Result<size_t> send_stream(SendMessage& message);
  Result<void> send_piece(SendMessage& message, UnixEndpoint& to, size_t size, bool urgent);
  Result<size_t> send_dgram(SendMessage& message);
  Result<Ref<UnixEndpoint>> dgram_target(SendMessage& message);
  // Errno::again with `message.wait` unset: the target died, look again.
  Result<void> deliver_dgram(SendMessage& message, UnixEndpoint& to, const Ref<UnixMessage>& fresh);
  Errno lost_target(UnixEndpoint& to);
  bool may_send_to_locked(const UnixEndpoint& to) const REQUIRES(to.lock_) {
    return !to.peer_ || to.peer_.get() == this;
  }
  bool writable() const;
  // unix_receive.cc
  Result<size_t> receive_stream(ReceiveMessage& message);
  Result<size_t> receive_dgram(ReceiveMessage& message);
  Ref<UnixMessage> take_dgram_locked(uint32_t flags, int64_t& skip) REQUIRES(receive_lock_, lock_);
  Result<size_t> empty_dgram_locked(ReceiveMessage& message) REQUIRES(lock_);
  void note_sender(ReceiveMessage& message, const UnixMessage& from);
  bool adopt_credentials(ReceiveMessage& message, const UnixMessage& from);
  Result<bool> take_stream(ReceiveMessage& message, UnixMessage& from, size_t skip) REQUIRES(receive_lock_);
  struct Gone;
  struct Step;
  Result<UnixMessage*> next_of_stream_locked(UnixMessage* after, size_t& skip, Step& step)
      REQUIRES(receive_lock_, lock_);
  UnixMessage* pass_urgent_locked(UnixMessage& at, Step& step) REQUIRES(receive_lock_, lock_);
  Result<size_t> receive_urgent(ReceiveMessage& message);
  bool at_mark();
  Result<size_t> end_of_stream_locked(ReceiveMessage& message) REQUIRES(lock_);
  void peek_forward(int64_t n);
  void peek_back(int64_t n);

  void append_locked(Ref<UnixMessage> message) REQUIRES(lock_);
  Ref<UnixEndpoint> take_incoming_locked() REQUIRES(lock_);
  Ref<UnixMessage> pop_locked(UnixMessage& message) REQUIRES(lock_);
  bool full_locked() const REQUIRES(lock_) { return queued_ > backlog_; }
  void send_room_changed() override;

  std::atomic<Socket*> file_{nullptr};  // valid for who holds the file
  std::atomic<uint64_t> ino_{0};
  Mutex bind_lock_{LockRank::socket_bind};
  Mutex receive_lock_{LockRank::socket_receive};
  WaitQueue room_;  // somebody waits for a place in the queue of messages or connections
  RoomWatch room_watch_{*this};
  std::atomic<uint64_t> charged_{0};  // bytes of what was sent and has not been freed

  mutable SpinLock lock_{LockRank::socket};
  State state_ GUARDED_BY(lock_) = State::closed;
  bool dead_ GUARDED_BY(lock_) = false;
  uint32_t shut_ GUARDED_BY(lock_) = 0;
  Ref<UnixEndpoint> peer_ GUARDED_BY(lock_);
  Ref<UnixName> name_ GUARDED_BY(lock_);
  Ref<UnixBinding> binding_ GUARDED_BY(lock_);
  UnixMessageList messages_ GUARDED_BY(lock_);
  // The urgent byte, by itself in a message (MSG_OOB); where one has been taken, an empty message stands.
  UnixMessage* urgent_ GUARDED_BY(lock_) = nullptr;
  // Connections that wait for accept(2), first come first; each link owns a count.
  UnixEndpoint *incoming_first_ GUARDED_BY(lock_) = nullptr, *incoming_last_ GUARDED_BY(lock_) = nullptr;
  UnixEndpoint* incoming_next_ = nullptr;  // under the listener's lock
  uint32_t queued_ GUARDED_BY(lock_) = 0;  // messages, or connections
  uint32_t backlog_ GUARDED_BY(lock_);
  PeerCredentials peer_creds_ GUARDED_BY(lock_);
  Ref<const fs::Credentials> peer_groups_ GUARDED_BY(lock_);

  // ---- The garbage collector's (unix_garbage.cc), under its lock.
  uint32_t inflight_ = 0;  // how often the file is in flight; if so, it is in the list
  UnixEndpoint *inflight_next_ = nullptr, **inflight_at_ = nullptr;
  uint32_t gc_outside_ = 0;
  bool gc_candidate_ = false, gc_reachable_ = false;
  UnixEndpoint* gc_next_ = nullptr;
};

// Both locks, in address order; one if they are the same.
struct UnixEndpoint::PairGuard {
  PairGuard(UnixEndpoint& a, UnixEndpoint& b) NO_THREAD_SAFETY_ANALYSIS : first_(&a < &b ? a : b),
                                                                          second_(&a < &b ? b : a) {
    first_.lock_.lock();
    if (&first_ != &second_) second_.lock_.lock();
  }
  ~PairGuard() NO_THREAD_SAFETY_ANALYSIS {
    if (&first_ != &second_) second_.lock_.unlock();
    first_.lock_.unlock();
  }

 private:
  UnixEndpoint &first_, &second_;
};

// The AF_UNIX socket behind a file, or null.
UnixEndpoint* unix_endpoint_of(fs::File& file);

}  // namespace runsc::net
