// open(2): finding, creating and opening.
#include "fs/acl.h"
#include "fs/lease.h"
#include "fs/notify.h"
#include "fs/path_walk.h"
#include "fs/user_namespace.h"
#include "fs/write_access.h"

namespace runsc::fs {

namespace {

// A descriptor opened with O_PATH: a place in the tree and nothing else (open(2)). The system calls refuse
// everything else by the flag.
class PathFile final : public File {
 public:
  PathFile(uint32_t flags, Ref<Inode> inode) : File(flags, std::move(inode)) {}
  Result<size_t> read(mm::IoBuf&, uint64_t) override { return Errno::badf; }
  Result<size_t> write(mm::IoBuf&, uint64_t) override { return Errno::badf; }
  Result<uint64_t> read_dir(DirSink&, uint64_t) override { return Errno::badf; }
  Result<mm::MappableRef> mappable(bool) override { return Errno::badf; }
  Result<void> set_attr(const SetAttr&) override { return Errno::badf; }
  uint32_t poll() override { return poll_bit::nval; }
};

constexpr uint32_t kPathFlags =
    open_flag::path | open_flag::directory | open_flag::nofollow | open_flag::cloexec;
// What open(2) acts on once and F_GETFL does not show.
constexpr uint32_t kOnceFlags = open_flag::creat | open_flag::excl | open_flag::trunc | open_flag::cloexec;

uint32_t wanted_access(uint32_t flags) {
  uint32_t access = 0;
  switch (flags & open_flag::accmode) {
    case open_flag::rdonly:
      access = kRead;
      break;
    case open_flag::wronly:
      access = kWrite;
      break;
    default:
      access = kRead | kWrite;
  }
  if (flags & open_flag::trunc) access |= kWrite;
  return access;
}

Result<Ref<File>> open_place(const Path& path, uint32_t flags) {
  if ((flags & open_flag::directory) && !inode_of(path).is_dir()) return Errno::notdir;
  Ref<File> file = make_ref<PathFile>(flags & kPathFlags & ~open_flag::cloexec, Ref<Inode>(inode_of(path)));
  if (!file) return Errno::nomem;
  file->set_path(path);
  return file;
}

Result<void> check_open(const WalkContext& context, const Path& path, uint32_t flags) {
  Inode& inode = inode_of(path);
  uint32_t access = wanted_access(flags);
  switch (inode.type()) {
    case kSymlink:
      return flags & open_flag::directory ? Errno::notdir : Errno::loop;
    case kDirectory:
      if ((access & kWrite) || (flags & open_flag::creat)) return Errno::isdir;
      break;
    case kCharDev:
    case kBlockDev:
      if (mount_flags(path) & kMsNodev) return Errno::acces;
      // Root of a user namespace makes no way to a device, but for terminals of its own.
      if (inode.super().owner() && inode.super().type_name() != "devpts") return Errno::acces;
      break;
    default:
      break;
  }
  if ((flags & open_flag::directory) && !inode.is_dir()) return Errno::notdir;
  TRY(check_access(context.creds, path, access));
  if (flags & open_flag::noatime) {
    Attr attr = TRY(inode.get_attr());
    if (!owns(context.creds, attr.uid)) return Errno::perm;
  }
  return {};
}

// The file behind `path`, permissions done.
Result<Ref<File>> open_checked(const Path& path, uint32_t flags, bool created) {
  Inode& inode = inode_of(path);
  const bool writes = wanted_access(flags) & kWrite;
  WriteClaim claim;
  Ref<File> file;
  if (writes) TRY(claim.take(inode));
  if (inode.type() == kRegular && !created) {
    // Whoever wants a lease must see that it is being opened, as whoever opens it looks for leases.
    if (!writes) file = TRY(inode.open(flags & ~kOnceFlags));
    TRY(lease_break(inode, (flags & open_flag::accmode) != open_flag::rdonly));
  }
  if (inode.type() == kRegular && writes && !created) {
    bool truncate = flags & open_flag::trunc;
    TRY(inode.prepare_write(truncate));
    if (truncate) {
      SetAttr empty;
      empty.mask = SetAttr::kSize | SetAttr::kMtimeNow;
      TRY(inode.set_attr(empty));
      notify_path(path, notify_bit::modify);
    }
  }
  if (!file) file = TRY(inode.open(flags & ~kOnceFlags));
  file->set_flags(file->flags() & ~open_flag::noctty);
  if (!file->path()) file->set_path(path);
  return file;
}

Result<Ref<File>> open_unnamed(const WalkContext& context, const Path& start, std::string_view path,
                               uint32_t flags, uint32_t mode, uint32_t walk_flags) {
  if ((flags & open_flag::accmode) == open_flag::rdonly) return Errno::inval;
  Path dir = TRY(walk(context, start, path, walk_flags | kFollow | kDirectoryOnly));
  TRY(check_access(context.creds, dir, kWrite | kExec));
  NewNode node = TRY(new_node(context, dir, kRegular | (mode & 07777)));
  Ref<Inode> inode = TRY(inode_of(dir).tmpfile(node));
  TRY(acl_inherit(inode_of(dir), *inode));
  Ref<Dentry> d = TRY(Dentry::create(dir.dentry, "#tmpfile", std::move(inode)));
  dcache_drop(*d, true);
  return open_checked(Path(dir.mount, std::move(d)), flags & ~open_flag::tmpfile, true);
}

// Creates the last component in w.at(). Null: somebody else was faster, look again.
Result<Ref<Dentry>> create_last(const Walker& w, uint32_t mode) {
  Inode& dir = inode_of(w.at());
  LockGuard guard(dir.lock);
  Ref<Dentry> d = TRY(lookup_child_locked(*w.at().dentry, w.last()));
  if (!d->negative()) return Ref<Dentry>();
  TRY(check_access(w.context().creds, w.at(), kWrite | kExec));
  if (w.at().dentry->removed()) return Errno::noent;
  NewNode node = TRY(new_node(w.context(), w.at(), kRegular | (mode & 07777)));
  Ref<Inode> inode = TRY(dir.create(w.last(), node));
  TRY(acl_inherit(dir, *inode));
  notify_created(dir, w.last(), false);
  return dcache_add(*w.at().dentry, w.last(), std::move(inode));
}

Result<Ref<File>> open_or_create(Walker& w, uint32_t flags, uint32_t mode) {
  for (;;) {
    TRY(w.to_parent());
    if (w.kind() != LastKind::normal) return flags & open_flag::excl ? Errno::exist : Errno::isdir;
    if (w.trailing_slash()) return Errno::isdir;
    Ref<Dentry> d = TRY(w.lookup_last());
    while (d->negative()) {
      Ref<Dentry> fresh = TRY(create_last(w, mode));
      if (fresh) return open_checked(Path(w.at().mount, std::move(fresh)), flags, true);
      d = TRY(w.lookup_last());
    }
    if (flags & open_flag::excl) return Errno::exist;
    if (d->inode()->type() == kSymlink) {
      if (flags & open_flag::nofollow) return Errno::loop;
      TRY(w.follow(d));
      if (!w.jumped()) continue;
    } else {
      TRY(w.descend(std::move(d)));
    }
    return open_existing(w.context(), w.at(), flags);
  }
}

}  // namespace

Result<NewNode> new_node(const WalkContext& context, const Path& dir, uint32_t mode) {
  NewNode node;
  Attr attr = TRY(inode_of(dir).get_attr());
  node.mode = TRY(acl_new_mode(inode_of(dir), attr, mode, context.fs.umask()));
  node.uid = context.creds.fsuid;
  node.gid = context.creds.fsgid;
  // Who is nobody to the file system's owner cannot own files there.
  auto* owner = static_cast<UserNamespace*>(inode_of(dir).super().owner());
  if (owner && (uid_in(owner, node.uid) == kNoId || gid_in(owner, node.gid) == kNoId)) return Errno::overflow;
  if (attr.mode & kSetGid) {
    node.gid = attr.gid;
    if ((mode & kTypeMask) == kDirectory)
      node.mode |= kSetGid;
    else if ((mode & 02010) == 02010 && !context.creds.in_group(node.gid) &&
             !is_capable_of(context.creds, attr.uid, attr.gid, Cap::fsetid))
      node.mode &= ~kSetGid;
  }
  return node;
}

Result<Ref<File>> open_existing(const WalkContext& context, const Path& path, uint32_t flags) {
  if (!path.dentry || path.dentry->negative()) return Errno::noent;
  if (flags & open_flag::path) return open_place(path, flags);
  TRY(check_open(context, path, flags));
  return open_checked(path, flags, false);
}

Result<Ref<File>> open_path(const WalkContext& context, const Path& start, std::string_view path,
                            uint32_t flags, uint32_t mode, uint32_t walk_flags) {
  if (flags & open_flag::path) flags &= kPathFlags;
  if ((flags & open_flag::tmpfile) == open_flag::tmpfile)
    return open_unnamed(context, start, path, flags, mode, walk_flags);
  if (flags & open_flag::creat) {
    if (flags & open_flag::directory) return Errno::inval;
    Walker w(context, walk_flags);
    TRY(w.begin(start, path));
    return open_or_create(w, flags, mode);
  }
  if (!(flags & open_flag::nofollow)) walk_flags |= kFollow;
  if (flags & open_flag::directory) {
    // With O_NOFOLLOW a link in the last place is no directory either.
    walk_flags |= kDirectoryOnly;
  }
  Path found = TRY(walk(context, start, path, walk_flags));
  return open_existing(context, found, flags);
}

}  // namespace runsc::fs
