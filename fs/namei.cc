// Making and removing names.
#include "fs/acl.h"
#include "fs/notify.h"
#include "fs/path_walk.h"
#include "fs/user_namespace.h"
#include "kernel/base/check.h"

namespace runsc::fs {

namespace {

// The place of a name to be made: EEXIST before EROFS, as Linux.
Result<void> begin_new(Walker& w, const Path& start, std::string_view path, bool directory) {
  TRY(w.begin(start, path));
  TRY(w.to_parent());
  if (w.kind() != LastKind::normal) return Errno::exist;
  if (!inode_of(w.at()).is_dir()) return Errno::notdir;
  Ref<Dentry> d = TRY(w.lookup_last());
  if (!d->negative()) return Errno::exist;
  if (w.trailing_slash() && !directory) return Errno::noent;
  return {};
}

// With the directory locked: whether the caller may make the name now.
Result<void> check_new(const Walker& w) {
  Ref<Dentry> d = TRY(lookup_child_locked(*w.at().dentry, w.last()));
  if (!d->negative()) return Errno::exist;
  TRY(check_access(w.context().creds, w.at(), kWrite | kExec));
  if (w.at().dentry->removed()) return Errno::noent;
  return {};
}

// Whether the caller may take `child` out of the directory (unlink(2), EPERM and EACCES).
Result<void> check_removal(const WalkContext& context, const Path& dir, Inode& child) {
  TRY(check_access(context.creds, dir, kWrite | kExec));
  if (context.creds.has(Cap::fowner)) return {};  // with nothing to look at
  Attr dir_attr = TRY(inode_of(dir).get_attr());
  if (!(dir_attr.mode & kSticky) || dir_attr.uid == context.creds.fsuid) return {};
  Attr attr = TRY(child.get_attr());
  if (attr.uid != context.creds.fsuid && !is_capable_of(context.creds, attr.uid, attr.gid, Cap::fowner))
    return Errno::perm;
  return {};
}

Result<void> check_writable_mount(const Path& path) {
  if (mount_flags(path) & kMsRdonly) return Errno::rofs;
  return {};
}

}  // namespace

Result<Path> make_node(const WalkContext& context, const Path& start, std::string_view path, uint32_t mode,
                       uint64_t rdev) {
  uint32_t type = mode & kTypeMask;
  if (type == 0) type = kRegular;
  if (type == kDirectory) return Errno::perm;
  if (type != kRegular && type != kFifo && type != kSocket && type != kCharDev && type != kBlockDev)
    return Errno::inval;
  Walker w(context, 0);
  TRY(begin_new(w, start, path, false));
  Inode& dir = inode_of(w.at());
  LockGuard guard(dir.lock);
  TRY(check_new(w));
  const bool whiteout = type == kCharDev && rdev == 0;
  if ((type == kCharDev || type == kBlockDev) && !whiteout && !context.creds.has(Cap::mknod))
    return Errno::perm;
  NewNode node = TRY(new_node(context, w.at(), type | (mode & 07777)));
  node.rdev = rdev;
  Ref<Inode> inode = TRY(dir.create(w.last(), node));
  TRY(acl_inherit(dir, *inode));
  notify_created(dir, w.last(), false);
  Ref<Dentry> made = TRY(dcache_add(*w.at().dentry, w.last(), std::move(inode)));
  return Path(w.at().mount, std::move(made));
}

Result<void> make_dir(const WalkContext& context, const Path& start, std::string_view path, uint32_t mode) {
  Walker w(context, 0);
  TRY(begin_new(w, start, path, true));
  Inode& dir = inode_of(w.at());
  LockGuard guard(dir.lock);
  TRY(check_new(w));
  NewNode node = TRY(new_node(context, w.at(), kDirectory | (mode & 01777)));
  Ref<Inode> inode = TRY(dir.make_dir(w.last(), node));
  TRY(acl_inherit(dir, *inode));
  notify_created(dir, w.last(), true);
  TRY(dcache_add(*w.at().dentry, w.last(), std::move(inode)));
  return {};
}

Result<void> make_symlink(const WalkContext& context, std::string_view target, const Path& start,
                          std::string_view path) {
  if (target.empty()) return Errno::noent;
  Walker w(context, 0);
  TRY(begin_new(w, start, path, false));
  Inode& dir = inode_of(w.at());
  LockGuard guard(dir.lock);
  TRY(check_new(w));
  NewNode node = TRY(new_node(context, w.at(), kSymlink | 0777));
  node.mode = kSymlink | 0777;
  Ref<Inode> inode = TRY(dir.symlink(w.last(), target, node));
  notify_created(dir, w.last(), false);
  TRY(dcache_add(*w.at().dentry, w.last(), std::move(inode)));
  return {};
}

Result<void> make_link(const WalkContext& context, const Path& old_path, const Path& start,
                       std::string_view path) {
  Walker w(context, 0);
  TRY(begin_new(w, start, path, false));
  if (old_path.mount.get() != w.at().mount.get()) return Errno::xdev;
  Inode& dir = inode_of(w.at());
  Inode& old = inode_of(old_path);
  LockGuard guard(dir.lock);
  TRY(check_new(w));
  if (&old.super() != &dir.super()) return Errno::xdev;
  if (old.is_dir()) return Errno::perm;
  TRY(old.prepare_write(false));
  TRY(dir.link(w.last(), old));
  notify_inode(old, notify_bit::attrib);  // its count of links
  notify_created(dir, w.last(), false);
  TRY(dcache_add(*w.at().dentry, w.last(), Ref<Inode>(old)));
  return {};
}

namespace {

// Asked before it goes: what the host has removed it cannot tell of. Nobody watches: nobody asks.
Result<bool> is_last_name(Inode& inode) {
  if (!notify::anybody() || inode.is_dir()) return true;
  return TRY(inode.get_attr()).nlink <= 1;
}

Result<void> remove_entry(Inode& dir, Dentry& child, std::string_view name, bool directory) {
  Inode& inode = *child.inode();
  if (!directory) return dir.unlink(name, inode);
  LockGuard guard(inode.lock);
  return dir.remove_dir(name, inode);
}

// `child`: dropped by the caller, after the directory is unlocked.
Result<void> remove_last(const WalkContext& context, Walker& w, bool directory, Ref<Dentry>& child) {
  Inode& dir = inode_of(w.at());
  LockGuard guard(dir.lock);
  child = TRY(lookup_child_locked(*w.at().dentry, w.last()));
  if (child->negative()) return Errno::noent;
  Inode& inode = *child->inode();
  if (!directory && w.trailing_slash()) return inode.is_dir() ? Errno::isdir : Errno::notdir;
  TRY(check_removal(context, w.at(), inode));
  if (directory && !inode.is_dir()) return Errno::notdir;
  if (!directory && inode.is_dir()) return Errno::isdir;
  if (is_mount_point_here(*w.at().mount, *child)) return Errno::busy;
  bool last_name = TRY(is_last_name(inode));
  TRY(remove_entry(dir, *child, w.last(), directory));
  notify_removed(inode, last_name);
  dcache_drop(*child, true);
  if (directory && notify::anybody() && notify::is_watched(inode)) dcache_forget_children(*child);
  if (child->ref_count() == 1) notify_ended(inode);  // nobody has it open
  notify_gone(dir, w.last(), directory);
  return {};
}

}  // namespace

Result<void> remove(const WalkContext& context, const Path& start, std::string_view path, bool directory) {
  Walker w(context, 0);
  TRY(w.begin(start, path));
  TRY(w.to_parent());
  if (w.kind() != LastKind::normal) {
    if (!directory) return Errno::isdir;
    return w.kind() == LastKind::dot      ? Errno::inval
           : w.kind() == LastKind::dotdot ? Errno::notempty
                                          : Errno::busy;
  }
  TRY(check_writable_mount(w.at()));
  TRY(check_access(context.creds, w.at(), kExec));
  Ref<Dentry> child;
  TRY(remove_last(context, w, directory, child));
  detach_mounts_on(*child);
  return {};
}

}  // namespace runsc::fs
