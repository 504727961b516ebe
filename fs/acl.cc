#include "fs/acl.h"

#include "fs/user_namespace.h"

namespace runsc::fs {

namespace {

enum Tag : uint16_t { kUserObj = 1, kUser = 2, kGroupObj = 4, kGroup = 8, kMask = 0x10, kOther = 0x20 };
constexpr uint32_t kNobody = ~0u, kVersion = 2, kAll = 7;

struct Entry {
  uint16_t tag, permissions;
  uint32_t id;
};
static_assert(sizeof(Entry) == 8);

// The attribute's bytes: a version, then entries.
class Acl {
 public:
  // EINVAL; EOPNOTSUPP: of another version.
  static Result<Acl> parse(std::span<const std::byte> bytes) {
    Acl acl;
    if (bytes.size() < sizeof kVersion || bytes.size() % sizeof(Entry) != sizeof kVersion)
      return Errno::inval;
    uint32_t version;
    __builtin_memcpy(&version, bytes.data(), sizeof version);
    if (version != kVersion) return Errno::opnotsupp;
    size_t count = bytes.size() / sizeof(Entry);
    TRY(acl.entries_.resize(count));
    if (count) __builtin_memcpy(acl.entries_.data(), bytes.data() + sizeof version, count * sizeof(Entry));
    return acl;
  }
  // ENODATA: there is none.
  static Result<Acl> of(Inode& inode, std::string_view name) {
    size_t size = TRY(inode.get_xattr(name, {}));
    Vec<std::byte> bytes;
    TRY(bytes.resize(size));
    TRY(inode.get_xattr(name, bytes.span()));
    return parse(bytes.span());
  }
  Result<void> store(Inode& inode, std::string_view name) const {
    Vec<std::byte> bytes;
    TRY(bytes.resize(sizeof kVersion + entries_.size() * sizeof(Entry)));
    __builtin_memcpy(bytes.data(), &kVersion, sizeof kVersion);
    __builtin_memcpy(bytes.data() + sizeof kVersion, entries_.data(), entries_.size() * sizeof(Entry));
    return inode.set_xattr(name, bytes.span(), 0);
  }

  bool empty() const { return entries_.empty(); }
  // In the order of acl(5), with a mask where named users or groups are.
  bool valid() const;
  // More than the mode of a file can say.
  bool extended() const {
    for (const Entry& e : entries_)
      if (e.tag == kUser || e.tag == kGroup || e.tag == kMask) return true;
    return false;
  }
  // The permission bits that show it, the mask in the place of the group's if there is one.
  uint32_t mode_bits() const;
  void set_mode_bits(uint32_t mode);
  bool grants(const Credentials& creds, const Attr& attr, uint32_t access) const;

