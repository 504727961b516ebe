// fsync(2), sync(2) and their family. What is in memory alone has nowhere to go.
#include "fs/sync.h"
#include "kernel/exit.h"
#include "kernel/sched/scheduler.h"
#include "kernel/syscalls/file_args.h"
#include "kernel/syscalls/files.h"

namespace runsc::kernel {

Result<void> sys_fsync(Task& task, int fd) {
  Ref<fs::File> file = TRY(file_of(task, fd));
  return file->sync(false);
}

Result<void> sys_fdatasync(Task& task, int fd) {
  Ref<fs::File> file = TRY(file_of(task, fd));
  return file->sync(true);
}

Result<void> sys_sync(Task& task) {
  fs::SyncAll all;
  while (all.next() && !kill_pending(task)) sched_breathe();
  return {};
}

Result<void> sys_syncfs(Task& task, int fd) {
  Ref<fs::File> file = TRY(file_of(task, fd));
  return file->inode() ? file->inode()->super().sync() : Result<void>();
}

Result<void> sys_sync_file_range(Task& task, int fd, int64_t offset, int64_t size, uint32_t flags) {
  constexpr uint32_t kKnown = 7;
  if (flags & ~kKnown) return Errno::inval;
  if (offset < 0 || size < 0 || offset > 0x7fffffffffffffff - size) return Errno::inval;
  Ref<fs::File> file = TRY(file_of(task, fd));
  if (!file->inode()) return Errno::spipe;
  if (file->inode()->type() == fs::kFifo || file->inode()->type() == fs::kCharDev) return Errno::spipe;
  return flags == 0 ? Result<void>() : file->sync(true);
}

}  // namespace runsc::kernel
