// splice(2), tee(2), vmsplice(2). Bytes are copied: pages of pipes are not shared with files.
#include "fs/pipe/pipe.h"
#include "kernel/blocking.h"
#include "kernel/syscalls/files.h"
#include "kernel/syscalls/transfer.h"

namespace runsc::kernel {

namespace {
constexpr uint32_t kMove = 1, kNonblock = 2, kMore = 4, kGift = 8, kKnown = kMove | kNonblock | kMore | kGift;
}

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
  // A pipe takes what it has room for; more than that would wait for its reader.
  if (size > kMaxTransfer) size = kMaxTransfer;
  if (out_pipe) {
    if (size > out_pipe->capacity()) size = out_pipe->capacity();
    size_t held = out_pipe->bytes();
    if (held < out_pipe->capacity() && size > out_pipe->capacity() - held) size = out_pipe->capacity() - held;
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
