#include "kernel/syscalls/socket_args.h"

#include "fs/user_namespace.h"
#include "kernel/abi/signal.h"
#include "kernel/pid.h"

namespace runsc::kernel {

namespace {

// Another's number: -1, unless the caller has CAP_SYS_ADMIN where its own comes from.
int32_t process_of(int32_t number) {
  const Task& caller = Task::current();
  if (!fs::is_capable(caller.creds(), caller.pid_namespace().owner(), fs::Cap::sys_admin)) return -1;
  Ref<Task> target = find_task(caller, number);
  return target ? target->tid() : 0;
}
int32_t number_of(int32_t pid) { return number_for(Task::current(), pid); }

uint32_t with_nonblocking(const net::Socket& socket, uint32_t flags, bool nonblocking) {
  return nonblocking || socket.nonblocking() ? flags | net::msg_flag::dontwait : flags;
}

}  // namespace

net::Caller caller_of(Task& task) {
  return {task.mm(),  task.files(), task.fs(), task.creds(), task.pid(), task.limit(kLimitFiles),
          process_of, number_of};
}

Result<void> SocketArgument::find(Task& task, int fd) {
  file_ = TRY(file_of(task, fd));
  if (file_->kind() != fs::FileKind::socket) return Errno::notsock;
  return {};
}

Result<void> read_address(Task& task, uint64_t address, int32_t size, net::Address& out) {
  if (size < 0 || static_cast<size_t>(size) > net::Address::kMax) return Errno::inval;
  out.size = static_cast<uint32_t>(size);
  return mm::copy_in_bytes(task.mm(), out.bytes, address, out.size);
}

Result<void> write_address(Task& task, const net::Address& from, uint64_t address, uint64_t size_at) {
  int32_t room = TRY(mm::copy_in(task.mm(), mm::UserPtr<int32_t>(size_at)));
  if (room < 0) return Errno::inval;
  uint32_t n = static_cast<uint32_t>(room) < from.size ? static_cast<uint32_t>(room) : from.size;
  TRY(mm::copy_out_bytes(task.mm(), address, from.bytes, n));
  return mm::copy_out(task.mm(), mm::UserPtr<uint32_t>(size_at), from.size);
}

Result<size_t> send_message(Task& task, net::Socket& socket, net::SendMessage& message) {
  net::Endpoint& endpoint = socket.endpoint();
  Result<size_t> n =
      wait_at_socket(task, message.wait, endpoint.options.send_timeout_ns.load(std::memory_order_relaxed),
                     [&] { return endpoint.send(message); });
  if (n) return n;
  if (message.done > 0) return message.done;
  if (n.error() == Errno::pipe && message.sigpipe && !(message.flags & net::msg_flag::nosignal))
    signal_self(task, abi::sig::pipe);
  return n;
}

Result<size_t> receive_message(Task& task, net::Socket& socket, net::ReceiveMessage& message) {
  net::Endpoint& endpoint = socket.endpoint();
  Result<size_t> n =
      wait_at_socket(task, message.wait, endpoint.options.receive_timeout_ns.load(std::memory_order_relaxed),
                     [&] { return endpoint.receive(message); });
  if (!n && message.done > 0) n = message.done;
  if (n) {
    endpoint.finish_receive(message);
    if (message.control.truncated()) message.out_flags |= net::msg_flag::ctrunc;
  }
  return n;
}

Result<size_t> socket_read(Task& task, net::Socket& socket, mm::IoBuf& buf, bool nonblocking) {
  if (buf.remaining() == 0) return size_t{0};
  const net::Caller caller = caller_of(task);
  net::ReceiveMessage message(caller, buf, with_nonblocking(socket, 0, nonblocking));
  return receive_message(task, socket, message);
}

Result<size_t> socket_write(Task& task, net::Socket& socket, mm::IoBuf& buf, bool nonblocking) {
  const net::Caller caller = caller_of(task);
  uint32_t flags = socket.endpoint().type() == net::socket_type::seqpacket ? net::msg_flag::eor : 0;
  net::SendMessage message(caller, buf, with_nonblocking(socket, flags, nonblocking));
  return send_message(task, socket, message);
}

}  // namespace runsc::kernel
