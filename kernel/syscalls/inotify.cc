// inotify_init(2), inotify_add_watch(2), inotify_rm_watch(2).
#include "fs/inotify/inotify.h"

#include "kernel/syscalls/events.h"
#include "kernel/syscalls/file_args.h"

namespace runsc::kernel {

using namespace fs::notify_bit;

Result<int> sys_inotify_init1(Task& task, uint32_t flags) {
  using namespace fs::open_flag;
  if (flags & ~(nonblock | cloexec)) return Errno::inval;
  Ref<fs::File> file = TRY(fs::Inotify::create(flags, task.creds().uid));
  return task.files().install(std::move(file), flags & cloexec, task.limit(kLimitFiles));
}

Result<int> sys_inotify_init(Task& task) { return sys_inotify_init1(task, 0); }

Result<int> sys_inotify_add_watch(Task& task, int fd, uint64_t path, uint32_t mask) {
  constexpr uint32_t kKnown = all_events | unmount | overflow | ignored | only_dir | dont_follow |
                              excl_unlink | mask_create | mask_add | is_dir | oneshot;
  if (!(mask & kKnown)) return Errno::inval;
  Ref<fs::File> file = TRY(file_of(task, fd));
  if ((mask & mask_add) && (mask & mask_create)) return Errno::inval;
  if (file->kind() != fs::FileKind::inotify) return Errno::inval;
  String text = TRY(path_argument(task, path));
  fs::Path start = TRY(start_of(task, abi::at::fdcwd, text.view()));
  uint32_t walk_flags = (mask & dont_follow ? 0 : fs::kFollow) | (mask & only_dir ? fs::kDirectoryOnly : 0);
  fs::Path at = TRY(fs::walk(task.walk_context(), start, text.view(), walk_flags));
  TRY(fs::check_access(task.creds(), at, fs::kRead));
  return static_cast<fs::Inotify&>(*file).add(fs::inode_of(at), mask);
}

Result<void> sys_inotify_rm_watch(Task& task, int fd, int wd) {
  Ref<fs::File> file = TRY(file_of(task, fd));
  if (file->kind() != fs::FileKind::inotify) return Errno::inval;
  return static_cast<fs::Inotify&>(*file).remove(wd);
}

}  // namespace runsc::kernel
