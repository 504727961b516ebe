// Who may change what of an inode: chmod(2), chown(2), utimensat(2), truncate(2).
#include "fs/acl.h"
#include "fs/mount.h"
#include "fs/notify.h"
#include "fs/user_namespace.h"
#include "fs/write_access.h"

namespace runsc::fs {

namespace {

// The mode that a file has left after a write or a change of owner.
uint32_t without_set_id(uint32_t mode) {
  mode &= ~kSetUid;
  if (mode & 010) mode &= ~kSetGid;
  return mode;
}

// A file in memory loses its capabilities with a write or a new owner (capabilities(7)); the host sees to its
// own.
void drop_file_caps(Inode& inode) {
  constexpr std::string_view kName = "security.capability";
  if (inode.type() == kRegular && keeps_acls(inode) && inode.get_xattr(kName, {}))
    (void)inode.remove_xattr(kName);
}

Result<void> check_owner_change(const Credentials& creds, const Attr& now, SetAttr& attr) {
  bool owner = creds.fsuid == now.uid, privileged = is_capable_of(creds, now.uid, now.gid, Cap::chown);
  if ((attr.mask & SetAttr::kUid) && !privileged && !(owner && attr.uid == now.uid)) return Errno::perm;
  if ((attr.mask & SetAttr::kGid) && !privileged &&
      !(owner && (attr.gid == now.gid || creds.in_group(attr.gid))))
    return Errno::perm;
  // A new owner loses the set-ID bits of programs.
  if ((now.mode & kTypeMask) != kDirectory && !(attr.mask & SetAttr::kMode)) {
    uint32_t mode = without_set_id(now.mode);
    if (mode != now.mode) {
      attr.mask |= SetAttr::kMode;
      attr.mode = mode & 07777;
    }
  }
  return {};
}

Result<SetAttr> authorize(const Credentials& creds, Inode* inode, const Attr& now, SetAttr attr) {
  bool owner = owns(creds, now.uid);
  if (attr.mask & SetAttr::kMode) {
    if (!owner) return Errno::perm;
    uint32_t gid = attr.mask & SetAttr::kGid ? attr.gid : now.gid;
    if (!creds.in_group(gid) && !is_capable_of(creds, now.uid, gid, Cap::fsetid)) attr.mode &= ~kSetGid;
  }
  if (attr.mask & (SetAttr::kUid | SetAttr::kGid)) TRY(check_owner_change(creds, now, attr));
  if ((attr.mask & (SetAttr::kAtime | SetAttr::kMtime)) && !owner) return Errno::perm;
  if ((attr.mask & (SetAttr::kAtimeNow | SetAttr::kMtimeNow)) && !owner) {
    bool both = (attr.mask & SetAttr::kAtimeNow) && (attr.mask & SetAttr::kMtimeNow);
    if (!both) return Errno::perm;
    TRY(inode ? check_access(creds, *inode, now, kWrite) : check_access(creds, now, kWrite));
  }
  return attr;
}

// What a change is to who watches: as Linux sums it up.
uint32_t events_of(const SetAttr& attr) {
  uint32_t events = 0;
  if (attr.mask & (SetAttr::kUid | SetAttr::kGid | SetAttr::kMode)) events |= notify_bit::attrib;
  if (attr.mask & SetAttr::kSize) events |= notify_bit::modify;
  bool access = attr.mask & (SetAttr::kAtime | SetAttr::kAtimeNow);
  bool change = attr.mask & (SetAttr::kMtime | SetAttr::kMtimeNow);
  if (attr.mask & SetAttr::kSize) return events;  // the times came along
  if (access && change) events |= notify_bit::attrib;
  if (access != change) events |= access ? notify_bit::access : notify_bit::modify;
  return events;
}

}  // namespace

Result<void> change_attr(const WalkContext& context, const Path& path, const SetAttr& attr) {
  Inode& inode = inode_of(path);
  if (attr.mask & SetAttr::kSize) {
    if (inode.is_dir()) return Errno::isdir;
    if (inode.type() != kRegular) return Errno::inval;
    TRY(check_access(context.creds, path, kWrite));
    WriteClaim claim;
    TRY(claim.take(inode));
    TRY(inode.prepare_write(attr.size == 0));
    SetAttr change = attr;
    Attr now = TRY(inode.get_attr());
    uint32_t mode = without_set_id(now.mode);
    if (mode != now.mode && !context.creds.has(Cap::fsetid)) {
      change.mask |= SetAttr::kMode;
      change.mode = mode & 07777;
    }
    TRY(inode.set_attr(change));
    drop_file_caps(inode);
    notify_path(path, events_of(change));
    return {};
  }
  if (mount_flags(path) & kMsRdonly) return Errno::rofs;
  Attr now = TRY(inode.get_attr());
  SetAttr allowed = TRY(authorize(context.creds, &inode, now, attr));
  TRY(inode.set_attr(allowed));
  if (allowed.mask & (SetAttr::kUid | SetAttr::kGid)) drop_file_caps(inode);
  if (now.has_acl && allowed.mask & SetAttr::kMode) TRY(acl_follow_mode(inode, allowed.mode));
  notify_path(path, events_of(allowed));
  return {};
}

void drop_set_id(const Credentials& creds, File& file) {
  if (!file.inode() || file.inode()->type() != kRegular) return;
  drop_file_caps(*file.inode());
  if (creds.has(Cap::fsetid)) return;
  Result<Attr> now = file.get_attr();
  if (!now || without_set_id(now->mode) == now->mode) return;
  SetAttr change;
  change.mask = SetAttr::kMode;
  change.mode = without_set_id(now->mode) & 07777;
  if (file.set_attr(change)) notify_path(file.path(), notify_bit::attrib);
}

Result<void> change_attr(const WalkContext& context, File& file, const SetAttr& attr) {
  if (file.path() && (mount_flags(file.path()) & kMsRdonly)) return Errno::rofs;
  Attr now = TRY(file.get_attr());
  SetAttr allowed = TRY(authorize(context.creds, file.inode(), now, attr));
  TRY(file.set_attr(allowed));
  if (file.inode() && allowed.mask & (SetAttr::kUid | SetAttr::kGid)) drop_file_caps(*file.inode());
  if (now.has_acl && allowed.mask & SetAttr::kMode) TRY(acl_follow_mode(*file.inode(), allowed.mode));
  notify_path(file.path(), events_of(allowed));
  return {};
}

}  // namespace runsc::fs
