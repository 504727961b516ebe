// What the system calls on files share: descriptors, paths and buffers out of their arguments.
#pragma once

#include "fs/mount.h"
#include "kernel/abi/stat.h"
#include "kernel/syscalls/syscall.h"
#include "kernel/task.h"
#include "mm/io_buf.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

inline constexpr size_t kMaxTransfer = 0x7ffff000;  // MAX_RW_COUNT of read(2)
inline constexpr unsigned kLimitFileSize = 1, kLimitFiles = 7;

// EBADF, also for descriptors opened with O_PATH.
Result<Ref<fs::File>> file_of(Task& task, int fd);
// EBADF; O_PATH descriptors are fine.
Result<Ref<fs::File>> any_file_of(Task& task, int fd);

// A path argument: EFAULT, ENAMETOOLONG.
Result<String> path_argument(Task& task, uint64_t address);
// Where a relative `path` starts: the working directory for AT_FDCWD, else the descriptor's place. EBADF;
// ENOTDIR when the descriptor has no place in the tree.
Result<fs::Path> start_of(Task& task, int dirfd, std::string_view path);
// The object of a path argument. `at_flags`: AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH.
Result<fs::Path> lookup_argument(Task& task, int dirfd, uint64_t path, uint32_t at_flags);

// An array of struct iovec, bounded as read(2) says: at most 1024, sizes cut at kMaxTransfer in all. EINVAL,
// EFAULT, ENOMEM.
class IovecArgument {
 public:
  Result<void> read(Task& task, uint64_t address, uint64_t count);
  // One buffer.
  void set(uint64_t address, uint64_t size) {
    total_ = size > kMaxTransfer ? kMaxTransfer : size;
    local_[0] = {address, total_};
    count_ = 1;
  }
  std::span<const mm::IoSegment> segments() const { return {heap_.empty() ? local_ : heap_.data(), count_}; }
  uint64_t total() const { return total_; }
  // Cuts to `size` bytes.
  void limit(uint64_t size);

 private:
  static constexpr size_t kLocal = 8;
  mm::IoSegment* at(size_t i) { return (heap_.empty() ? local_ : heap_.data()) + i; }
  mm::IoSegment local_[kLocal];
  Vec<mm::IoSegment> heap_;
  size_t count_ = 0;
  uint64_t total_ = 0;
};

// A signal that the current task brings on itself (SIGPIPE, SIGXFSZ).
void signal_self(Task& task, int signal);

// dev_t in the old 16-bit-pair encoding that mknod(2) takes and stat(2) shows is what fs uses; statx(2) wants
// the parts.
constexpr uint32_t device_major(uint64_t dev) {
  return static_cast<uint32_t>((dev >> 8 & 0xfff) | (dev >> 32 & ~uint64_t{0xfff}));
}
constexpr uint32_t device_minor(uint64_t dev) {
  return static_cast<uint32_t>((dev & 0xff) | (dev >> 12 & ~uint64_t{0xff}));
}

}  // namespace runsc::kernel
