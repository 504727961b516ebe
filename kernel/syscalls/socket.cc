// Making, naming and connecting sockets: socket(2), bind(2), connect(2), accept(2)...
#include "kernel/namespaces.h"
#include "kernel/syscalls/socket_args.h"
#include "kernel/syscalls/sockets.h"
#include "net/family.h"

namespace runsc::kernel {

namespace {

constexpr uint32_t kTypeMask = 0xf, kTypeFlags = fs::open_flag::cloexec | fs::open_flag::nonblock;

Result<Ref<net::Endpoint>> make_endpoint(Task& task, int domain, uint32_t type, int protocol) {
  return net::create_endpoint(caller_of(task), task.namespaces().net(), domain,
                              static_cast<int>(type & kTypeMask), protocol);
}

// A descriptor for the endpoint, which is released if there cannot be one.
Result<int> install_socket(Task& task, Ref<net::Endpoint> endpoint, uint32_t flags) {
  Ref<net::Socket> file = TRY(net::Socket::create(std::move(endpoint), task.creds(), flags));
  return task.files().install(std::move(file), flags & fs::open_flag::cloexec, task.limit(kLimitFiles));
}

Result<void> name_to(Task& task, int fd, uint64_t address, uint64_t size_at, bool peer) {
  SocketArgument socket;
  TRY(socket.find(task, fd));
  net::Address name;
  TRY(socket.endpoint().name(name, peer));
  return write_address(task, name, address, size_at);
}

Result<Ref<net::Socket>> accept_one(Task& task, SocketArgument& socket, uint64_t address, uint64_t size_at,
                                    uint32_t flags) {
  net::Endpoint& listener = socket.endpoint();
  net::WaitPoint wait(socket.socket().nonblocking());
  Ref<net::Endpoint> fresh =
      TRY(wait_at_socket(task, wait, listener.options.receive_timeout_ns.load(std::memory_order_relaxed),
                         [&] { return listener.accept(wait); }));
  Ref<net::Socket> file = TRY(net::Socket::create(std::move(fresh), task.creds(), flags));
  if (address != 0) {
    net::Address peer;
    if (!file->endpoint().name(peer, true)) return Errno::connaborted;
    TRY(write_address(task, peer, address, size_at));
  }
  return file;
}

}  // namespace

Result<int> sys_socket(Task& task, int domain, uint32_t type, int protocol) {
  if (type & ~(kTypeMask | kTypeFlags)) return Errno::inval;
  Ref<net::Endpoint> endpoint = TRY(make_endpoint(task, domain, type, protocol));
  return install_socket(task, std::move(endpoint), type);
}

Result<void> sys_socketpair(Task& task, int domain, uint32_t type, int protocol, uint64_t fds) {
  if (type & ~(kTypeMask | kTypeFlags)) return Errno::inval;
  Ref<net::Endpoint> ends[2];
  ends[0] = TRY(make_endpoint(task, domain, type, protocol));
  Ref<net::Socket> first = TRY(net::Socket::create(ends[0], task.creds(), type));
  ends[1] = TRY(make_endpoint(task, domain, type, protocol));
  Ref<net::Socket> second = TRY(net::Socket::create(ends[1], task.creds(), type));
  TRY(ends[0]->pair(caller_of(task), *ends[1]));
  const bool cloexec = type & fs::open_flag::cloexec;
  const uint64_t limit = task.limit(kLimitFiles);
  int32_t numbers[2];
  numbers[0] = TRY(task.files().install(std::move(first), cloexec, limit));
  Result<int> other = task.files().install(std::move(second), cloexec, limit);
  Result<void> done = other ? Result<void>() : other.error();
  if (other) {
    numbers[1] = *other;
    done = mm::copy_out_bytes(task.mm(), fds, numbers, sizeof numbers);
    if (!done) (void)task.files().remove(numbers[1]);
  }
  if (!done) (void)task.files().remove(numbers[0]);
  return done;
}

Result<void> sys_bind(Task& task, int fd, uint64_t address, int size) {
  SocketArgument socket;
  TRY(socket.find(task, fd));
  net::Address name;
  TRY(read_address(task, address, size, name));
  return socket.endpoint().bind(caller_of(task), name.span());
}

Result<void> sys_listen(Task& task, int fd, int backlog) {
  SocketArgument socket;
  TRY(socket.find(task, fd));
  return socket.endpoint().listen(caller_of(task), backlog);
}

Result<int> sys_accept4(Task& task, int fd, uint64_t address, uint64_t size_at, uint32_t flags) {
  if (flags & ~kTypeFlags) return Errno::inval;
  SocketArgument socket;
  TRY(socket.find(task, fd));
  // Before a connection is taken, so that none is lost for want of a number.
  int fresh = TRY(task.files().reserve(task.limit(kLimitFiles)));
  Result<Ref<net::Socket>> file = accept_one(task, socket, address, size_at, flags);
  if (!file) {
    task.files().release(fresh);
    return file.error();
  }
  task.files().fill(fresh, std::move(*file), flags & fs::open_flag::cloexec);
  return fresh;
}

Result<int> sys_accept(Task& task, int fd, uint64_t address, uint64_t size_at) {
  return sys_accept4(task, fd, address, size_at, 0);
}

Result<void> sys_connect(Task& task, int fd, uint64_t address, int size) {
  SocketArgument socket;
  TRY(socket.find(task, fd));
  net::Address to;
  TRY(read_address(task, address, size, to));
  net::Endpoint& endpoint = socket.endpoint();
  const net::Caller caller = caller_of(task);
  net::WaitPoint wait(socket.socket().nonblocking());
  Result<void> done =
      wait_at_socket(task, wait, endpoint.options.send_timeout_ns.load(std::memory_order_relaxed),
                     [&] { return endpoint.connect(caller, to.span(), wait); });
  // A handshake goes on after SO_SNDTIMEO is over.
  const bool handshake =
      endpoint.domain() == net::family_number::inet || endpoint.domain() == net::family_number::inet6;
  if (!done && done.error() == Errno::again && handshake) return Errno::inprogress;
  return done;
}

Result<void> sys_getsockname(Task& task, int fd, uint64_t address, uint64_t size_at) {
  return name_to(task, fd, address, size_at, false);
}

Result<void> sys_getpeername(Task& task, int fd, uint64_t address, uint64_t size_at) {
  return name_to(task, fd, address, size_at, true);
}

Result<void> sys_shutdown(Task& task, int fd, int how) {
  SocketArgument socket;
  TRY(socket.find(task, fd));
  if (how < 0 || how > 2) return Errno::inval;
  return socket.endpoint().shutdown(static_cast<uint32_t>(how) + 1);
}

}  // namespace runsc::kernel
