// chmod(2), chown(2), utimensat(2) and their family.
#include "fs/user_namespace.h"
#include "kernel/syscalls/file_args.h"
#include "kernel/syscalls/files.h"

namespace runsc::kernel {

namespace {

fs::SetAttr mode_change(uint32_t mode) {
  fs::SetAttr attr;
  attr.mask = fs::SetAttr::kMode;
  attr.mode = mode & 07777;
  return attr;
}

// EINVAL: a number that means nothing in the caller's user namespace.
Result<fs::SetAttr> owner_change(const Task& task, uint32_t uid, uint32_t gid) {
  const fs::UserNamespace* ns = task.creds().user_ns.get();
  fs::SetAttr attr;
  if (uid != ~0u) attr.mask |= fs::SetAttr::kUid;
  if (gid != ~0u) attr.mask |= fs::SetAttr::kGid;
  attr.uid = fs::global_uid(ns, uid);
  attr.gid = fs::global_gid(ns, gid);
  if ((uid != ~0u && attr.uid == fs::kNoId) || (gid != ~0u && attr.gid == fs::kNoId)) return Errno::inval;
  return attr;
}

Result<void> change_at(Task& task, int dirfd, uint64_t path, uint32_t at_flags, const fs::SetAttr& attr) {
  fs::Path at = TRY(lookup_argument(task, dirfd, path, at_flags));
  return fs::change_attr(task.walk_context(), at, attr);
}

}  // namespace

Result<void> sys_fchmodat(Task& task, int dirfd, uint64_t path, uint32_t mode) {
  return change_at(task, dirfd, path, 0, mode_change(mode));
}

Result<void> sys_chmod(Task& task, uint64_t path, uint32_t mode) {
  return sys_fchmodat(task, abi::at::fdcwd, path, mode);
}

Result<void> sys_fchmod(Task& task, int fd, uint32_t mode) {
  Ref<fs::File> file = TRY(file_of(task, fd));
  return fs::change_attr(task.walk_context(), *file, mode_change(mode));
}

Result<void> sys_fchownat(Task& task, int dirfd, uint64_t path, uint32_t uid, uint32_t gid, uint32_t flags) {
  if (flags & ~(abi::at::symlink_nofollow | abi::at::empty_path)) return Errno::inval;
  return change_at(task, dirfd, path, flags, TRY(owner_change(task, uid, gid)));
}

Result<void> sys_chown(Task& task, uint64_t path, uint32_t uid, uint32_t gid) {
  return sys_fchownat(task, abi::at::fdcwd, path, uid, gid, 0);
}

Result<void> sys_lchown(Task& task, uint64_t path, uint32_t uid, uint32_t gid) {
  return sys_fchownat(task, abi::at::fdcwd, path, uid, gid, abi::at::symlink_nofollow);
}

Result<void> sys_fchown(Task& task, int fd, uint32_t uid, uint32_t gid) {
  Ref<fs::File> file = TRY(file_of(task, fd));
  return fs::change_attr(task.walk_context(), *file, TRY(owner_change(task, uid, gid)));
}

namespace {

constexpr int64_t kNow = 0x3fffffff, kOmit = 0x3ffffffe;

// Both times as utimensat(2) takes them; false: nothing is to be done.
Result<bool> decode_times(const abi::Timespec (&t)[2], fs::SetAttr& attr) {
  for (const abi::Timespec& x : t)
    if (x.nsec != kNow && x.nsec != kOmit && (x.nsec < 0 || x.nsec >= 1000000000)) return Errno::inval;
  auto one = [&](const abi::Timespec& x, uint32_t set, uint32_t now, fs::Time& to) {
    if (x.nsec == kOmit) return;
    if (x.nsec == kNow) {
      attr.mask |= now;
      return;
    }
    attr.mask |= set;
    to = {x.sec, static_cast<uint32_t>(x.nsec)};
  };
  one(t[0], fs::SetAttr::kAtime, fs::SetAttr::kAtimeNow, attr.atime);
  one(t[1], fs::SetAttr::kMtime, fs::SetAttr::kMtimeNow, attr.mtime);
  return attr.mask != 0;
}

Result<void> set_times(Task& task, int dirfd, uint64_t path, const abi::Timespec (&t)[2], uint32_t flags) {
  fs::SetAttr attr;
  bool any = TRY(decode_times(t, attr));
  if (path == 0 && dirfd != abi::at::fdcwd) {
    Ref<fs::File> file = TRY(file_of(task, dirfd));
    return any ? fs::change_attr(task.walk_context(), *file, attr) : Result<void>();
  }
  if (!any) return {};
  return change_at(task, dirfd, path, flags, attr);
}

Result<void> set_timevals(Task& task, int dirfd, uint64_t path, uint64_t times) {
  abi::Timespec t[2] = {{0, kNow}, {0, kNow}};
  if (times != 0) {
    abi::Timeval v[2];
    TRY(mm::copy_in_bytes(task.mm(), v, times, sizeof v));
    for (int i = 0; i < 2; ++i) {
      if (v[i].usec < 0 || v[i].usec >= 1000000) return Errno::inval;
      t[i] = {v[i].sec, v[i].usec * 1000};
    }
  }
  return set_times(task, dirfd, path, t, 0);
}

}  // namespace

Result<void> sys_utimensat(Task& task, int dirfd, uint64_t path, uint64_t times, uint32_t flags) {
  if (flags & ~(abi::at::symlink_nofollow | abi::at::empty_path)) return Errno::inval;
  abi::Timespec t[2] = {{0, kNow}, {0, kNow}};
  if (times != 0) TRY(mm::copy_in_bytes(task.mm(), t, times, sizeof t));
  if (path == 0 && dirfd == abi::at::fdcwd) return Errno::fault;
  return set_times(task, dirfd, path, t, flags);
}

Result<void> sys_futimesat(Task& task, int dirfd, uint64_t path, uint64_t times) {
  return set_timevals(task, dirfd, path, times);
}

Result<void> sys_utimes(Task& task, uint64_t path, uint64_t times) {
  if (path == 0) return Errno::fault;
  return set_timevals(task, abi::at::fdcwd, path, times);
}

Result<void> sys_utime(Task& task, uint64_t path, uint64_t times) {
  if (path == 0) return Errno::fault;
  abi::Timespec t[2] = {{0, kNow}, {0, kNow}};
  if (times != 0) {
    int64_t seconds[2];
    TRY(mm::copy_in_bytes(task.mm(), seconds, times, sizeof seconds));
    t[0] = {seconds[0], 0};
    t[1] = {seconds[1], 0};
  }
  return set_times(task, abi::at::fdcwd, path, t, 0);
}

}  // namespace runsc::kernel
