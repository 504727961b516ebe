// Mount: a file system (or a part of one) at its place in the tree.
#pragma once

#include "fs/dentry.h"
#include "fs/namespace.h"

namespace runsc::fs {

class Mount final : public RefCounted<Mount> {
 public:
  // Not in the tree yet. ENOMEM.
  static Result<Ref<Mount>> create(Ref<SuperBlock> super, Ref<Dentry> root, uint64_t flags,
                                   std::string_view source);

  SuperBlock& super() const { return hold_.super(); }
  Dentry& root() const { return *root_; }
  uint32_t id() const { return id_; }
  uint64_t flags() const { return flags_.load(std::memory_order_relaxed); }
  void set_flags(uint64_t flags) { flags_.store(flags, std::memory_order_relaxed); }
  bool read_only() const { return flags() & kMsRdonly; }
  std::string_view source() const { return source_.view(); }

  // Under names_lock(). Null: the root of the tree, or taken off.
  Mount* parent_locked() const { return parent_.get(); }
  Dentry* mountpoint_locked() const { return mountpoint_.get(); }

 private:
  friend struct MountTree;
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  Mount(Ref<SuperBlock> super, Ref<Dentry> root, uint64_t flags, String source);

  const MountHold hold_;
  const Ref<Dentry> root_;
  const uint32_t id_;
  std::atomic<uint64_t> flags_;
  const String source_;
  Ref<Mount> parent_;
  Ref<Dentry> mountpoint_;
  Mount *next_ = nullptr, *prev_ = nullptr;  // all mounts in the tree, in order of mounting
};

// The mount that stands on (mount, dentry), topmost last one; null: none.
Ref<Mount> mounted_on(const Mount* mount, const Dentry& dentry);
// Where `mount` stands: both null for the root of the tree.
Path mount_place(const Mount& mount);
// Enters the mounts that stand on the path, down to the last one.
void enter_mounts(Path& path);

// The root of the whole tree.
Path tree_root_path();
// pivot_root(2), the tree's side: callers move the roots and working directories of tasks. EINVAL, EBUSY.
Result<void> pivot_root(const Path& new_root, const Path& put_old);
// mount(2) with MS_REMOUNT: EINVAL unless `target` is the root of a mount.
Result<void> remount(const Path& target, uint64_t flags, bool whole_super);
// MS_MOVE. EINVAL.
Result<void> move_mount(const Path& source, const Path& target);

}  // namespace runsc::fs
