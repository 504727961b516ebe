// sendfile(2), copy_file_range(2).
#include "fs/pipe/pipe.h"
#include "kernel/blocking.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/sched/scheduler.h"
#include "kernel/syscalls/files.h"
#include "kernel/syscalls/transfer.h"
#include "kernel/thread_group.h"

namespace runsc::kernel {

Result<void> TransferEnd::open(Task& task, Ref<fs::File> file, uint64_t offset_at) {
  file_ = std::move(file);
  offset_at_ = offset_at;
  if (offset_at != 0) {
    if (!file_->seekable()) return Errno::spipe;
    auto given = TRY(mm::copy_in(task.mm(), mm::UserPtr<int64_t>(offset_at)));
    if (given < 0) return Errno::inval;
    offset_ = static_cast<uint64_t>(given);
  } else if (file_->seekable()) {
    LockGuard guard(file_->position_lock);
    offset_ = file_->position;
  }
  start_ = offset_;
  return {};
}

Result<void> TransferEnd::finish(Task& task) {
  if (offset_ == start_) return {};
  if (offset_at_ != 0)
    return mm::copy_out(task.mm(), mm::UserPtr<int64_t>(offset_at_), static_cast<int64_t>(offset_));
  if (!file_->seekable()) return {};
  LockGuard guard(file_->position_lock);
  file_->position = offset_;
  if (file_->flags() & fs::open_flag::append)
    if (Result<uint64_t> end = file_->seek(0, 2, 0)) file_->position = *end;
  return {};
}

namespace {

constexpr unsigned kOrder = 4;
constexpr size_t kRoom = mm::kPageSize << kOrder;

Result<size_t> write_out(Task& task, TransferEnd& to, std::byte* bytes, size_t n, bool nonblocking) {
  mm::IoBuf buf = mm::IoBuf::kernel({bytes, n});
  size_t written = TRY(blocking_write(task, to.file(), buf, to.offset(), nonblocking));
  to.advance(written);
  return written;
}

using namespace fs::poll_bit;

Result<void> wait_writable(Task& task, fs::File& file) {
  WaitQueue* queue = file.wait_queue();
  if (!queue) return {};
  return block_on(task, *queue, out | wrnorm | hup | err, kNoDeadline, [&]() -> Result<void> {
    if (file.poll() & (out | err | hup)) return {};
    return Errno::again;
  });
}

// Between two pieces of what may be gigabytes. False: the task is to die.
bool go_on(Task& task) {
  sched_breathe();
  if (!task.signal_pending()) return true;
  LockGuard guard(task.group().signal_lock);
  return !fatal_signal_pending_locked(task);
}

// Bytes of a stream, which exist nowhere else any more: callers have seen that there is room, so that this
// waits only if somebody else has just filled it.
Result<size_t> write_whole(Task& task, TransferEnd& to, std::byte* bytes, size_t n) {
  size_t done = 0;
  while (done < n) {
    Result<size_t> written = write_out(task, to, bytes + done, n - done, false);
    if (written)
      done += *written;
    else if (written.error() != Errno::again || !wait_writable(task, to.file()) || !go_on(task))
      return done > 0 ? Result<size_t>(done) : written;
  }
  return done;
}

Result<size_t> transfer_through(Task& task, TransferEnd& from, TransferEnd& to, uint64_t size,
                                bool nonblocking, std::byte* room) {
  size_t done = 0;
  while (done < size && (done == 0 || go_on(task))) {
    size_t want = size - done < kRoom ? size - done : kRoom;
    want = TRY(writable_size(task, to.file(), to.offset(), want));
    mm::IoBuf buf = mm::IoBuf::kernel({room, want});
    // Once something has moved, only what is there already follows.
    bool dont_wait = nonblocking || (done > 0 && !from.file().seekable());
    Result<size_t> n = blocking_read(task, from.file(), buf, from.offset(), dont_wait);
    if (!n) return done > 0 ? Result<size_t>(done) : n;
    if (*n == 0) break;
    Result<size_t> written =
        from.file().seekable() ? write_out(task, to, room, *n, nonblocking) : write_whole(task, to, room, *n);
    if (!written) return done > 0 ? Result<size_t>(done) : written;
    from.advance(*written);
    done += *written;
    if (*written < *n) break;
  }
  return done;
}

// Out of a pipe, whose bytes exist nowhere else: they stay there until the other side has them.
Result<size_t> transfer_from_pipe(Task& task, fs::Pipe& pipe, TransferEnd& from, TransferEnd& to,
                                  uint64_t size, bool nonblocking, std::byte* room) {
  const bool wait_in = !nonblocking && !from.file().nonblocking();
  const bool wait_out = !nonblocking && !to.file().nonblocking();
  size_t done = 0;
  while (done < size && (done == 0 || go_on(task))) {
    size_t want = size - done < kRoom ? size - done : kRoom;
    want = TRY(writable_size(task, to.file(), to.offset(), want));
    auto take = [&] { return pipe.begin_take({room, want}); };
    Result<size_t> n = wait_in && done == 0 ? block_on(task, pipe.queue(), ~0u, kNoDeadline, take) : take();
    if (!n || *n == 0) return done > 0 ? Result<size_t>(done) : n;
    Result<size_t> written = write_out(task, to, room, *n, true);
    pipe.end_take(written ? *written : 0);
    if (written) {
      done += *written;
      continue;
    }
    if (done > 0) return done;
    if (written.error() != Errno::again || !wait_out) return written;
    TRY(wait_writable(task, to.file()));
  }
  return done;
}

Result<size_t> transfer_in(Task& task, TransferEnd& from, TransferEnd& to, uint64_t size, bool nonblocking,
                           std::byte* room) {
  if (fs::Pipe* pipe = fs::pipe_of(from.file()))
    return transfer_from_pipe(task, *pipe, from, to, size, nonblocking, room);
  return transfer_through(task, from, to, size, nonblocking, room);
}

}  // namespace

Result<size_t> transfer(Task& task, TransferEnd& from, TransferEnd& to, uint64_t size, bool nonblocking) {
  // Their records are no stream of bytes.
  for (fs::FileKind kind : {from.file().kind(), to.file().kind()})
    if (kind == fs::FileKind::eventfd || kind == fs::FileKind::timerfd || kind == fs::FileKind::signalfd ||
        kind == fs::FileKind::inotify)
      return Errno::inval;
  mm::Page* block = TRY(mm::alloc_pages(kOrder, mm::Zero::no, mm::Use::sentry));
  Result<size_t> n =
      transfer_in(task, from, to, size, nonblocking, static_cast<std::byte*>(mm::page_data(*block)));
  mm::put_page(*block);
  if (!n) return n;
  TRY(from.finish(task));
  TRY(to.finish(task));
  return n;
}

Result<size_t> sys_sendfile(Task& task, int out_fd, int in_fd, uint64_t offset, uint64_t count) {
  Ref<fs::File> in = TRY(file_of(task, in_fd));
  if (!in->readable()) return Errno::badf;
  Ref<fs::File> out = TRY(file_of(task, out_fd));
  if (!out->writable()) return Errno::badf;
  if (out->flags() & fs::open_flag::append) return Errno::inval;
  if (in->inode() && in->inode()->is_dir()) return Errno::inval;
  TransferEnd from, to;
  TRY(from.open(task, std::move(in), offset));
  TRY(to.open(task, std::move(out), 0));
  return transfer(task, from, to, count > kMaxTransfer ? kMaxTransfer : count, to.file().nonblocking());
}

Result<size_t> sys_copy_file_range(Task& task, int in_fd, uint64_t in_offset, int out_fd, uint64_t out_offset,
                                   uint64_t size, uint32_t flags) {
  if (flags != 0) return Errno::inval;
  Ref<fs::File> in = TRY(file_of(task, in_fd));
  Ref<fs::File> out = TRY(file_of(task, out_fd));
  if (!in->readable() || !out->writable() || (out->flags() & fs::open_flag::append)) return Errno::badf;
  for (const Ref<fs::File>& f : {in, out}) {
    if (!f->inode()) return Errno::inval;
    if (f->inode()->is_dir()) return Errno::isdir;
    if (f->inode()->type() != fs::kRegular) return Errno::inval;
  }
  bool same = in->inode() == out->inode();
  TransferEnd from, to;
  TRY(from.open(task, std::move(in), in_offset));
  TRY(to.open(task, std::move(out), out_offset));
  if (size > kMaxTransfer) size = kMaxTransfer;
  if (same && from.offset() < to.offset() + size && to.offset() < from.offset() + size) return Errno::inval;
  return transfer(task, from, to, size, false);
}

}  // namespace runsc::kernel
