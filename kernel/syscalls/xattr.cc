// Extended attributes (xattr(7)).
#include "fs/acl.h"
#include "fs/notify.h"
#include "fs/user_namespace.h"
#include "kernel/file_caps.h"
#include "kernel/syscalls/file_args.h"
#include "kernel/syscalls/files.h"

namespace runsc::kernel {

namespace {

constexpr size_t kMaxName = 255, kMaxSize = 65536;

// What an attribute call acts on: an inode, where it was found, and whether its mount is read-only.
struct Target {
  Ref<fs::Inode> inode;
  fs::Path path;
  bool read_only;
};

Result<Target> target_at(Task& task, uint64_t path, bool follow) {
  fs::Path at = TRY(lookup_argument(task, abi::at::fdcwd, path, follow ? 0 : abi::at::symlink_nofollow));
  bool read_only = fs::mount_flags(at) & fs::kMsRdonly;
  return Target{Ref<fs::Inode>(fs::inode_of(at)), at, read_only};
}

Result<Target> target_of(Task& task, int fd) {
  Ref<fs::File> file = TRY(file_of(task, fd));
  if (!file->inode()) return Errno::opnotsupp;
  bool read_only = fs::mount_flags(file->path()) & fs::kMsRdonly;
  return Target{Ref<fs::Inode>(*file->inode()), file->path(), read_only};
}

Result<String> name_argument(Task& task, uint64_t address) {
  Result<String> name = mm::copy_in_string(task.mm(), address, kMaxName + 1);
  if (!name) return name.error() == Errno::nametoolong ? Errno::range : name.error();
  if (name->empty()) return Errno::range;
  return name;
}

// Which names exist, for whom (xattr(7), "Extended attribute namespaces").
Result<void> check_name(Task& task, fs::Inode& inode, std::string_view name, bool write) {
  auto in_space = [&](std::string_view prefix) {
    return name.starts_with(prefix) && name.size() > prefix.size();
  };
  for (std::string_view prefix : {"security.", "trusted.", "user."})
    if (name == prefix) return Errno::inval;
  if (in_space("security.")) {
    if (!write) return {};
    if (name != kFileCapsName) return task.creds().has(fs::Cap::sys_admin) ? Result<void>() : Errno::perm;
    const fs::Attr attr = TRY(inode.get_attr());
    return fs::is_capable_of(task.creds(), attr.uid, attr.gid, fs::Cap::setfcap) ? Result<void>()
                                                                                 : Errno::perm;
  }
  if (in_space("trusted.")) {
    if (task.creds().has(fs::Cap::sys_admin)) return {};
    return write ? Errno::perm : Errno::nodata;
  }
  if (fs::is_acl_name(name)) return fs::keeps_acls(inode) ? Result<void>() : Errno::opnotsupp;
  if (!in_space("user.")) return Errno::opnotsupp;
  if (inode.type() != fs::kRegular && !inode.is_dir()) return write ? Errno::perm : Errno::nodata;
  const fs::Attr attr = TRY(inode.get_attr());
  constexpr uint32_t kSticky = 01000;
  if (write && inode.is_dir() && (attr.mode & kSticky) && task.creds().fsuid != attr.uid &&
      !task.creds().has(fs::Cap::fowner))
    return Errno::perm;
  return fs::check_access(task.creds(), inode, attr, write ? fs::kWrite : fs::kRead);
}

// Memory of the sentry for a value or a list.
class Room {
 public:
  explicit Room(size_t size) : size_(size > kMaxSize ? kMaxSize : size) {}
  ~Room() { kfree(bytes_, size_); }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;
  Result<void> get() {
    if (size_ == 0) return {};
    bytes_ = static_cast<std::byte*>(kalloc(size_));
    if (!bytes_) return Errno::nomem;
    return {};
  }
  std::span<std::byte> bytes() { return {bytes_, bytes_ ? size_ : 0}; }

