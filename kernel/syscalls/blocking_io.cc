#include "kernel/syscalls/blocking_io.h"

#include "fs/notify.h"
#include "kernel/abi/signal.h"
#include "kernel/blocking.h"
#include "kernel/syscalls/socket_args.h"
#include "kernel/time/clock.h"

namespace runsc::kernel {

namespace {

using namespace fs::poll_bit;
constexpr uint32_t kReadEvents = in | rdnorm | rdband | pri | hup | err | rdhup;
constexpr uint32_t kWriteEvents = out | wrnorm | wrband | hup | err;

}  // namespace

namespace {

Result<size_t> read_waiting(Task& task, fs::File& file, mm::IoBuf& buf, uint64_t offset, bool nonblocking) {
  if (net::Socket* socket = net::socket_of(file)) return socket_read(task, *socket, buf, nonblocking);
  WaitQueue* queue = file.wait_queue();
  if (!queue || nonblocking || file.nonblocking()) return file.read(buf, offset);
  uint64_t timeout = file.read_timeout_ns();
  uint64_t deadline = timeout ? monotonic_ns() + timeout : kNoDeadline;
  Result<size_t> n = block_on(task, *queue, kReadEvents, deadline, [&] { return file.read(buf, offset); });
  if (!n && n.error() == Errno::timedout && timeout) return size_t{0};
  return n;
}

Result<size_t> write_waiting(Task& task, fs::File& file, mm::IoBuf& buf, uint64_t offset, bool nonblocking) {
  if (net::Socket* socket = net::socket_of(file)) return socket_write(task, *socket, buf, nonblocking);
  WaitQueue* queue = file.wait_queue();
  bool wait = queue && !nonblocking && !file.nonblocking();
  size_t done = 0;
  for (;;) {
    auto attempt = [&] { return file.write(buf, offset + done); };
    Result<size_t> n = wait ? block_on(task, *queue, kWriteEvents, kNoDeadline, attempt) : attempt();
    if (!n) {
      if (n.error() == Errno::pipe) signal_self(task, abi::sig::pipe);
      return done > 0 ? Result<size_t>(done) : n;
    }
    done += *n;
    if (!wait || *n == 0 || buf.remaining() == 0) return done;
  }
}

}  // namespace

Result<size_t> blocking_read(Task& task, fs::File& file, mm::IoBuf& buf, uint64_t offset, bool nonblocking) {
  size_t n = TRY(read_waiting(task, file, buf, offset, nonblocking));
  if (n > 0) fs::notify_file(file, fs::notify_bit::access);
  return n;
}

Result<size_t> blocking_write(Task& task, fs::File& file, mm::IoBuf& buf, uint64_t offset, bool nonblocking) {
  size_t n = TRY(write_waiting(task, file, buf, offset, nonblocking));
  if (n > 0) fs::notify_file(file, fs::notify_bit::modify);
  return n;
}

Result<uint64_t> writable_size(Task& task, fs::File& file, uint64_t offset, uint64_t size) {
  uint64_t limit = task.limit(kLimitFileSize);
  constexpr uint64_t kMaxSize = 0x7fffffffffffffff;
  if (!file.inode() || file.inode()->type() != fs::kRegular) return size;
  if (limit > kMaxSize) {
    if (size > kMaxSize - offset)
      return offset >= kMaxSize ? Result<uint64_t>(Errno::fbig) : kMaxSize - offset;
    return size;
  }
  if (file.flags() & fs::open_flag::append) offset = TRY(file.get_attr()).size;
  if (offset >= limit) {
    if (size == 0) return size;
    signal_self(task, abi::sig::xfsz);
    return Errno::fbig;
  }
  return size > limit - offset ? limit - offset : size;
}

}  // namespace runsc::kernel
