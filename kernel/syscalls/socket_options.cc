// setsockopt(2), getsockopt(2).
#include "kernel/syscalls/socket_args.h"
#include "kernel/syscalls/sockets.h"

namespace runsc::kernel {

Result<void> sys_setsockopt(Task& task, int fd, int level, int name, uint64_t value, int size) {
  if (size < 0) return Errno::inval;
  SocketArgument socket;
  TRY(socket.find(task, fd));
  const net::Caller caller = caller_of(task);
  auto n = static_cast<uint32_t>(size);
  if (level == net::kSolSocket) return socket.endpoint().set_socket_option(caller, name, value, n);
  return socket.endpoint().set_option(caller, level, name, value, n);
}

Result<void> sys_getsockopt(Task& task, int fd, int level, int name, uint64_t value, uint64_t size_at) {
  SocketArgument socket;
  TRY(socket.find(task, fd));
  const net::Caller caller = caller_of(task);
  int32_t room = TRY(mm::copy_in(task.mm(), mm::UserPtr<int32_t>(size_at)));
  if (room < 0) return Errno::inval;
  auto n = static_cast<uint32_t>(room);
  uint32_t wanted = level == net::kSolSocket
                        ? TRY(socket.endpoint().get_socket_option(caller, name, value, n))
                        : TRY(socket.endpoint().get_option(caller, level, name, value, n));
  const bool in_part = wanted & net::Endpoint::kGivenInPart;
  wanted &= ~net::Endpoint::kGivenInPart;
  TRY(mm::copy_out(task.mm(), mm::UserPtr<uint32_t>(size_at), wanted));
  if (wanted > n && !in_part) return Errno::range;  // nothing was given, but it is told how much there is
  return {};
}

}  // namespace runsc::kernel
