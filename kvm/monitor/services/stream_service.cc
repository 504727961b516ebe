// Hostcalls on donated streams: pipes, sockets, terminals, plain files as stdio. None of them ever blocks the
// CPU.
#include <asm/termbits.h>
#include <limits.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kvm/monitor/services/path_ops.h"
#include "kvm/monitor/services/services.h"

namespace runsc::monitor {
namespace {

// poll(2) bits that may be asked for: POLLIN POLLPRI POLLOUT POLLRDNORM POLLRDBAND POLLWRNORM POLLWRBAND
// POLLRDHUP.
constexpr std::uint32_t kPollBits = POLLIN | POLLPRI | POLLOUT | 0x40 | 0x80 | 0x100 | 0x200 | 0x2000;
constexpr off_t kAtItsPlace = -1;
constexpr std::uint32_t kFileReady = POLLIN | POLLOUT | 0x40 | 0x100;

Result<HostFileRef> stream_of(Services& s, hc::Handle handle) {
  HostFileRef file = TRY(s.files.get(handle));
  if (file->stream == StreamKind::none) return Errno::inval;
  return file;
}

Result<std::uint32_t> ready_now(int fd, std::uint32_t bits) {
  pollfd p{fd, static_cast<short>(bits), 0};
  const timespec zero{};
  if (::ppoll(&p, 1, &zero, nullptr) < 0) {
    if (errno == EINTR) return 0U;
    return host_errno(errno);
  }
  return static_cast<std::uint32_t>(static_cast<unsigned short>(p.revents));
}

// Cuts the ranges to `most` bytes in all.
void limit(ValidRanges& ranges, std::uint64_t most) {
  std::uint64_t total = 0;
  for (unsigned i = 0; i < ranges.count; ++i) {
    ranges.at[i].size = std::min(ranges.at[i].size, most - total);
    total += ranges.at[i].size;
    if (total == most) ranges.count = i + 1;
  }
  ranges.total = total;
}

// A description that others share may be in blocking mode: go on only if it will not wait.
Result<void> must_be_ready(const HostFile& file, std::uint32_t bits) {
  if (file.stream != StreamKind::polled) return {};
  if (TRY(ready_now(file.fd.get(), bits)) == 0) return Errno::again;
  return {};
}

Result<void> finish_transfer(ssize_t moved, hc::SizeReply& reply) {
  if (moved < 0) return errno == EINTR ? Errno::again : host_errno(errno);
  reply.size = static_cast<std::uint64_t>(moved);
  return {};
}

}  // namespace

Result<void> serve_stream_read(Services& s, const hc::ReadWriteRequest& request, hc::SizeReply& reply) {
  ValidTransfer valid = TRY(parse_transfer(request, s.bounds));
  HostFileRef file = TRY(stream_of(s, valid.handle));
  TRY(must_be_ready(*file, POLLIN));
  iovec parts[hc::kMaxRanges];
  int count = static_cast<int>(to_iovecs(s.memory, valid.ranges, parts));
  return finish_transfer(::preadv2(file->fd.get(), parts, count, kAtItsPlace, 0), reply);
}

Result<void> serve_stream_write(Services& s, const hc::ReadWriteRequest& request, hc::SizeReply& reply) {
  ValidTransfer valid = TRY(parse_transfer(request, s.bounds));
  HostFileRef file = TRY(stream_of(s, valid.handle));
  TRY(must_be_ready(*file, POLLOUT));
  // pipe(7): a pipe that polls writable takes PIPE_BUF bytes without waiting.
  if (file->stream == StreamKind::polled) limit(valid.ranges, PIPE_BUF);
  iovec parts[hc::kMaxRanges];
  int count = static_cast<int>(to_iovecs(s.memory, valid.ranges, parts));
  OwnChange own(s.watches, IN_MODIFY);  // a FIFO beneath a donated directory
  own.file(file->found());
  own.begin();
  return finish_transfer(::pwritev2(file->fd.get(), parts, count, kAtItsPlace, 0), reply);
}

Result<void> serve_stream_poll(Services& s, const hc::StreamPoll::Request& request,
                               hc::StreamPoll::Reply& reply) {
  if ((request.events & ~kPollBits) != 0) return Errno::inval;
  HostFileRef file = TRY(stream_of(s, request.handle));
  if (file->stream == StreamKind::always_ready) {
    reply.events = request.events & kFileReady;
    return {};
  }
  reply.events = TRY(ready_now(file->fd.get(), request.events));
  const std::uint32_t missing = request.events & ~reply.events;
  if (missing == 0 || (reply.events & (POLLERR | POLLHUP | POLLNVAL)) != 0) return {};
  return s.events.arm(request.handle, file->fd.get(), missing);
}

Result<void> serve_tty_get(Services& s, const hc::HandleRequest& request, hc::TtyState& reply) {
  HostFileRef file = TRY(stream_of(s, request.handle));
  struct termios t {};
  if (::ioctl(file->fd.get(), TCGETS, &t) < 0) {
    if (errno == ENOTTY) return {};  // is_tty stays 0
    return host_errno(errno);
  }
  reply.is_tty = 1;
  reply.iflag = t.c_iflag;
  reply.oflag = t.c_oflag;
  reply.cflag = t.c_cflag;
  reply.lflag = t.c_lflag;
  reply.line = t.c_line;
  static_assert(sizeof reply.cc == sizeof t.c_cc);
  std::memcpy(reply.cc, t.c_cc, sizeof t.c_cc);
  struct winsize size {};
  if (::ioctl(file->fd.get(), TIOCGWINSZ, &size) == 0) {
    reply.rows = size.ws_row;
    reply.columns = size.ws_col;
  }
  return {};
}

Result<void> serve_tty_set(Services& s, const hc::TtySet::Request& request) {
  if (request.what != 1 && request.what != 2) return Errno::inval;
  HostFileRef file = TRY(stream_of(s, request.handle));
  const hc::TtyState& state = request.state;
  if (request.what == 2) {
    struct winsize size {};
    size.ws_row = state.rows;
    size.ws_col = state.columns;
    if (::ioctl(file->fd.get(), TIOCSWINSZ, &size) < 0) return host_errno(errno);
    return {};
  }
  struct termios t {};
  t.c_iflag = state.iflag;
  t.c_oflag = state.oflag;
  t.c_cflag = state.cflag;
  t.c_lflag = state.lflag;
  t.c_line = state.line;
  std::memcpy(t.c_cc, state.cc, sizeof t.c_cc);
  // TCSETS, not TCSETSW: waiting for output to drain would hold the CPU for as long as the terminal is
  // stopped.
  if (::ioctl(file->fd.get(), TCSETS, &t) < 0) return host_errno(errno);
  return {};
}

}  // namespace runsc::monitor
