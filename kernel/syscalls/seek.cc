// lseek(2), truncate(2), fallocate(2) and advice.
#include "fs/notify.h"
#include "fs/write_access.h"
#include "kernel/abi/signal.h"
#include "kernel/leases.h"
#include "kernel/syscalls/blocking_io.h"
#include "kernel/syscalls/files.h"

namespace runsc::kernel {

namespace {
// Seeking in them is let through and does nothing.
bool has_no_place(fs::FileKind kind) {
  using enum fs::FileKind;
  return kind == epoll || kind == eventfd || kind == timerfd || kind == signalfd || kind == inotify;
}
}  // namespace

Result<uint64_t> sys_lseek(Task& task, int fd, int64_t offset, int whence) {
  Ref<fs::File> file = TRY(file_of(task, fd));
  if (whence < 0 || whence > 4) return Errno::inval;
  if (has_no_place(file->kind())) return uint64_t{0};
  if (!file->seekable()) return Errno::spipe;
  LockGuard guard(file->position_lock);
  uint64_t position = TRY(file->seek(offset, whence, file->position));
  file->position = position;
  return position;
}

namespace {

Result<fs::SetAttr> size_change(Task& task, int64_t size) {
  if (size < 0) return Errno::inval;
  if (static_cast<uint64_t>(size) > task.limit(kLimitFileSize)) {
    signal_self(task, abi::sig::xfsz);
    return Errno::fbig;
  }
  fs::SetAttr attr;
  attr.mask = fs::SetAttr::kSize | fs::SetAttr::kMtimeNow;
  attr.size = static_cast<uint64_t>(size);
  return attr;
}

}  // namespace

Result<void> sys_ftruncate(Task& task, int fd, int64_t size) {
  if (size < 0) return Errno::inval;
  Ref<fs::File> file = TRY(file_of(task, fd));
  if (!file->writable() || !file->inode() || file->inode()->type() != fs::kRegular) return Errno::inval;
  TRY(file->set_attr(TRY(size_change(task, size))));
  fs::notify_file(*file, fs::notify_bit::modify);
  fs::drop_set_id(task.creds(), *file);
  return {};
}

Result<void> sys_truncate(Task& task, uint64_t path, int64_t size) {
  if (size < 0) return Errno::inval;
  fs::Path at = TRY(lookup_argument(task, abi::at::fdcwd, path, 0));
  fs::WriteClaim claim;
  // Only who may write takes a lease away, and nobody takes one meanwhile.
  if (fs::inode_of(at).type() == fs::kRegular) {
    TRY(fs::check_access(task.creds(), at, fs::kWrite));
    TRY(claim.take(fs::inode_of(at)));
    TRY(past_leases(task, false, [&] { return fs::lease_break(fs::inode_of(at), true); }));
  }
  return fs::change_attr(task.walk_context(), at, TRY(size_change(task, size)));
}

Result<void> sys_fallocate(Task& task, int fd, int mode, int64_t offset, int64_t size) {
  if (offset < 0 || size <= 0) return Errno::inval;
  Ref<fs::File> file = TRY(file_of(task, fd));
  if (!file->writable()) return Errno::badf;
  if (file->inode() && file->inode()->is_dir()) return Errno::isdir;
  if (!file->seekable())
    return file->inode() && file->inode()->type() == fs::kRegular ? Errno::nodev : Errno::spipe;
  if (size > 0x7fffffffffffffff - offset) return Errno::fbig;
  constexpr int kKeepSize = 1;
  uint64_t end = static_cast<uint64_t>(offset + size);
  if (!(mode & kKeepSize) && end > task.limit(kLimitFileSize)) {
    signal_self(task, abi::sig::xfsz);
    return Errno::fbig;
  }
  TRY(file->allocate(mode, static_cast<uint64_t>(offset), static_cast<uint64_t>(size)));
  fs::notify_file(*file, fs::notify_bit::modify);
  return {};
}

// Advice is taken by doing nothing, which is within its meaning.
Result<void> sys_fadvise64(Task& task, int fd, int64_t, int64_t size, int advice) {
  Ref<fs::File> file = TRY(file_of(task, fd));
  if (file->kind() == fs::FileKind::pipe) return Errno::spipe;
  if (size < 0 || advice < 0 || advice > 5) return Errno::inval;
  return {};
}

Result<void> sys_readahead(Task& task, int fd, int64_t, uint64_t) {
  Ref<fs::File> file = TRY(file_of(task, fd));
  if (!file->readable()) return Errno::badf;
  if (!file->inode() || file->inode()->type() != fs::kRegular) return Errno::inval;
  return {};
}

}  // namespace runsc::kernel
