// mount(2), umount2(2), pivot_root(2).
#include "fs/filesystem.h"
#include "fs/user_namespace.h"
#include "kernel/namespaces.h"
#include "kernel/new_super.h"
#include "kernel/pid.h"
#include "kernel/syscalls/file_args.h"
#include "kernel/syscalls/files.h"

namespace runsc::kernel {

namespace {

constexpr uint64_t kRemount = 32, kMove = 8192, kUnbindable = 1 << 17, kPrivate = 1 << 18, kSlave = 1 << 19,
                   kShared = 1 << 20;
constexpr uint64_t kMagic = 0xc0ed0000, kMagicMask = 0xffff0000;

Result<fs::Path> walk_argument(Task& task, std::string_view text) {
  return fs::walk(task.walk_context(), TRY(start_of(task, abi::at::fdcwd, text)), text, fs::kFollow);
}

bool may_mount(const Task& task) {
  return fs::is_capable(task.creds(), task.namespaces().mounts().owner(), fs::Cap::sys_admin);
}

Result<void> mount_new(Task& task, const fs::Path& target, std::string_view source, uint64_t type_at,
                       uint64_t flags, uint64_t data_at) {
  if (type_at == 0) return Errno::inval;
  String type = TRY(path_argument(task, type_at));
  String data;
  if (data_at != 0) data = TRY(mm::copy_in_string(task.mm(), data_at, 4096));
  Ref<fs::SuperBlock> super = TRY(new_super(task, task.creds(), type.view(), source, data.view()));
  const fs::MountHold hold{Ref<fs::SuperBlock>(*super)};  // if it is not mounted, it goes
  const uint32_t locks = TRY(check_revealing(task, *super, flags));
  Ref<fs::Inode> root = super->root();
  return fs::mount_on(target, std::move(super), std::move(root), flags, source, locks);
}

Result<void> change_propagation(const fs::Path& target, uint64_t flags) {
  constexpr uint64_t kSilent = 32768;
  bool recursive = flags & fs::kMsRec;
  switch (flags & ~(fs::kMsRec | kSilent)) {
    case kShared:
      return fs::set_propagation(target, fs::Propagation::shared, recursive);
    case kSlave:
      return fs::set_propagation(target, fs::Propagation::slave, recursive);
    case kPrivate:
      return fs::set_propagation(target, fs::Propagation::unshared, recursive);
    case kUnbindable:
      return fs::set_propagation(target, fs::Propagation::unbindable, recursive);
    default:
      return Errno::inval;
  }
}

bool same(const fs::Path& a, const fs::Path& b) {
  return a.mount.get() == b.mount.get() && a.dentry.get() == b.dentry.get();
}

// Whoever stood at the root that pivot_root(2) replaced stands at the new one.
Result<void> move_tasks(const fs::Path& from, const fs::Path& to) {
  Vec<Ref<fs::FsContext>> contexts;
  for (bool all = false; !all;) {
    const size_t room = task_count() + 16;
    contexts.clear();
    TRY(contexts.reserve(room));
    all = true;
    LockGuard tree(g_tree_lock);
    // No more than there is room for: nothing is allocated, or dropped, under the lock.
    for (ThreadGroup& g : all_groups())
      for_each_thread_locked(g, [&](Task& t) {
        if (contexts.size() == room) {
          all = false;
        } else if (Ref<fs::FsContext> fs = t.fs_ref()) {
          (void)contexts.push_back(std::move(fs));
        }
      });
  }
  for (const Ref<fs::FsContext>& fs : contexts) {
    if (same(fs->root(), from)) fs->set_root(to);
    if (same(fs->cwd(), from)) fs->set_cwd(to);
  }
  return {};
}

}  // namespace

Result<void> sys_mount(Task& task, uint64_t source_at, uint64_t target_at, uint64_t type, uint64_t flags,
                       uint64_t data) {
  String source;
  if (source_at != 0) source = TRY(path_argument(task, source_at));
  if (type != 0) (void)TRY(path_argument(task, type));
  String target_text = TRY(path_argument(task, target_at));
  fs::Path target = TRY(walk_argument(task, target_text.view()));
  if (!may_mount(task)) return Errno::perm;
  if ((flags & kMagicMask) == kMagic) flags &= ~kMagicMask;
  if (!task.namespaces().mounts().contains(target)) return Errno::inval;
  if (flags & kRemount) {
    bool bind_only = flags & fs::kMsBind;
    if (!bind_only && target.mount &&
        !fs::is_capable(task.creds(), target.mount->super().owner(), fs::Cap::sys_admin))
      return Errno::perm;
    return fs::remount(target, flags, !bind_only);
  }
  if (flags & fs::kMsBind) {
    if (source.empty()) return Errno::inval;
    fs::Path from = TRY(walk_argument(task, source.view()));
    if (fs::is_namespace_loop(task.namespaces().mounts(), fs::inode_of(from))) return Errno::inval;
    return fs::bind_mount(from, target, from.mount ? from.mount->flags() : 0, flags & fs::kMsRec);
  }
  if (flags & (kUnbindable | kPrivate | kSlave | kShared)) return change_propagation(target, flags);
  if (flags & kMove) {
    if (source.empty()) return Errno::inval;
    return fs::move_mount(task.namespaces().mounts(), TRY(walk_argument(task, source.view())), target);
  }
  return mount_new(task, target, source.view(), type, flags, data);
}

Result<void> sys_umount2(Task& task, uint64_t target_at, uint32_t flags) {
  constexpr uint32_t kNoFollow = 8, kKnown = 0xf;  // MNT_FORCE, MNT_DETACH, MNT_EXPIRE, UMOUNT_NOFOLLOW
  if (flags & ~kKnown) return Errno::inval;
  fs::Path target = TRY(
      lookup_argument(task, abi::at::fdcwd, target_at, flags & kNoFollow ? abi::at::symlink_nofollow : 0));
  if (!may_mount(task)) return Errno::perm;
  if (!task.namespaces().mounts().contains(target)) return Errno::inval;
  constexpr uint32_t kForce = 1;
  if (flags & kForce && !task.creds().has(fs::Cap::sys_admin)) return Errno::perm;
  return fs::unmount(target, flags);
}

Result<void> sys_pivot_root(Task& task, uint64_t new_root_at, uint64_t put_old_at) {
  if (!may_mount(task)) return Errno::perm;
  fs::Path new_root = TRY(lookup_argument(task, abi::at::fdcwd, new_root_at, 0));
  fs::Path put_old = TRY(lookup_argument(task, abi::at::fdcwd, put_old_at, 0));
  fs::Path old_root = task.fs().root();
  if (!task.namespaces().mounts().contains(old_root)) return Errno::inval;
  TRY(fs::pivot_root(old_root, new_root, put_old));
  return move_tasks(old_root, new_root);
}

// File handles are not given: a file system of memory could not find the file again.
Result<void> sys_name_to_handle_at(Task& task, int dirfd, uint64_t path, uint64_t, uint64_t, uint32_t flags) {
  constexpr uint32_t kFollowLinks = abi::at::symlink_follow;
  if (flags & ~(kFollowLinks | abi::at::empty_path)) return Errno::inval;
  uint32_t lookup = (flags & abi::at::empty_path) | (flags & kFollowLinks ? 0 : abi::at::symlink_nofollow);
  TRY(lookup_argument(task, dirfd, path, lookup));
  return Errno::opnotsupp;
}

}  // namespace runsc::kernel
