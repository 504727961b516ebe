// What the system calls on sockets share: the socket behind a descriptor, addresses, and the one loop in
// which they wait.
#pragma once

#include "kernel/blocking.h"
#include "kernel/syscalls/file_args.h"
#include "kernel/time/clock.h"
#include "net/socket.h"

namespace runsc::kernel {

net::Caller caller_of(Task& task);

// An open socket; keeps the file while in use.
class SocketArgument {
 public:
  // EBADF, ENOTSOCK.
  Result<void> find(Task& task, int fd);
  net::Socket& socket() const { return static_cast<net::Socket&>(*file_); }
  net::Endpoint& endpoint() const { return socket().endpoint(); }

 private:
  Ref<fs::File> file_;
};

// A socket address of the application. EINVAL: a length that cannot be, EFAULT.
Result<void> read_address(Task& task, uint64_t address, int32_t size, net::Address& out);
// Gives as much as `*size_at` says there is room for, and the true size. EFAULT, EINVAL.
Result<void> write_address(Task& task, const net::Address& from, uint64_t address, uint64_t size_at);

// read(2) and write(2) on sockets.
Result<size_t> socket_read(Task& task, net::Socket& socket, mm::IoBuf& buf, bool nonblocking);
Result<size_t> socket_write(Task& task, net::Socket& socket, mm::IoBuf& buf, bool nonblocking);

// One message, with waiting and signals. The flags of `message` know of O_NONBLOCK.
Result<size_t> send_message(Task& task, net::Socket& socket, net::SendMessage& message);
Result<size_t> receive_message(Task& task, net::Socket& socket, net::ReceiveMessage& message);

// Runs `attempt` until it gives something else than EAGAIN, waiting where `wait` says in between, for
// `timeout_ns` at most (SO_RCVTIMEO, SO_SNDTIMEO): EAGAIN then. A signal: ERESTARTSYS, or EINTR if there is a
// timeout.
template <class F>
auto wait_at_socket(Task& task, net::WaitPoint& wait, uint64_t timeout_ns, F&& attempt)
    -> decltype(attempt()) {
  auto result = attempt();
  if (result || result.error() != Errno::again || wait.nonblocking || timeout_ns == 0) return result;
  const bool forever = timeout_ns == net::kForever;
  const uint64_t deadline = forever ? kNoDeadline : monotonic_ns() + timeout_ns;
  for (;;) {
    Ref<net::Endpoint> owner = wait.owner;
    WaitQueue* queue = wait.queue;
    if (!queue) return Errno::again;
    ParkWaiter waiter;
    queue->add(waiter, wait.events);
    struct Leave {
      WaitQueue& queue;
      ParkWaiter& waiter;
      ~Leave() { queue.remove(waiter); }
    } leave{*queue, waiter};
    for (;;) {
      result = attempt();
      if (result || result.error() != Errno::again) return result;
      if (wait.queue != queue) break;
      Result<void> parked = park_interruptible(task, deadline);
      if (parked) continue;
      if (parked.error() == Errno::timedout) return Errno::again;
      return forever ? Errno::restartsys : Errno::intr;
    }
  }
}

}  // namespace runsc::kernel
