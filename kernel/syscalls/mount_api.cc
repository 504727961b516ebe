// fsopen(2), fsconfig(2), fsmount(2), fspick(2), open_tree(2), move_mount(2), mount_setattr(2).
#include "fs/filesystem.h"
#include "fs/user_namespace.h"
#include "kernel/fs_context_file.h"
#include "kernel/namespaces.h"
#include "kernel/syscalls/file_args.h"
#include "kernel/syscalls/mounts.h"

namespace runsc::kernel {

namespace {

constexpr uint32_t kRecursive = 0x8000;  // AT_RECURSIVE
// MOUNT_ATTR_*.
constexpr uint64_t kAttrRdonly = 1, kAttrNosuid = 2, kAttrNodev = 4, kAttrNoexec = 8, kAttrAtime = 0x70,
                   kAttrNoatime = 0x10, kAttrStrictAtime = 0x20, kAttrNodiratime = 0x80,
                   kAttrNosymfollow = 0x200000;
constexpr uint64_t kAttrKnown =
    kAttrRdonly | kAttrNosuid | kAttrNodev | kAttrNoexec | kAttrAtime | kAttrNodiratime | kAttrNosymfollow;

bool may_mount(const Task& task) {
  return fs::is_capable(task.creds(), task.namespaces().mounts().owner(), fs::Cap::sys_admin);
}

Result<int> install(Task& task, Ref<fs::File> file, bool cloexec) {
  if (!file) return Errno::nomem;
  return task.files().install(std::move(file), cloexec, task.limit(kLimitFiles));
}

Result<int> install_detached(Task& task, fs::DetachedMount made, bool cloexec) {
  Ref<fs::Inode> inode(fs::inode_of(made.root));
  return install(task, make_ref<DetachedMountFile>(std::move(made), std::move(inode)), cloexec);
}

// EINVAL: no such setting of access times.
Result<uint64_t> mount_flags_of(uint64_t attr) {
  uint64_t flags = 0;
  if (attr & kAttrRdonly) flags |= fs::kMsRdonly;
  if (attr & kAttrNosuid) flags |= fs::kMsNosuid;
  if (attr & kAttrNodev) flags |= fs::kMsNodev;
  if (attr & kAttrNoexec) flags |= fs::kMsNoexec;
  const uint64_t atime = attr & kAttrAtime;
  if (atime != 0 && atime != kAttrNoatime && atime != kAttrStrictAtime) return Errno::inval;
  if (atime == kAttrNoatime) flags |= fs::kMsNoatime;
  return flags;
}

Result<Ref<fs::File>> context_file(Task& task, int fd) {
  Ref<fs::File> file = TRY(file_of(task, fd));
  if (file->kind() != fs::FileKind::fs_context) return Errno::inval;
  return file;
}

}  // namespace

Result<int> sys_fsopen(Task& task, uint64_t name_at, uint32_t flags) {
  constexpr uint32_t kCloexec = 1;
  if (!may_mount(task)) return Errno::perm;
  if (flags & ~kCloexec) return Errno::inval;
  String name = TRY(path_argument(task, name_at));
  (void)TRY(fs::find_filesystem(name.view()));
  return install(task, make_ref<FsContextFile>(std::move(name), task.creds_ref()), flags & kCloexec);
}

namespace {

enum ConfigCommand : uint32_t {
  kSetFlag,
  kSetString,
  kSetBinary,
  kSetPath,
  kSetPathEmpty,
  kSetFd,
  kCreate,
  kReconfigure
};

Result<void> check_config(uint32_t command, uint64_t key, uint64_t value, int aux) {
  constexpr int kMostBinary = 1 << 20;
  bool fine = false;
  switch (command) {
    case kSetFlag:
      fine = key && !value && !aux;
      break;
    case kSetString:
      fine = key && value && !aux;
      break;
    case kSetBinary:
      fine = key && value && aux > 0 && aux <= kMostBinary;
      break;
    case kSetPath:
    case kSetPathEmpty:
      fine = key && value && (aux == abi::at::fdcwd || aux >= 0);
      break;
    case kSetFd:
      fine = key && !value && aux >= 0;
      break;
    case kCreate:
    case kReconfigure:
      fine = !key && !value && !aux;
      break;
    default:
      return Errno::opnotsupp;
  }
  return fine ? Result<void>() : Errno::inval;
}

}  // namespace

Result<void> sys_fsconfig(Task& task, int fd, uint32_t command, uint64_t key_at, uint64_t value_at, int aux) {
  constexpr size_t kMostText = 256;
  if (fd < 0) return Errno::inval;
  TRY(check_config(command, key_at, value_at, aux));
  Ref<fs::File> file = TRY(context_file(task, fd));
  auto& context = static_cast<FsContextFile&>(*file);
  if (command == kCreate) return context.create(task);
  if (command == kReconfigure) return context.reconfigure(task);
  // No kind here takes data, paths or descriptors for options.
  if (command != kSetFlag && command != kSetString) return Errno::inval;
  String key = TRY(mm::copy_in_string(task.mm(), key_at, kMostText)), value;
  if (command == kSetString) value = TRY(mm::copy_in_string(task.mm(), value_at, kMostText));
  return context.set(key.view(), value.view(), command == kSetString);
}

Result<int> sys_fsmount(Task& task, int fd, uint32_t flags, uint32_t attr) {
  constexpr uint32_t kCloexec = 1;
  if (!may_mount(task)) return Errno::perm;
  if (flags & ~kCloexec || attr & ~kAttrKnown) return Errno::inval;
  const uint64_t mount_flags = TRY(mount_flags_of(attr));
  Ref<fs::File> file = TRY(context_file(task, fd));
  return install_detached(task, TRY(static_cast<FsContextFile&>(*file).mount(task, mount_flags)),
                          flags & kCloexec);
}

Result<int> sys_fspick(Task& task, int dirfd, uint64_t path, uint32_t flags) {
  constexpr uint32_t kCloexec = 1, kNofollow = 2, kNoAutomount = 4, kEmpty = 8;
  if (!may_mount(task)) return Errno::perm;
  if (flags & ~(kCloexec | kNofollow | kNoAutomount | kEmpty)) return Errno::inval;
  fs::Path at = TRY(lookup_argument(
      task, dirfd, path,
      (flags & kNofollow ? abi::at::symlink_nofollow : 0) | (flags & kEmpty ? abi::at::empty_path : 0)));
  if (!at.mount || at.dentry.get() != &at.mount->root()) return Errno::inval;
  return install(task, make_ref<FsContextFile>(std::move(at)), flags & kCloexec);
}

Result<int> sys_open_tree(Task& task, int dirfd, uint64_t path, uint32_t flags) {
  constexpr uint32_t kClone = 1, kCloexec = fs::open_flag::cloexec;
  constexpr uint32_t kLookup = abi::at::symlink_nofollow | abi::at::no_automount | abi::at::empty_path;
  if (flags & ~(kLookup | kRecursive | kClone | kCloexec)) return Errno::inval;
  if (flags & kRecursive && !(flags & kClone)) return Errno::inval;
  if (flags & kClone && !may_mount(task)) return Errno::perm;
  fs::Path at = TRY(lookup_argument(task, dirfd, path, flags & kLookup));
  if (!(flags & kClone))
    return install(task, TRY(fs::open_existing(task.walk_context(), at, fs::open_flag::path)),
                   flags & kCloexec);
  return install_detached(task, TRY(fs::copy_detached(task.namespaces().mounts(), at, flags & kRecursive)),
                          flags & kCloexec);
}

Result<void> sys_move_mount(Task& task, int from_fd, uint64_t from_at, int to_fd, uint64_t to_at,
                            uint32_t flags) {
  constexpr uint32_t kFollowFrom = 1, kEmptyFrom = 4, kFollowTo = 0x10, kEmptyTo = 0x40, kKnown = 0x77,
                     kSetGroup = 0x100;
  if (!may_mount(task)) return Errno::perm;
  if (flags & ~(kKnown | kSetGroup)) return Errno::inval;
  const auto lookup_flags = [&](uint32_t follow, uint32_t empty) {
    return (flags & follow ? 0 : abi::at::symlink_nofollow) | (flags & empty ? abi::at::empty_path : 0);
  };
  fs::Path from = TRY(lookup_argument(task, from_fd, from_at, lookup_flags(kFollowFrom, kEmptyFrom)));
  fs::Path to = TRY(lookup_argument(task, to_fd, to_at, lookup_flags(kFollowTo, kEmptyTo)));
  if (flags & kSetGroup) return Errno::inval;  // of file systems whose mounts are not told apart
  return fs::move_mount(task.namespaces().mounts(), from, to);
}

namespace {

struct MountAttr {
  uint64_t set, clear, propagation, userns_fd;
};

Result<MountAttr> read_attr(Task& task, uint64_t address, uint64_t size) {
  constexpr uint64_t kMost = 4096;
  if (size > kMost) return Errno::toobig;
  if (size < sizeof(MountAttr)) return Errno::inval;
  if (!may_mount(task)) return Errno::perm;
  MountAttr attr{};
  TRY(mm::copy_in_bytes(task.mm(), &attr, address, sizeof attr));
  // A larger struct of a newer kernel is fine while the rest is zero.
  for (uint64_t at = sizeof attr; at < size; ++at)
    if (TRY(mm::copy_in(task.mm(), mm::UserPtr<uint8_t>(address + at))) != 0) return Errno::toobig;
  return attr;
}

Result<void> decode_propagation(uint64_t propagation, fs::MountChange& change) {
  constexpr uint64_t kUnbindable = 1 << 17, kPrivate = 1 << 18, kSlave = 1 << 19, kShared = 1 << 20;
  change.propagates = propagation != 0;
  switch (propagation) {
    case 0:
      return {};
    case kUnbindable:
      change.propagation = fs::Propagation::unbindable;
      return {};
    case kPrivate:
      change.propagation = fs::Propagation::unshared;
      return {};
    case kSlave:
      change.propagation = fs::Propagation::slave;
      return {};
    case kShared:
      change.propagation = fs::Propagation::shared;
      return {};
    default:
      return Errno::inval;
  }
}

Result<fs::MountChange> decode_attr(const MountAttr& attr) {
  fs::MountChange change;
  TRY(decode_propagation(attr.propagation, change));
  // Mounts whose owners are others are for file systems with a disk.
  if ((attr.set | attr.clear) & ~kAttrKnown) return Errno::inval;
  const uint64_t atime = attr.clear & kAttrAtime;
  // The settings of access times are no bits: to change one is to clear all of them.
  if (atime != 0 ? atime != kAttrAtime : (attr.set & kAttrAtime) != 0) return Errno::inval;
  change.set = TRY(mount_flags_of(attr.set));
  change.clear = TRY(mount_flags_of(attr.clear & ~kAttrAtime)) | (atime ? fs::kMsNoatime : 0);
  return change;
}

}  // namespace

Result<void> sys_mount_setattr(Task& task, int dirfd, uint64_t path, uint32_t flags, uint64_t attr_at,
                               uint64_t size) {
  constexpr uint32_t kLookup = abi::at::symlink_nofollow | abi::at::no_automount | abi::at::empty_path;
  if (flags & ~(kLookup | kRecursive)) return Errno::inval;
  const MountAttr attr = TRY(read_attr(task, attr_at, size));
  if (attr.set == 0 && attr.clear == 0 && attr.propagation == 0) return {};
  const fs::MountChange change = TRY(decode_attr(attr));
  fs::Path at = TRY(lookup_argument(task, dirfd, path, flags & kLookup));
  return fs::change_mount(task.namespaces().mounts(), at, change, flags & kRecursive);
}

}  // namespace runsc::kernel
