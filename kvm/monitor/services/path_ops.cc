#include "kvm/monitor/services/path_ops.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace runsc::monitor {

Errno host_errno(int code) { return static_cast<Errno>(code); }

Result<UniqueFd> open_beneath(int root, const char* path, int flags, std::uint32_t mode) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(static_cast<unsigned>(flags) | O_CLOEXEC);
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  for (;;) {
    long fd = ::syscall(SYS_openat2, root, path, &how, sizeof how);
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    // EAGAIN: a rename elsewhere raced with the walk (openat2(2)).
    if (errno != EAGAIN && errno != EINTR) return host_errno(errno);
  }
}

Result<UniqueFd> open_entry(int root, const char* name, int flags) {
  if (*name != 0) return open_beneath(root, name, flags);
  const struct stat st = TRY(stat_entry(root, ""));
  if (S_ISDIR(st.st_mode)) return open_beneath(root, ".", flags);
  if ((flags & O_DIRECTORY) != 0) return Errno::notdir;
  if (!S_ISREG(st.st_mode) && (flags & O_PATH) == 0) return Errno::nxio;
  const int held = ::fcntl(root, F_GETFL);
  if (held < 0) return host_errno(errno);
  const bool writes = (flags & O_PATH) == 0 && (flags & O_ACCMODE) != O_RDONLY;
  if (writes && (held & O_ACCMODE) != O_RDWR) return Errno::rofs;
  UniqueFd fd(::fcntl(root, F_DUPFD_CLOEXEC, 0));
  if (!fd.valid()) return host_errno(errno);
  if (writes && (flags & O_TRUNC) != 0 && ::ftruncate(fd.get(), 0) < 0) return host_errno(errno);
  return fd;
}

Result<UniqueFd> open_mounted(const struct stat& wanted, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(static_cast<unsigned>(flags) | O_CLOEXEC);
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  for (unsigned i = 0;; ++i) {
    const std::string place = "/" + std::to_string(i);
    auto st = stat_entry(AT_FDCWD, place.c_str());
    if (!st) return Errno::nxio;
    if (st->st_dev != wanted.st_dev || st->st_ino != wanted.st_ino) continue;
    const long fd = ::syscall(SYS_openat2, AT_FDCWD, place.c_str(), &how, sizeof how);
    if (fd < 0) return host_errno(errno);
    return UniqueFd(static_cast<int>(fd));
  }
}

Result<ParentDirectory> ParentDirectory::open(const FileTable& files, const ValidPath& path) {
  ParentDirectory parent;
  parent.root_ = TRY(files.get(path.root));
  if (!path.single()) {
    parent.owned_ = TRY(open_beneath(parent.root_->fd.get(), path.parent().c_str(), O_PATH | O_DIRECTORY));
  }
  return parent;
}

Result<struct stat> stat_entry(int directory, const char* name) {
  struct stat st {};
  const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name == 0 ? AT_EMPTY_PATH : 0);
  // The system call itself: libc may make fstat(2) of it, which the jail does not know.
  if (::syscall(SYS_newfstatat, directory, name, &st, flags) < 0) return host_errno(errno);
  return st;
}

hostcall::HostStat to_host_stat(const struct stat& st) {
  hostcall::HostStat h{};
  h.dev = st.st_dev;
  h.ino = st.st_ino;
  h.mode = st.st_mode;
  h.nlink = static_cast<std::uint32_t>(st.st_nlink);
  h.uid = st.st_uid;
  h.gid = st.st_gid;
  h.rdev = st.st_rdev;
  h.size = static_cast<std::uint64_t>(st.st_size);
  h.blocks = static_cast<std::uint64_t>(st.st_blocks);
  h.block_size = static_cast<std::uint32_t>(st.st_blksize);
  h.atime_sec = st.st_atim.tv_sec;
  h.mtime_sec = st.st_mtim.tv_sec;
  h.ctime_sec = st.st_ctim.tv_sec;
  h.atime_nsec = static_cast<std::uint32_t>(st.st_atim.tv_nsec);
  h.mtime_nsec = static_cast<std::uint32_t>(st.st_mtim.tv_nsec);
  h.ctime_nsec = static_cast<std::uint32_t>(st.st_ctim.tv_nsec);
  return h;
}

}  // namespace runsc::monitor
