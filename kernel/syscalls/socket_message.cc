// Sending and receiving: sendto(2), sendmsg(2), recvmmsg(2)...
#include "kernel/syscalls/poll_set.h"
#include "kernel/syscalls/socket_args.h"
#include "kernel/syscalls/sockets.h"

namespace runsc::kernel {

namespace {

struct MessageHeader {  // struct msghdr
  uint64_t name;
  int32_t name_size;
  uint32_t padding;
  uint64_t iov, iov_count, control, control_size;
  uint32_t flags, padding2;
};
struct ManyHeader {  // struct mmsghdr
  MessageHeader header;
  uint32_t size, padding;
};
static_assert(sizeof(MessageHeader) == 56 && sizeof(ManyHeader) == 64);

constexpr uint64_t kSizeOffset = 56;                      // of ManyHeader::size
constexpr uint64_t kMaxIov = 1024, kMaxControl = 131072;  // UIO_MAXIOV; net.core.optmem_max

uint32_t flags_for(const net::Socket& socket, uint32_t flags) {
  return socket.nonblocking() ? flags | net::msg_flag::dontwait : flags;
}

Result<MessageHeader> read_header(Task& task, uint64_t address, IovecArgument& iov) {
  MessageHeader header = TRY(mm::copy_in(task.mm(), mm::UserPtr<MessageHeader>(address)));
  if (header.name == 0) header.name_size = 0;
  if (header.name_size < 0) return Errno::inval;
  if (static_cast<size_t>(header.name_size) > net::Address::kMax) header.name_size = net::Address::kMax;
  if (header.iov_count > kMaxIov) return Errno::msgsize;
  TRY(iov.read(task, header.iov, header.iov_count));
  return header;
}

Result<size_t> send_one(Task& task, net::Socket& socket, uint64_t address, uint32_t flags) {
  if (flags & net::msg_flag::cmsg_compat) return Errno::inval;
  IovecArgument iov;
  MessageHeader header = TRY(read_header(task, address, iov));
  net::Address to;
  TRY(read_address(task, header.name, header.name_size, to));
  Vec<std::byte> control;
  if (header.control_size > 0x7fffffff || header.control_size > kMaxControl) return Errno::nobufs;
  if (header.control_size > 0) {
    if (!control.resize(header.control_size)) return Errno::nobufs;
    TRY(mm::copy_in_bytes(task.mm(), control.data(), header.control, control.size()));
  }
  const net::Caller caller = caller_of(task);
  mm::IoBuf data(task.mm(), iov.segments());
  net::SendMessage message(caller, data, flags_for(socket, flags));
  message.has_address = to.size > 0;
  message.address = to.span();
  message.control = control.span();
  return send_message(task, socket, message);
}

Result<void> write_header_back(Task& task, uint64_t address, const MessageHeader& header,
                               const net::ReceiveMessage& message) {
  auto field = [&](uint64_t offset) { return address + offset; };
  if (header.name != 0)
    TRY(write_address(task, message.address, header.name, field(offsetof(MessageHeader, name_size))));
  uint32_t flags = message.out_flags | (message.flags & net::msg_flag::cmsg_cloexec);
  TRY(mm::copy_out(task.mm(), mm::UserPtr<uint32_t>(field(offsetof(MessageHeader, flags))), flags));
  return mm::copy_out(task.mm(), mm::UserPtr<uint64_t>(field(offsetof(MessageHeader, control_size))),
                      message.control.used());
}

Result<size_t> receive_one(Task& task, net::Socket& socket, uint64_t address, uint32_t flags) {
  if (flags & net::msg_flag::cmsg_compat) return Errno::inval;
  IovecArgument iov;
  MessageHeader header = TRY(read_header(task, address, iov));
  const net::Caller caller = caller_of(task);
  mm::IoBuf data(task.mm(), iov.segments());
  net::ReceiveMessage message(caller, data, flags_for(socket, flags));
  message.want_address = header.name != 0;
  message.control = net::ControlWriter(task.mm(), header.control, header.control_size);
  size_t n = TRY(receive_message(task, socket, message));
  TRY(write_header_back(task, address, header, message));
  return n;
}

}  // namespace

Result<size_t> sys_sendto(Task& task, int fd, uint64_t buffer, uint64_t size, uint32_t flags,
                          uint64_t address, int address_size) {
  SocketArgument socket;
  TRY(socket.find(task, fd));
  net::Address to;
  if (address != 0) TRY(read_address(task, address, address_size, to));
  IovecArgument iov;
  iov.set(buffer, size);
  const net::Caller caller = caller_of(task);
  mm::IoBuf data(task.mm(), iov.segments());
  net::SendMessage message(caller, data, flags_for(socket.socket(), flags));
  message.has_address = to.size > 0;
  message.address = to.span();
  return send_message(task, socket.socket(), message);
}

Result<size_t> sys_recvfrom(Task& task, int fd, uint64_t buffer, uint64_t size, uint32_t flags,
                            uint64_t address, uint64_t size_at) {
  SocketArgument socket;
  TRY(socket.find(task, fd));
  IovecArgument iov;
  iov.set(buffer, size);
  const net::Caller caller = caller_of(task);
  mm::IoBuf data(task.mm(), iov.segments());
  net::ReceiveMessage message(caller, data, flags_for(socket.socket(), flags));
  message.want_address = address != 0;
  size_t n = TRY(receive_message(task, socket.socket(), message));
  if (address != 0) TRY(write_address(task, message.address, address, size_at));
  return n;
}

Result<size_t> sys_sendmsg(Task& task, int fd, uint64_t message, uint32_t flags) {
  SocketArgument socket;
  TRY(socket.find(task, fd));
  return send_one(task, socket.socket(), message, flags);
}

Result<size_t> sys_recvmsg(Task& task, int fd, uint64_t message, uint32_t flags) {
  SocketArgument socket;
  TRY(socket.find(task, fd));
  return receive_one(task, socket.socket(), message, flags);
}

// What went out counts, whatever happened to the next one.
Result<size_t> sys_sendmmsg(Task& task, int fd, uint64_t messages, uint32_t count, uint32_t flags) {
  SocketArgument socket;
  TRY(socket.find(task, fd));
  if (count > kMaxIov) count = kMaxIov;
  size_t sent = 0;
  for (; sent < count; ++sent) {
    uint64_t at = messages + sent * sizeof(ManyHeader);
    Result<size_t> n = send_one(task, socket.socket(), at, flags);
    Result<void> told =
        n ? mm::copy_out(task.mm(), mm::UserPtr<uint32_t>(at + kSizeOffset), static_cast<uint32_t>(*n))
          : Result<void>(n.error());
    if (told) continue;
    if (sent == 0) return told.error();
    break;
  }
  return sent;
}

namespace {

Result<size_t> receive_many(Task& task, net::Socket& socket, uint64_t messages, uint32_t count,
                            uint32_t flags, uint64_t deadline) {
  size_t got = 0;
  while (got < count) {
    uint64_t at = messages + got * sizeof(ManyHeader);
    Result<size_t> n = receive_one(task, socket, at, flags & ~net::msg_flag::waitforone);
    Result<void> told =
        n ? mm::copy_out(task.mm(), mm::UserPtr<uint32_t>(at + kSizeOffset), static_cast<uint32_t>(*n))
          : Result<void>(n.error());
    if (!told) {
      if (got == 0) return told.error();
      // The next call tells.
      if (told.error() != Errno::again && told.error() != Errno::restartsys)
        socket.endpoint().leave_error(told.error());
      break;
    }
    ++got;
    if (flags & net::msg_flag::waitforone) flags |= net::msg_flag::dontwait;
    if (deadline != kNoDeadline && monotonic_ns() >= deadline) break;
  }
  return got;
}

}  // namespace

Result<size_t> sys_recvmmsg(Task& task, int fd, uint64_t messages, uint32_t count, uint32_t flags,
                            uint64_t timeout) {
  uint64_t deadline = kNoDeadline;
  if (timeout) deadline = TRY(deadline_of_timespec(TRY(mm::copy_in(task.mm(), UserPtr<TimeSpec>(timeout)))));
  SocketArgument socket;
  TRY(socket.find(task, fd));
  if (int32_t e = socket.endpoint().take_error()) return static_cast<Errno>(e);
  if (count > kMaxIov) count = kMaxIov;
  Result<size_t> got = receive_many(task, socket.socket(), messages, count, flags, deadline);
  if (got && timeout && deadline != kNoDeadline)
    TRY(mm::copy_out(task.mm(), UserPtr<TimeSpec>(timeout), remaining_until(deadline)));
  return got;
}

}  // namespace runsc::kernel
