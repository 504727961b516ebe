// rename(2) and renameat2(2).
#include "fs/notify.h"
#include "fs/path_walk.h"
#include "fs/tmpfs/tmpfs_dir.h"
#include "fs/user_namespace.h"

namespace runsc::fs {

namespace {

constexpr uint32_t kNoReplace = 1, kExchange = 2, kWhiteout = 4;

// One rename between directories at a time: the shape of the tree stands still while ancestors are compared.
constinit Mutex shape_lock{LockRank::mount_tree};

// Locks both directories, an ancestor first, else by address.
class TwoLocks {
 public:
  TwoLocks(Dentry& a, Dentry& b) NO_THREAD_SAFETY_ANALYSIS : a_(*a.inode()),
                                                             b_(*b.inode()),
                                                             same_(&a_ == &b_) {
    if (same_) {
      a_.lock.lock();
      return;
    }
    shape_lock.lock();
    bool a_first = is_below(b, a) || (!is_below(a, b) && &a_ < &b_);
    (a_first ? a_ : b_).lock.lock();
    (a_first ? b_ : a_).lock.lock();
  }
  ~TwoLocks() NO_THREAD_SAFETY_ANALYSIS {
    a_.lock.unlock();
    if (same_) return;
    b_.lock.unlock();
    shape_lock.unlock();
  }
  TwoLocks(const TwoLocks&) = delete;
  TwoLocks& operator=(const TwoLocks&) = delete;

