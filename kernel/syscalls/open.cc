// open(2), close(2), dup(2) and their family.
#include "fs/file_lock.h"
#include "fs/notify.h"
#include "fs/tmpfs/memfd.h"
#include "fs/write_access.h"
#include "kernel/blocking.h"
#include "kernel/leases.h"
#include "kernel/syscalls/file_args.h"
#include "kernel/syscalls/files.h"

namespace runsc::kernel {

namespace {

using namespace fs::open_flag;

// A FIFO's other end.
Result<void> wait_open(Task& task, fs::File& file) {
  WaitQueue* queue = file.wait_queue();
  if (!queue || file.nonblocking()) {
    Result<void> r = file.complete_open();
    return !r && r.error() == Errno::again ? Result<void>() : r;
  }
  return block_on(task, *queue, fs::poll_bit::out | fs::poll_bit::in, kNoDeadline,
                  [&] { return file.complete_open(); });
}

Result<int> open_at(Task& task, int dirfd, uint64_t path, uint32_t flags, uint32_t mode,
                    uint32_t walk_flags) {
  String text = TRY(path_argument(task, path));
  // RESOLVE_IN_ROOT: "/" is the directory, too.
  std::string_view for_start = walk_flags & fs::kInRoot ? std::string_view(".") : text.view();
  fs::Path start = TRY(start_of(task, dirfd, for_start));
  // Who waits until he may write is a writer for all who want leases.
  fs::WriteClaim waiting;
  auto claim = [&] {
    const uint32_t follow = flags & nofollow ? 0 : fs::kFollow;
    auto at = fs::walk(task.walk_context(), start, text.view(), walk_flags | follow);
    if ((flags & accmode) != rdonly && at) (void)waiting.take(fs::inode_of(*at));
  };
  auto attempt = [&] {
    return fs::open_path(task.walk_context(), start, text.view(), flags | largefile, mode, walk_flags);
  };
  Ref<fs::File> file = TRY(past_leases(task, flags & nonblock, attempt, claim));
  TRY(wait_open(task, *file));
  fs::notify_file(*file, fs::notify_bit::open);
  return task.files().install(std::move(file), flags & cloexec, task.limit(kLimitFiles));
}

}  // namespace

Result<int> sys_openat(Task& task, int dirfd, uint64_t path, uint32_t flags, uint32_t mode) {
  // Unknown bits are dropped, as open(2) always did.
  constexpr uint32_t kKnown = accmode | creat | excl | noctty | trunc | append | nonblock | sync | async |
                              direct | largefile | directory | nofollow | noatime | cloexec |
                              fs::open_flag::path | tmpfile;
  flags &= kKnown;
  constexpr uint32_t kTmpfileBit = tmpfile & ~directory;
  if ((flags & kTmpfileBit) && (flags & tmpfile) != tmpfile) return Errno::inval;
  return open_at(task, dirfd, path, flags, mode & 07777, 0);
}

Result<int> sys_open(Task& task, uint64_t path, uint32_t flags, uint32_t mode) {
  return sys_openat(task, abi::at::fdcwd, path, flags, mode);
}

Result<int> sys_creat(Task& task, uint64_t path, uint32_t mode) {
  return sys_openat(task, abi::at::fdcwd, path, creat | wronly | trunc, mode);
}

// openat2(2): nothing is dropped in silence.
Result<int> sys_openat2(Task& task, int dirfd, uint64_t path, uint64_t how_address, uint64_t size) {
  if (size < sizeof(abi::OpenHow)) return Errno::inval;
  if (size > 4096) return Errno::toobig;
  auto how = TRY(mm::copy_in(task.mm(), mm::UserPtr<abi::OpenHow>(how_address)));
  for (uint64_t i = sizeof how; i < size; ++i)
    if (TRY(mm::copy_in(task.mm(), mm::UserPtr<uint8_t>(how_address + i))) != 0) return Errno::toobig;
  constexpr uint64_t kNoXdev = 1, kNoMagic = 2, kNoLinks = 4, kBeneath = 8, kInRoot = 16, kCached = 32;
  if (how.resolve & ~(kNoXdev | kNoMagic | kNoLinks | kBeneath | kInRoot | kCached)) return Errno::inval;
  if ((how.resolve & kBeneath) && (how.resolve & kInRoot)) return Errno::inval;
  constexpr uint64_t kKnown = accmode | creat | excl | noctty | trunc | append | nonblock | sync | async |
                              direct | largefile | directory | nofollow | noatime | cloexec |
                              fs::open_flag::path | tmpfile;
  if (how.flags & ~kKnown) return Errno::inval;
  auto flags = static_cast<uint32_t>(how.flags);
  bool makes = (flags & creat) || (flags & tmpfile) == tmpfile;
  if (how.mode & ~uint64_t{07777} || (how.mode != 0 && !makes)) return Errno::inval;
  constexpr uint32_t kWithPath = fs::open_flag::path | directory | nofollow | cloexec;
  if ((flags & fs::open_flag::path) && (flags & ~kWithPath)) return Errno::inval;
  if ((how.resolve & kCached) && (makes || (flags & trunc))) return Errno::again;
  uint32_t walk_flags = 0;
  if (how.resolve & kNoXdev) walk_flags |= fs::kNoXdev;
  if (how.resolve & kNoMagic) walk_flags |= fs::kNoMagicLinks;
  if (how.resolve & kNoLinks) walk_flags |= fs::kNoSymlinks | fs::kNoMagicLinks;
  if (how.resolve & kBeneath) walk_flags |= fs::kBeneath;
  if (how.resolve & kInRoot) walk_flags |= fs::kInRoot;
  if (how.resolve & kCached) walk_flags |= fs::kCachedOnly;
  return open_at(task, dirfd, path, flags, static_cast<uint32_t>(how.mode), walk_flags);
}

Result<void> sys_close(Task& task, int fd) {
  Ref<fs::File> file = TRY(task.files().remove(fd));
  return fs::close_file(task.files(), std::move(file));
}

Result<void> sys_close_range(Task& task, uint32_t first, uint32_t last, uint32_t flags) {
  constexpr uint32_t kUnshare = 2, kCloexec = 4;
  if (flags & ~(kUnshare | kCloexec) || first > last) return Errno::inval;
  if ((flags & kUnshare) && task.files().ref_count() > 1) task.set_files(TRY(task.files().clone()));
  fs::FdTable& files = task.files();
  if (first > 0x7fffffff) return {};
  for (int fd = files.next_open(static_cast<int>(first)); fd >= 0 && static_cast<uint32_t>(fd) <= last;
       fd = files.next_open(fd + 1)) {
    if (flags & kCloexec) {
      (void)files.set_close_on_exec(fd, true);
    } else if (Result<Ref<fs::File>> file = files.remove(fd)) {
      (void)fs::close_file(task.files(), std::move(*file));
    }
  }
  return {};
}

Result<int> sys_dup(Task& task, int fd) {
  Ref<fs::File> file = TRY(any_file_of(task, fd));
  return task.files().install(std::move(file), false, task.limit(kLimitFiles));
}

namespace {

Result<int> dup_to(Task& task, int old_fd, int new_fd, bool close_on_exec) {
  Ref<fs::File> file = TRY(any_file_of(task, old_fd));
  Ref<fs::File> old =
      TRY(task.files().replace(new_fd, std::move(file), close_on_exec, task.limit(kLimitFiles)));
  if (old) (void)fs::close_file(task.files(), std::move(old));
  return new_fd;
}

}  // namespace

Result<int> sys_dup2(Task& task, int old_fd, int new_fd) {
  if (old_fd == new_fd) {
    TRY(any_file_of(task, old_fd));
    return new_fd;
  }
  return dup_to(task, old_fd, new_fd, false);
}

Result<int> sys_dup3(Task& task, int old_fd, int new_fd, uint32_t flags) {
  if ((flags & ~cloexec) || old_fd == new_fd) return Errno::inval;
  return dup_to(task, old_fd, new_fd, flags & cloexec);
}

Result<int> sys_memfd_create(Task& task, uint64_t name, uint32_t flags) {
  constexpr uint32_t kCloexec = 1, kAllowSealing = 2, kHugeTlb = 4, kMaxName = 249;
  if (flags & ~(kCloexec | kAllowSealing | kHugeTlb)) return Errno::inval;
  if (flags & kHugeTlb) return Errno::nodev;
  Result<String> text = mm::copy_in_string(task.mm(), name, kMaxName + 1);
  if (!text) return text.error() == Errno::nametoolong ? Errno::inval : text.error();
  Ref<fs::File> file = TRY(fs::make_memfd(text->view(), flags & kAllowSealing, task.creds()));
  return task.files().install(std::move(file), flags & kCloexec, task.limit(kLimitFiles));
}

}  // namespace runsc::kernel
