// stat(2), statx(2), statfs(2), access(2).
#include "fs/user_namespace.h"
#include "kernel/syscalls/file_args.h"
#include "kernel/syscalls/files.h"

namespace runsc::kernel {

namespace {

Result<void> put_stat(Task& task, const fs::Attr& a, uint64_t out) {
  abi::Stat s{};
  s.dev = a.dev;
  s.ino = a.ino;
  s.nlink = a.nlink;
  s.mode = a.mode;
  s.uid = fs::shown_uid(task.creds(), a.uid);
  s.gid = fs::shown_gid(task.creds(), a.gid);
  s.rdev = a.rdev;
  s.size = static_cast<int64_t>(a.size);
  s.block_size = a.block_size;
  s.blocks = static_cast<int64_t>(a.blocks);
  s.atime_sec = static_cast<uint64_t>(a.atime.sec), s.atime_nsec = a.atime.nsec;
  s.mtime_sec = static_cast<uint64_t>(a.mtime.sec), s.mtime_nsec = a.mtime.nsec;
  s.ctime_sec = static_cast<uint64_t>(a.ctime.sec), s.ctime_nsec = a.ctime.nsec;
  return mm::copy_out(task.mm(), mm::UserPtr<abi::Stat>(out), s);
}

// The attributes of an argument with AT_EMPTY_PATH rules: an empty path is the descriptor itself.
struct MountTold {
  uint64_t id = 0;
  bool root = false;
  void tell(const fs::Path& at) {
    if (at.mount) id = at.mount->id(), root = at.dentry.get() == &at.mount->root();
  }
};
Result<fs::Attr> attr_at(Task& task, int dirfd, uint64_t path, uint32_t flags, MountTold* mount) {
  String text;
  if (flags & abi::at::empty_path && path == 0) {
    // statx(2) and newfstatat(2) take a null path like an empty one.
  } else {
    text = TRY(path_argument(task, path));
  }
  if (text.empty() && (flags & abi::at::empty_path) && dirfd != abi::at::fdcwd) {
    Ref<fs::File> file = TRY(any_file_of(task, dirfd));
    if (mount) mount->tell(file->path());
    if (file->flags() & fs::open_flag::path) return file->inode()->get_attr();
    return file->get_attr();
  }
  fs::Path start = TRY(start_of(task, dirfd, text.view()));
  uint32_t walk_flags = flags & abi::at::symlink_nofollow ? 0 : fs::kFollow;
  if (flags & abi::at::empty_path) walk_flags |= fs::kEmptyPath;
  fs::Path at = TRY(fs::walk(task.walk_context(), start, text.view(), walk_flags));
  if (mount) mount->tell(at);
  return fs::inode_of(at).get_attr();
}

}  // namespace

Result<void> sys_newfstatat(Task& task, int dirfd, uint64_t path, uint64_t out, uint32_t flags) {
  if (flags & ~(abi::at::symlink_nofollow | abi::at::no_automount | abi::at::empty_path)) return Errno::inval;
  return put_stat(task, TRY(attr_at(task, dirfd, path, flags, nullptr)), out);
}

Result<void> sys_stat(Task& task, uint64_t path, uint64_t out) {
  return sys_newfstatat(task, abi::at::fdcwd, path, out, 0);
}

Result<void> sys_lstat(Task& task, uint64_t path, uint64_t out) {
  return sys_newfstatat(task, abi::at::fdcwd, path, out, abi::at::symlink_nofollow);
}

Result<void> sys_fstat(Task& task, int fd, uint64_t out) {
  Ref<fs::File> file = TRY(any_file_of(task, fd));
  if (file->flags() & fs::open_flag::path) return put_stat(task, TRY(file->inode()->get_attr()), out);
  return put_stat(task, TRY(file->get_attr()), out);
}

Result<void> sys_statx(Task& task, int dirfd, uint64_t path, uint32_t flags, uint32_t mask, uint64_t out) {
  constexpr uint32_t kBasic = 0x7ff, kBirth = 0x800, kMountId = 0x1000, kReserved = 0x80000000;
  if (flags &
      ~(abi::at::symlink_nofollow | abi::at::no_automount | abi::at::empty_path | abi::at::statx_sync))
    return Errno::inval;
  if ((mask & kReserved) || (flags & abi::at::statx_sync) == abi::at::statx_sync) return Errno::inval;
  constexpr uint64_t kMountRoot = 0x2000;
  MountTold mount;
  fs::Attr a = TRY(attr_at(task, dirfd, path, flags, &mount));
  abi::Statx s{};
  s.mask = kBasic | kBirth | (mount.id ? kMountId : 0);
  s.block_size = a.block_size;
  s.nlink = a.nlink;
  s.uid = fs::shown_uid(task.creds(), a.uid);
  s.gid = fs::shown_gid(task.creds(), a.gid);
  s.mode = static_cast<uint16_t>(a.mode);
  s.ino = a.ino;
  s.size = a.size;
  s.blocks = a.blocks;
  s.atime = {a.atime.sec, a.atime.nsec, 0};
  s.btime = {a.btime.sec, a.btime.nsec, 0};
  s.ctime = {a.ctime.sec, a.ctime.nsec, 0};
  s.mtime = {a.mtime.sec, a.mtime.nsec, 0};
  s.rdev_major = device_major(a.rdev), s.rdev_minor = device_minor(a.rdev);
  s.dev_major = device_major(a.dev), s.dev_minor = device_minor(a.dev);
  s.mount_id = mount.id;
  s.attributes_mask = kMountRoot;
  s.attributes = mount.root ? kMountRoot : 0;
  return mm::copy_out(task.mm(), mm::UserPtr<abi::Statx>(out), s);
}

namespace {

Result<void> put_statfs(Task& task, const fs::Path& path, fs::Inode& inode, uint64_t out) {
  constexpr int64_t kValid = 0x20, kRelatime = 0x1000;
  fs::FsStat f = inode.super().stat_fs();
  abi::StatFs s{};
  s.type = static_cast<int64_t>(f.type);
  s.block_size = s.fragment_size = static_cast<int64_t>(f.block_size);
  s.blocks = f.blocks;
  s.free_blocks = f.free_blocks;
  s.available_blocks = f.available_blocks;
  s.files = f.files;
  s.free_files = f.free_files;
  s.fsid[0] = static_cast<int32_t>(inode.super().dev());
  s.name_length = static_cast<int64_t>(f.name_length);
  uint64_t m = fs::mount_flags(path);
  s.flags = kValid |
            static_cast<int64_t>(m & (fs::kMsRdonly | fs::kMsNosuid | fs::kMsNodev | fs::kMsNoexec)) |
            (m & fs::kMsNoatime ? 0x400 : kRelatime);
  return mm::copy_out(task.mm(), mm::UserPtr<abi::StatFs>(out), s);
}

}  // namespace

Result<void> sys_statfs(Task& task, uint64_t path, uint64_t out) {
  fs::Path at = TRY(lookup_argument(task, abi::at::fdcwd, path, 0));
  return put_statfs(task, at, fs::inode_of(at), out);
}

Result<void> sys_fstatfs(Task& task, int fd, uint64_t out) {
  constexpr int64_t kAnonymous = 0x09041934, kPipes = 0x50495045, kSockets = 0x534f434b;
  Ref<fs::File> file = TRY(any_file_of(task, fd));
  if (file->inode()) return put_statfs(task, file->path(), *file->inode(), out);
  abi::StatFs s{};
  s.type = file->kind() == fs::FileKind::pipe     ? kPipes
           : file->kind() == fs::FileKind::socket ? kSockets
                                                  : kAnonymous;
  s.block_size = s.fragment_size = 4096;
  s.name_length = 255;
  return mm::copy_out(task.mm(), mm::UserPtr<abi::StatFs>(out), s);
}

// access(2) asks for the real user, unless AT_EACCESS.
Result<void> sys_faccessat2(Task& task, int dirfd, uint64_t path, uint32_t mode, uint32_t flags) {
  if (mode & ~7u) return Errno::inval;
  if (flags & ~(abi::at::eaccess | abi::at::symlink_nofollow | abi::at::empty_path)) return Errno::inval;
  const fs::Credentials& now = task.creds();
  Ref<fs::Credentials> real;
  const bool root = now.uid == fs::global_uid(now.user_ns.get(), 0);
  if (!(flags & abi::at::eaccess) && (now.fsuid != now.uid || now.fsgid != now.gid || !root)) {
    real = TRY(now.clone());
    real->fsuid = now.uid;
    real->fsgid = now.gid;
    // A real user other than root has no use of capabilities here; root has all that it may have.
    real->effective = root ? now.permitted : 0;
  }
  fs::WalkContext context{task.fs(), real ? *real : now};
  String text = TRY(path_argument(task, path));
  fs::Path start = TRY(start_of(task, dirfd, text.view()));
  uint32_t walk_flags = flags & abi::at::symlink_nofollow ? 0 : fs::kFollow;
  if (flags & abi::at::empty_path) walk_flags |= fs::kEmptyPath;
  fs::Path at = TRY(fs::walk(context, start, text.view(), walk_flags));
  if (mode == 0) return {};
  return fs::check_access(context.creds, at, mode);
}

Result<void> sys_faccessat(Task& task, int dirfd, uint64_t path, uint32_t mode) {
  return sys_faccessat2(task, dirfd, path, mode, 0);
}

Result<void> sys_access(Task& task, uint64_t path, uint32_t mode) {
  return sys_faccessat2(task, abi::at::fdcwd, path, mode, 0);
}

}  // namespace runsc::kernel
