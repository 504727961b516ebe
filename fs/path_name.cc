#include "fs/mount.h"

namespace runsc::fs {

namespace {

constexpr size_t kRoom = 4096;
constexpr std::string_view kDeleted = " (deleted)";

// Text that grows to the front.
struct Backwards {
  char* room;
  size_t at = kRoom;
  bool overflow = false;
  void add(std::string_view s) {
    if (overflow || s.size() > at) {
      overflow = true;
      return;
    }
    at -= s.size();
    if (!s.empty()) __builtin_memcpy(room + at, s.data(), s.size());
  }
};

// False: `root` is not on the way up.
bool collect(const Path& path, const Path& root, Backwards& out) {
  LockGuard guard(names_lock());
  const Mount* mount = path.mount.get();
  const Dentry* dentry = path.dentry.get();
  for (;;) {
    if (mount == root.mount.get() && dentry == root.dentry.get()) return true;
    if (mount && dentry == &mount->root()) {
      if (!mount->parent_locked()) return !root.dentry;
      dentry = mount->mountpoint_locked();
      mount = mount->parent_locked();
      continue;
    }
    const Dentry* parent = dentry->parent_locked();
    if (!parent) return !root.dentry;  // the root of a file system, or an object without a place
    out.add(dentry->name_locked());
    out.add("/");
    dentry = parent;
  }
}

}  // namespace

Result<String> path_name(const Path& path, const Path& root, Unreachable how) {
  if (!path.dentry) return Errno::noent;
  char* room = static_cast<char*>(kalloc(kRoom));
  if (!room) return Errno::nomem;
  Backwards out{room};
  bool removed = path.dentry->removed();
  if (removed) out.add(kDeleted);
  bool reached = collect(path, root, out);
  if (out.at == kRoom - (removed ? kDeleted.size() : 0)) {
    // Nothing on the way: a root, or an object whose name stands alone ("pipe:[3]").
    LockGuard guard(names_lock());
    std::string_view own = path.mount ? std::string_view() : path.dentry->name_locked();
    out.add(own.empty() ? std::string_view("/") : own);
  }
  if (!reached && path.mount && how == Unreachable::marked) out.add("(unreachable)");
  Result<String> result =
      out.overflow ? Result<String>(Errno::nametoolong) : String::from({room + out.at, kRoom - out.at});
  kfree(room, kRoom);
  return result;
}

Result<Path> anonymous_path(Ref<Inode> inode, std::string_view name) {
  Ref<Dentry> d = TRY(Dentry::create({}, name, std::move(inode)));
  return Path({}, std::move(d));
}

}  // namespace runsc::fs