 private:
  Inode &a_, &b_;
  const bool same_;
};

// One side: the directory and the name in it.
struct Side {
  const Path& dir;
  std::string_view name;
  bool trailing_slash;
  Ref<Dentry> dentry;
};

Result<void> check_sticky(const WalkContext& context, const Side& side) {
  TRY(check_access(context.creds, side.dir, kWrite | kExec));
  if (context.creds.has(Cap::fowner)) return {};
  Attr dir = TRY(inode_of(side.dir).get_attr());
  if (!(dir.mode & kSticky) || dir.uid == context.creds.fsuid) return {};
  Attr attr = TRY(side.dentry->inode()->get_attr());
  if (attr.uid != context.creds.fsuid && !is_capable_of(context.creds, attr.uid, attr.gid, Cap::fowner))
    return Errno::perm;
  return {};
}

// Everything that stands without looking at permissions.
Result<void> check_shape(const Side& from, const Side& to, uint32_t flags) {
  if (from.dentry->negative()) return Errno::noent;
  bool target = !to.dentry->negative();
  if (target && (flags & kNoReplace)) return Errno::exist;
  if (!target && (flags & kExchange)) return Errno::noent;
  if ((flags & kExchange) && to.trailing_slash && !to.dentry->inode()->is_dir()) return Errno::notdir;
  if (!from.dentry->inode()->is_dir() && (from.trailing_slash || (to.trailing_slash && !(flags & kExchange))))
    return Errno::notdir;
  if (is_below(*to.dir.dentry, *from.dentry)) return Errno::inval;
  if (target && is_below(*from.dir.dentry, *to.dentry))
    return flags & kExchange ? Errno::inval : Errno::notempty;
  return {};
}

Result<void> check_rights(const WalkContext& context, const Side& from, const Side& to, uint32_t flags) {
  TRY(check_sticky(context, from));
  if (to.dentry->negative()) {
    TRY(check_access(context.creds, to.dir, kWrite | kExec));
    if (to.dir.dentry->removed()) return Errno::noent;
  } else {
    TRY(check_sticky(context, to));
    bool from_dir = from.dentry->inode()->is_dir(), to_dir = to.dentry->inode()->is_dir();
    if (!(flags & kExchange) && from_dir && !to_dir) return Errno::notdir;
    if (!(flags & kExchange) && !from_dir && to_dir) return Errno::isdir;
  }
  if (from.dir.dentry.get() == to.dir.dentry.get()) return {};
  // ".." of a moved directory changes: that needs write permission on it.
  if (from.dentry->inode()->is_dir())
    TRY(check_access(context.creds, Path(from.dir.mount, from.dentry), kWrite));
  if ((flags & kExchange) && to.dentry->inode()->is_dir())
    TRY(check_access(context.creds, Path(to.dir.mount, to.dentry), kWrite));
  return {};
}

// In memory.
Result<void> rename_with_whiteout(const WalkContext& context, Side& from, Side& to) {
  NewNode node;
  node.mode = kCharDev;
  node.uid = context.creds.fsuid, node.gid = context.creds.fsgid;
  return static_cast<TmpfsDir&>(inode_of(from.dir))
      .rename_leaving(from.name, *from.dentry->inode(), inode_of(to.dir), to.name, to.dentry->inode(), node);
}

Result<void> rename_in_fs(const WalkContext& context, Side& from, Side& to, uint32_t flags) {
  Inode& dir = inode_of(from.dir);
  const std::string_view kind = dir.super().type_name();
  // overlay has none either, on Linux.
  if ((flags & kWhiteout) && kind != "tmpfs" && kind != "hostfs") return Errno::inval;
  if ((flags & kWhiteout) && kind == "tmpfs") {
    Inode* target = to.dentry->inode();
    if (!target || !target->is_dir()) return rename_with_whiteout(context, from, to);
    LockGuard guard(target->lock);
    return rename_with_whiteout(context, from, to);
  }
  Inode* replaced = to.dentry->inode();
  Inode& child = *from.dentry->inode();
  if (!replaced || !replaced->is_dir() || (flags & kExchange))
    return dir.rename(from.name, child, inode_of(to.dir), to.name, replaced, flags & (kExchange | kWhiteout));
  LockGuard guard(replaced->lock);
  return dir.rename(from.name, child, inode_of(to.dir), to.name, replaced, flags & kWhiteout);
}

// Asked before it goes: what the host has removed it cannot tell of. Nobody watches: nobody asks.
Result<bool> is_last_name(Inode* inode) {
  if (!notify::anybody() || !inode || inode->is_dir()) return true;
  return TRY(inode->get_attr()).nlink <= 1;
}

void tell_rename(const Side& from, const Side& to, uint32_t flags, bool last_name) {
  Inode &from_dir = inode_of(from.dir), &to_dir = inode_of(to.dir);
  Inode& moved = *from.dentry->inode();
  Inode* replaced = to.dentry->inode();
  if (!(flags & kExchange) && replaced && replaced->is_dir() && notify::is_watched(*replaced))
    dcache_forget_children(*to.dentry);
  if (!(flags & kExchange))
    return notify_moved({from_dir, from.name, to_dir, to.name, moved, replaced, last_name});
  notify_moved({from_dir, from.name, to_dir, to.name, moved});
  notify_moved({to_dir, to.name, from_dir, from.name, *to.dentry->inode()});
}

// Whether what `to` was has gone.
Result<bool> rename_sides(const WalkContext& context, Side& from, Side& to, uint32_t flags) {
  TwoLocks locks(*from.dir.dentry, *to.dir.dentry);
  from.dentry = TRY(lookup_child_locked(*from.dir.dentry, from.name));
  to.dentry = TRY(lookup_child_locked(*to.dir.dentry, to.name));
  TRY(check_shape(from, to, flags));
  if (from.dentry->inode() == to.dentry->inode()) return false;  // links to one file: rename(2) does nothing
  TRY(check_rights(context, from, to, flags));
  if (is_mount_point_here(*from.dir.mount, *from.dentry) || is_mount_point_here(*to.dir.mount, *to.dentry))
    return Errno::busy;
  bool last_name = TRY(is_last_name(to.dentry->inode()));
  TRY(rename_in_fs(context, from, to, flags));
  Result<void> moved;
  if (flags & kExchange) {
    moved = dcache_exchange(*from.dentry, *to.dentry);
  } else {
    dcache_drop(*to.dentry, !to.dentry->negative());
    moved = dcache_move(*from.dentry, *to.dir.dentry, to.name);
  }
  if (!moved) {  // no memory: the names are looked up afresh
    dcache_drop(*from.dentry, false);
    dcache_drop(*to.dentry, false);
  }
  if (notify::anybody()) tell_rename(from, to, flags, last_name);
  return !(flags & kExchange) && !to.dentry->negative();
}

}  // namespace

Result<void> rename(const WalkContext& context, const Path& old_start, std::string_view old_path,
                    const Path& new_start, std::string_view new_path, uint32_t flags) {
  if (flags & ~(kNoReplace | kExchange | kWhiteout)) return Errno::inval;
  if ((flags & (kNoReplace | kWhiteout)) && (flags & kExchange)) return Errno::inval;
  Walker from_walk(context, 0), to_walk(context, 0);
  TRY(from_walk.begin(old_start, old_path));
  TRY(from_walk.to_parent());
  TRY(to_walk.begin(new_start, new_path));
  TRY(to_walk.to_parent());
  if (from_walk.at().mount.get() != to_walk.at().mount.get()) return Errno::xdev;
  if (from_walk.kind() != LastKind::normal) return Errno::busy;
  if (to_walk.kind() != LastKind::normal) return flags & kNoReplace ? Errno::exist : Errno::busy;
  if (mount_flags(from_walk.at()) & kMsRdonly) return Errno::rofs;
  TRY(check_access(context.creds, from_walk.at(), kExec));
  TRY(check_access(context.creds, to_walk.at(), kExec));
  Side from{from_walk.at(), from_walk.last(), from_walk.trailing_slash(), {}};
  Side to{to_walk.at(), to_walk.last(), to_walk.trailing_slash(), {}};
  if (TRY(rename_sides(context, from, to, flags))) detach_mounts_on(*to.dentry);
  return {};
}

}  // namespace runsc::fs
