// Endpoint: the protocol's side of a socket. It can outlive the file (data on its way, a connection being
// ended) and can exist before it (a connection that nobody has accepted yet).
#pragma once

#include "net/message.h"
#include "net/network_namespace.h"
#include "net/options.h"

namespace runsc::net {

class Socket;
class SocketFilter;

// All operations may sleep but none waits for events: EAGAIN comes with a WaitPoint, the caller waits and
// tries again (kernel/syscalls/socket_wait.h). Defaults: EOPNOTSUPP.
class Endpoint : public RefCounted<Endpoint> {
 public:
  virtual ~Endpoint();

  int domain() const { return domain_; }
  int type() const { return type_; }
  int protocol() const { return protocol_; }
  NetworkNamespace& net() const { return *net_; }
  uint64_t cookie();  // SO_COOKIE
  // Woken with the poll(2) bits that became ready.
  WaitQueue& queue() { return queue_; }

  virtual Result<void> bind(const Caller& caller, std::span<const std::byte> address);
  virtual Result<void> listen(const Caller& caller, int backlog);
  // Both may be waited for by SO_RCVTIMEO and SO_SNDTIMEO. EINPROGRESS is for who must not wait.
  virtual Result<Ref<Endpoint>> accept(WaitPoint& wait);
  virtual Result<void> connect(const Caller& caller, std::span<const std::byte> address, WaitPoint& wait);
  // socketpair(2), with another new endpoint of the same family and type.
  virtual Result<void> pair(const Caller& caller, Endpoint& other);
  virtual Result<void> name(Address& out, bool peer) = 0;
  virtual Result<size_t> send(SendMessage& message);
  // EAGAIN may come after some bytes (message.done): they count if nobody waits for more.
  virtual Result<size_t> receive(ReceiveMessage& message);
  // Once after the last receive() of a message that gave something: puts the ancillary data.
  virtual void finish_receive(ReceiveMessage& message) { (void)message; }
  virtual Result<void> shutdown(uint32_t how);  // kReceiveShut, kSendShut
  virtual uint32_t poll() = 0;
  virtual Result<uint64_t> ioctl(uint32_t request, uint64_t argument, const fs::IoctlContext& context);
  virtual bool listening() { return false; }
  // SO_PEERCRED, SO_PEERGROUPS; null: unknown.
  virtual PeerCredentials peer_credentials() { return {}; }
  virtual Ref<const fs::Credentials> peer_groups() { return {}; }

  // setsockopt(2) of levels other than SOL_SOCKET; these read `size` bytes at `address` themselves.
  virtual Result<void> set_option(const Caller& caller, int level, int name, uint64_t address, uint32_t size);
  // The number of bytes written at `address`, at most `size`; more: how many there would be, with none
  // written (ERANGE), or, with kGivenInPart, as many as there was room for.
  static constexpr uint32_t kGivenInPart = 1u << 31;
  virtual Result<uint32_t> get_option(const Caller& caller, int level, int name, uint64_t address,
                                      uint32_t size);
  // SOL_SOCKET; a family that knows better overrides them. EINVAL, EFAULT, ENOPROTOOPT, EPERM, EACCES,
  // EDOM...
  virtual Result<void> set_socket_option(const Caller& caller, int name, uint64_t address, uint32_t size);
  virtual Result<uint32_t> get_socket_option(const Caller& caller, int name, uint64_t address, uint32_t size);

  // A file names it now. Called once, before anybody else can.
  virtual void attached(Socket& file) { (void)file; }
  // The file is gone, or never came: lets go of the name, of peers and of what waits. The last call of all.
  virtual void release() = 0;
  // The line of /proc/PID/fdinfo and the like may want more.
  virtual void fdinfo(TextSink& out) const { (void)out; }

  // SO_ERROR: takes what has happened since it was asked last. 0: nothing.
  int32_t take_error() { return error_.exchange(0, std::memory_order_acq_rel); }
  void leave_error(Errno e) { set_error(e); }
  int32_t error() const { return error_.load(std::memory_order_acquire); }

  // SO_ATTACH_FILTER: what is about to be queued must pass it. Null: everything may. Any context.
  Ref<SocketFilter> filter() const;

  Options options;

 protected:
  Endpoint(Ref<NetworkNamespace> net, int domain, int type, int protocol);
  void set_error(Errno e) { error_.store(static_cast<int32_t>(e), std::memory_order_release); }
  // Once, before anybody else has it: a connection takes the filter of its listener.
  void inherit_filter(const Endpoint& listener);
  // SO_SNDBUF changed.
  virtual void send_room_changed() {}

 private:
  Result<void> set_buffer(const Caller& caller, int name, int32_t value);
  Result<int32_t> number_option(int name);
  Result<void> set_filter(Ref<SocketFilter> filter);
  Result<void> attach_filter(const Caller& caller, uint64_t address, uint32_t size);
  Result<uint32_t> give_filter(const Caller& caller, uint64_t address, uint32_t size);
  Result<void> set_timeout(const Caller& caller, int name, uint64_t address, uint32_t size);

  const Ref<NetworkNamespace> net_;
  const int domain_, type_, protocol_;
  WaitQueue queue_;
  std::atomic<int32_t> error_{0};
  std::atomic<uint64_t> cookie_{0};
  mutable SpinLock filter_lock_{LockRank::leaf};
  Ref<SocketFilter> filter_ GUARDED_BY(filter_lock_);
  std::atomic<bool> has_filter_{false};
};

}  // namespace runsc::net