 private:
  const size_t size_;
  std::byte* bytes_ = nullptr;
};

Result<size_t> get_file_caps(Task& task, const Target& t, uint64_t address, uint64_t size) {
  std::byte value[kFileCapsMax];
  size_t n = TRY(t.inode->get_xattr(kFileCapsName, value));
  n = TRY(file_caps_to_show(task.creds(), value, n));
  if (size == 0) return n;
  if (size < n) return Errno::range;
  TRY(mm::copy_out_bytes(task.mm(), address, value, n));
  return n;
}

enum class AclTo : uint8_t { kept, shown };
// The users and groups that an access control list names, as they are kept, or as the caller calls them.
// EINVAL: it names somebody who is nobody there.
Result<void> translate_acl(const fs::Credentials& creds, std::span<std::byte> list, AclTo to) {
  constexpr size_t kHead = 4, kEntry = 8, kIdOffset = 4;
  constexpr uint16_t kUser = 2, kGroup = 8;
  const fs::UserNamespace* ns = creds.user_ns.get();
  if (!ns) return {};
  for (size_t at = kHead; at + kEntry <= list.size(); at += kEntry) {
    uint16_t tag;
    uint32_t id;
    __builtin_memcpy(&tag, &list[at], sizeof tag);
    __builtin_memcpy(&id, &list[at + kIdOffset], sizeof id);
    if (tag != kUser && tag != kGroup) continue;
    if (to == AclTo::shown)
      id = tag == kUser ? fs::uid_in(ns, id) : fs::gid_in(ns, id);
    else
      id = tag == kUser ? fs::global_uid(ns, id) : fs::global_gid(ns, id);
    if (to == AclTo::kept && id == fs::kNoId) return Errno::inval;
    __builtin_memcpy(&list[at + kIdOffset], &id, sizeof id);
  }
  return {};
}

Result<size_t> get_value(Task& task, const Target& t, uint64_t name_at, uint64_t value, uint64_t size) {
  String name = TRY(name_argument(task, name_at));
  TRY(check_name(task, *t.inode, name.view(), false));
  if (name.view() == kFileCapsName) return get_file_caps(task, t, value, size);
  Room room(size);
  TRY(room.get());
  size_t n = TRY(t.inode->get_xattr(name.view(), room.bytes()));
  if (size > 0 && fs::is_acl_name(name.view()))
    TRY(translate_acl(task.creds(), room.bytes().first(n), AclTo::shown));
  if (size > 0) TRY(mm::copy_out_bytes(task.mm(), value, room.bytes().data(), n));
  return n;
}

Result<void> set_value(Task& task, const Target& t, uint64_t name_at, uint64_t value, uint64_t size,
                       int flags) {
  if (flags & ~3) return Errno::inval;
  String name = TRY(name_argument(task, name_at));
  if (size > kMaxSize) return Errno::toobig;
  Room room(size);
  TRY(room.get());
  if (size > 0) TRY(mm::copy_in_bytes(task.mm(), room.bytes().data(), value, size));
  if (t.read_only) return Errno::rofs;
  const bool file_caps = size > 0 && name.view() == kFileCapsName;
  std::byte kept[kFileCapsMax];
  size_t n = 0;
  if (file_caps) n = TRY(file_caps_to_keep(task.creds(), room.bytes().first(size), kept));
  TRY(check_name(task, *t.inode, name.view(), true));
  if (file_caps) {
    TRY(t.inode->set_xattr(name.view(), std::span(kept).first(n), flags));
  } else if (fs::is_acl_name(name.view())) {
    TRY(translate_acl(task.creds(), room.bytes(), AclTo::kept));
    TRY(fs::set_acl(task.creds(), *t.inode, name.view(), room.bytes()));
  } else {
    TRY(t.inode->set_xattr(name.view(), room.bytes(), flags));
  }
  fs::notify_path(t.path, fs::notify_bit::attrib);
  return {};
}

Result<size_t> list_names(Task& task, const Target& t, uint64_t list, uint64_t size) {
  Room room(size);
  TRY(room.get());
  std::span<std::byte> bytes = room.bytes();
  size_t n = TRY(t.inode->list_xattr({reinterpret_cast<char*>(bytes.data()), bytes.size()}));
  if (size > 0) TRY(mm::copy_out_bytes(task.mm(), list, bytes.data(), n));
  return n;
}

Result<void> remove_value(Task& task, const Target& t, uint64_t name_at) {
  String name = TRY(name_argument(task, name_at));
  if (t.read_only) return Errno::rofs;
  TRY(check_name(task, *t.inode, name.view(), true));
  if (fs::is_acl_name(name.view()))
    TRY(fs::set_acl(task.creds(), *t.inode, name.view(), {}));
  else
    TRY(t.inode->remove_xattr(name.view()));
  fs::notify_path(t.path, fs::notify_bit::attrib);
  return {};
}

}  // namespace

Result<size_t> sys_getxattr(Task& task, uint64_t path, uint64_t name, uint64_t value, uint64_t size) {
  return get_value(task, TRY(target_at(task, path, true)), name, value, size);
}
Result<size_t> sys_lgetxattr(Task& task, uint64_t path, uint64_t name, uint64_t value, uint64_t size) {
  return get_value(task, TRY(target_at(task, path, false)), name, value, size);
}
Result<size_t> sys_fgetxattr(Task& task, int fd, uint64_t name, uint64_t value, uint64_t size) {
  return get_value(task, TRY(target_of(task, fd)), name, value, size);
}

Result<void> sys_setxattr(Task& task, uint64_t path, uint64_t name, uint64_t value, uint64_t size,
                          int flags) {
  return set_value(task, TRY(target_at(task, path, true)), name, value, size, flags);
}
Result<void> sys_lsetxattr(Task& task, uint64_t path, uint64_t name, uint64_t value, uint64_t size,
                           int flags) {
  return set_value(task, TRY(target_at(task, path, false)), name, value, size, flags);
}
Result<void> sys_fsetxattr(Task& task, int fd, uint64_t name, uint64_t value, uint64_t size, int flags) {
  return set_value(task, TRY(target_of(task, fd)), name, value, size, flags);
}

Result<size_t> sys_listxattr(Task& task, uint64_t path, uint64_t list, uint64_t size) {
  return list_names(task, TRY(target_at(task, path, true)), list, size);
}
Result<size_t> sys_llistxattr(Task& task, uint64_t path, uint64_t list, uint64_t size) {
  return list_names(task, TRY(target_at(task, path, false)), list, size);
}
Result<size_t> sys_flistxattr(Task& task, int fd, uint64_t list, uint64_t size) {
  return list_names(task, TRY(target_of(task, fd)), list, size);
}

Result<void> sys_removexattr(Task& task, uint64_t path, uint64_t name) {
  return remove_value(task, TRY(target_at(task, path, true)), name);
}
Result<void> sys_lremovexattr(Task& task, uint64_t path, uint64_t name) {
  return remove_value(task, TRY(target_at(task, path, false)), name);
}
Result<void> sys_fremovexattr(Task& task, int fd, uint64_t name) {
  return remove_value(task, TRY(target_of(task, fd)), name);
}

}  // namespace runsc::kernel