 private:
  const Entry* find(uint16_t tag) const {
    for (const Entry& e : entries_)
      if (e.tag == tag) return &e;
    return nullptr;
  }
  Vec<Entry> entries_;
};

bool Acl::valid() const {
  uint16_t last = 0;
  bool named = false;
  for (const Entry& e : entries_) {
    if (e.permissions & ~kAll) return false;
    switch (e.tag) {
      case kUserObj:
      case kGroupObj:
      case kMask:
      case kOther:
        if (e.tag <= last) return false;
        break;
      case kUser:
      case kGroup:
        if (e.tag < last || e.id == kNobody) return false;
        named = true;
        break;
      default:
        return false;
    }
    last = e.tag;
  }
  return find(kUserObj) && find(kGroupObj) && find(kOther) && (!named || find(kMask));
}

uint32_t Acl::mode_bits() const {
  const Entry* group = find(kMask);
  if (!group) group = find(kGroupObj);
  return uint32_t{find(kUserObj)->permissions} << 6 | uint32_t{group->permissions} << 3 |
         find(kOther)->permissions;
}

void Acl::set_mode_bits(uint32_t mode) {
  const uint16_t group = find(kMask) ? kMask : kGroupObj;
  for (Entry& e : entries_) {
    if (e.tag == kUserObj) e.permissions = mode >> 6 & kAll;
    if (e.tag == group) e.permissions = mode >> 3 & kAll;
    if (e.tag == kOther) e.permissions = mode & kAll;
  }
}

// acl(5), "Access check algorithm", for who is not the owner.
bool Acl::grants(const Credentials& creds, const Attr& attr, uint32_t access) const {
  const Entry* mask = find(kMask);
  const uint32_t limit = mask ? mask->permissions : kAll;
  bool in_some_group = false;
  for (const Entry& e : entries_) {
    if (e.tag == kUser && e.id == creds.fsuid) return (e.permissions & limit & access) == access;
    if (e.tag != kGroupObj && e.tag != kGroup) continue;
    if (!creds.in_group(e.tag == kGroupObj ? attr.gid : e.id)) continue;
    in_some_group = true;
    if ((e.permissions & access) == access) return (limit & access) == access;
  }
  return !in_some_group && (find(kOther)->permissions & access) == access;
}

Result<void> drop(Inode& inode, std::string_view name) {
  Result<void> r = inode.remove_xattr(name);
  if (!r && r.error() == Errno::nodata) return {};
  return r;
}

Result<void> set_access(const Credentials& creds, Inode& inode, const Attr& attr, const Acl& acl) {
  if (acl.empty()) return drop(inode, kAclAccess);
  SetAttr change;
  change.mask = SetAttr::kMode;
  change.mode = (attr.mode & 07000) | acl.mode_bits();
  if (!creds.in_group(attr.gid) && !is_capable_of(creds, attr.uid, attr.gid, Cap::fsetid))
    change.mode &= ~kSetGid;
  if (acl.extended())
    TRY(acl.store(inode, kAclAccess));
  else
    TRY(drop(inode, kAclAccess));
  return inode.set_attr(change);
}

// The default list of a directory; ENODATA.
Result<Acl> default_acl(Inode& dir, const Attr& attr) {
  if (!attr.has_acl) return Errno::nodata;
  return Acl::of(dir, kAclDefault);
}

// What a node of this mode gets of a default list.
uint32_t cut(Acl& acl, uint32_t mode) {
  uint32_t bits = mode & acl.mode_bits();
  acl.set_mode_bits(bits);
  return (mode & ~uint32_t{0777}) | bits;
}

}  // namespace

bool keeps_acls(const Inode& inode) {
  std::string_view type = inode.super().type_name();
  return inode.type() != kSymlink && (type == "tmpfs" || type == "overlay");
}

Result<void> set_acl(const Credentials& creds, Inode& inode, std::string_view name,
                     std::span<const std::byte> value) {
  Acl acl;
  if (!value.empty()) acl = TRY(Acl::parse(value));
  if (!keeps_acls(inode)) return Errno::opnotsupp;
  if (name == kAclDefault && !inode.is_dir()) return acl.empty() ? Result<void>() : Errno::acces;
  LockGuard guard(inode.lock);
  Attr attr = TRY(inode.get_attr());
  if (!owns(creds, attr.uid)) return Errno::perm;
  if (!acl.empty() && !acl.valid()) return Errno::inval;
  if (name == kAclAccess) return set_access(creds, inode, attr, acl);
  return acl.empty() ? drop(inode, name) : acl.store(inode, name);
}

Result<void> acl_follow_mode(Inode& inode, uint32_t mode) {
  LockGuard guard(inode.lock);
  Result<Acl> acl = Acl::of(inode, kAclAccess);
  if (!acl) return acl.error() == Errno::nodata ? Result<void>() : acl.error();
  acl->set_mode_bits(mode);
  return acl->store(inode, kAclAccess);
}

Result<uint32_t> acl_new_mode(Inode& dir, const Attr& dir_attr, uint32_t mode, uint32_t umask) {
  Result<Acl> acl = (mode & kTypeMask) == kSymlink ? Result<Acl>(Errno::nodata) : default_acl(dir, dir_attr);
  if (acl) return cut(*acl, mode);
  if (acl.error() != Errno::nodata) return acl.error();
  return mode & ~umask;
}

Result<void> acl_inherit(Inode& dir, Inode& fresh) {
  if (fresh.type() == kSymlink) return {};
  Result<Acl> acl = default_acl(dir, TRY(dir.get_attr()));
  if (!acl) return acl.error() == Errno::nodata ? Result<void>() : acl.error();
  if (fresh.is_dir()) TRY(acl->store(fresh, kAclDefault));
  if (!acl->extended()) return {};
  cut(*acl, TRY(fresh.get_attr()).mode);
  return acl->store(fresh, kAclAccess);
}

Result<void> check_access(const Credentials& creds, Inode& inode, const Attr& attr, uint32_t access) {
  // The list has a say over those whom the mode shows as the group, and over others only with it.
  if (!attr.has_acl || creds.fsuid == attr.uid || !(attr.mode & 070))
    return check_access(creds, attr, access);
  Result<Acl> acl = Acl::of(inode, kAclAccess);
  if (!acl) {
    if (acl.error() == Errno::nodata) return check_access(creds, attr, access);
    return acl.error();
  }
  if (acl->grants(creds, attr, access & kAll)) return {};
  return check_capabilities(creds, attr, access);
}

}  // namespace runsc::fs
