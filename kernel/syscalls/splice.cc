// splice(2), tee(2), vmsplice(2). Bytes are copied: pages of pipes are not shared with files.
#include <algorithm>

#include "fs/pipe/pipe.h"
#include "kernel/abi/signal.h"
#include "kernel/blocking.h"
#include "kernel/syscalls/files.h"
#include "kernel/syscalls/transfer.h"

namespace runsc::kernel {

namespace {
constexpr uint32_t kMove = 1, kNonblock = 2, kMore = 4, kGift = 8, kKnown = kMove | kNonblock | kMore | kGift;

// EAGAIN, EPIPE with its signal, ERESTARTSYS.
Result<size_t> room_in(Task& task, fs::Pipe& pipe, bool wait) {
  auto attempt = [&]() -> Result<size_t> {
    if (!pipe.has_readers()) return Errno::pipe;
    size_t room = pipe.room();
    return room > 0 ? Result<size_t>(room) : Errno::again;
  };
  Result<size_t> n = wait ? block_on(task, pipe.queue(), ~0u, kNoDeadline, attempt) : attempt();
  if (!n && n.error() == Errno::pipe) signal_self(task, abi::sig::pipe);
  return n;
}
}  // namespace

Result<size_t> sys_splice(Task& task, int in_fd, uint64_t in_offset, int out_fd, uint64_t out_offset,
                          uint64_t size, uint32_t flags) {
  if (flags & ~kKnown) return Errno::inval;
  if (size == 0) return size_t{0};
  Ref<fs::File> in = TRY(file_of(task, in_fd));
  Ref<fs::File> out = TRY(file_of(task, out_fd));
  if (!in->readable() || !out->writable()) return Errno::badf;
  fs::Pipe* in_pipe = fs::pipe_of(*in);
  fs::Pipe* out_pipe = fs::pipe_of(*out);
  if (!in_pipe && !out_pipe) return Errno::inval;
  if ((in_pipe && in_offset != 0) || (out_pipe && out_offset != 0)) return Errno::spipe;
  if ((in_offset != 0 && !in->seekable()) || (out_offset != 0 && !out->seekable())) return Errno::inval;
  if (in_pipe == out_pipe) return Errno::inval;
  if (out->flags() & fs::open_flag::append) return Errno::inval;
  if (size > kMaxTransfer) size = kMaxTransfer;
  // A pipe takes what it has room for; more than that would wait for its reader.
  if (out_pipe) {
    bool wait = !(flags & kNonblock) && !out->nonblocking();
    size = std::min<uint64_t>(size, TRY(room_in(task, *out_pipe, wait)));
  }
  TransferEnd from, to;
  TRY(from.open(task, std::move(in), in_offset));
  TRY(to.open(task, std::move(out), out_offset));
  return transfer(task, from, to, size, flags & kNonblock);
}

Result<size_t> sys_tee(Task& task, int in_fd, int out_fd, uint64_t size, uint32_t flags) {
  if (flags & ~kKnown) return Errno::inval;
  if (size == 0) return size_t{0};
  Ref<fs::File> in = TRY(file_of(task, in_fd));
  Ref<fs::File> out = TRY(file_of(task, out_fd));
  if (!in->readable() || !out->writable()) return Errno::badf;
  fs::Pipe* in_pipe = fs::pipe_of(*in);
  fs::Pipe* out_pipe = fs::pipe_of(*out);
  if (!in_pipe || !out_pipe || in_pipe == out_pipe) return Errno::inval;
  constexpr unsigned kOrder = 4;
  mm::Page* block = TRY(mm::alloc_pages(kOrder, mm::Zero::no, mm::Use::sentry));
  std::span<std::byte> room(static_cast<std::byte*>(mm::page_data(*block)), mm::kPageSize << kOrder);
  if (size < room.size()) room = room.first(size);
  auto peek = [&] { return in_pipe->peek(room); };
  bool wait = !(flags & kNonblock) && !in->nonblocking();
  Result<size_t> n = wait ? block_on(task, in_pipe->queue(), ~0u, kNoDeadline, peek) : peek();
  if (n && *n > 0) {
    mm::IoBuf buf = mm::IoBuf::kernel(room.first(*n));
    n = blocking_write(task, *out, buf, 0, flags & kNonblock);
  }
  mm::put_page(*block);
  return n;
}

// Into a pipe as writev(2), out of one as readv(2).
Result<size_t> sys_vmsplice(Task& task, int fd, uint64_t iov_at, uint64_t count, uint32_t flags) {
  if (flags & ~kKnown) return Errno::inval;
  Ref<fs::File> file = TRY(file_of(task, fd));
  if (!fs::pipe_of(*file)) return Errno::badf;
  IovecArgument iov;
  TRY(iov.read(task, iov_at, count));
  mm::IoBuf buf(task.mm(), iov.segments());
  if (file->writable()) return blocking_write(task, *file, buf, 0, flags & kNonblock);
  return blocking_read(task, *file, buf, 0, flags & kNonblock);
}

}  // namespace runsc::kernel
