// Mount: a file system (or a part of one) at its place in the tree of a mount namespace; how mounts propagate
// between places (mount_namespaces(7)).
#pragma once

#include <boost/intrusive/list.hpp>

#include "fs/dentry.h"
#include "fs/namespace.h"
#include "kernel/base/namespace.h"

namespace runsc::fs {

class MountNamespace;

// A set of mounts that propagate to each other, or from one to others; 0: none.
using PeerGroup = uint32_t;

// Mounts that live at a time, in all namespaces together. Linux allows each namespace 100,000. The last of
// them are not for what belongs to user namespaces.
inline constexpr uint32_t kMaxLiveMounts = 20'000, kReservedMounts = 1'000;
enum class MountRoom : uint8_t { whole, unreserved };

// What those who did not make a mount may not undo, because it came to their mount namespace with one of more
// privilege (mount_namespaces(7), "Restrictions on mount namespaces"). `place`: it covers something.
namespace mount_lock {
inline constexpr uint32_t place = 1, rdonly = 2, nosuid = 4, nodev = 8, noexec = 16, atime = 32;
}

class Mount final : public RefCounted<Mount>, public boost::intrusive::list_base_hook<> {
 public:
  // Not in the tree yet. ENOMEM; ENOSPC: too many.
  static Result<Ref<Mount>> create(Ref<SuperBlock> super, Ref<Dentry> root, uint64_t flags,
                                   std::string_view source, MountRoom room = MountRoom::whole);
  // What stands on it still, because it is locked there, goes with it.
  ~Mount();

  SuperBlock& super() const { return hold_.super(); }
  Dentry& root() const { return *root_; }
  uint32_t id() const { return id_; }
  uint64_t flags() const { return flags_.load(std::memory_order_relaxed); }
  void set_flags(uint64_t flags) { flags_.store(flags, std::memory_order_relaxed); }
  // By itself, or with its file system.
  bool read_only() const { return flags() & kMsRdonly || super_read_only_.load(std::memory_order_relaxed); }
  std::string_view source() const { return source_.view(); }

  // Under names_lock(). Null: the root of the tree, or taken off.
  MountNamespace* ns_locked() const { return ns_; }
  Mount* parent_locked() const { return parent_.get(); }
  Dentry* mountpoint_locked() const { return mountpoint_.get(); }

 private:
  friend struct MountTree;
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  Mount(Ref<SuperBlock> super, Ref<Dentry> root, uint64_t flags, String source);
  using Children = boost::intrusive::list<Mount, boost::intrusive::constant_time_size<false>>;
  const MountHold hold_;
  const Ref<Dentry> root_;
  const uint32_t id_;
  std::atomic<uint64_t> flags_;
  std::atomic<bool> super_read_only_{false};  // the same for all mounts of a file system
  const String source_;
  MountNamespace* ns_ = nullptr;  // null: taken off
  Ref<Mount> parent_;
  Ref<Dentry> mountpoint_;
  Children children_;  // in order of mounting
  // Taken off together with what it stands on, which it may not uncover: that holds it now, and not the other
  // way round.
  Mount* stuck_to_ = nullptr;
  // Changed and read under the lock of the tree: its peers, whom it follows, and whether it may be bound.
  PeerGroup group_ = 0, master_ = 0;
  bool unbindable_ = false;
  uint32_t locks_ = 0;  // mount_lock
  enum class Fate : uint8_t { stays, asked, goes };
  Fate fate_ = Fate::stays;  // while an unmount is planned
  // All mounts in all trees, in order of mounting; of those taken off, the next to be let go of.
  Mount *next_ = nullptr, *prev_ = nullptr;
  Ref<Mount> was_on_;  // what it held of its place, until it is let go of
  Ref<Dentry> was_at_;
};

class MountNamespace final : public Namespace {
 public:
  // Without a mount yet. ENOMEM.
  static Result<Ref<MountNamespace>> create();
  // With copies of all mounts, to which the paths of a task move over; for another user namespace than this
  // one's all are locked, and follow without being followed. ENOMEM, ENOSPC.
  Result<Ref<MountNamespace>> clone(Path& root, Path& cwd, Ref<Namespace> owner) const;
  // One that nobody is in: of mounts that only a descriptor leads to (open_tree(2), fsmount(2)). It belongs
  // to whom this one belongs to.
  Result<Ref<MountNamespace>> create_detached() const;
  bool is_detached() const { return detached_; }
  // Takes its mounts off.
  ~MountNamespace() override;

  // The root of the tree, or what is mounted over it. Empty before boot.
  Path root() const;
  // Whether `path` is in a mount of this tree.
  bool contains(const Path& path) const;

 private:
  friend struct MountTree;
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  MountNamespace() : Namespace(NamespaceKind::mount) {}
  Mount* root_ = nullptr;  // under the lock of the tree
  bool detached_ = false;
};

// The mount that stands on (mount, dentry), topmost last one; null: none.
Ref<Mount> mounted_on(const Mount* mount, const Dentry& dentry);
// Where `mount` stands: both null for the root of the tree.
Path mount_place(const Mount& mount);
// Whether something stands there in the tree of mounts that `at` is in.
bool is_mount_point_here(const Mount& at, const Dentry& dentry);
// What was removed takes the mounts with it that other namespaces have there, and all below them. No inode is
// locked.
void detach_mounts_on(const Dentry& dentry);
// Enters the mounts that stand on the path, down to the last one.
void enter_mounts(Path& path);

// The first mount of a tree. EBUSY.
Result<Ref<Mount>> mount_root(MountNamespace& ns, Ref<SuperBlock> super, uint64_t flags,
                              std::string_view source);
// pivot_root(2), the tree's side, for a task with this root: callers move the roots and working directories
// of tasks. EINVAL, EBUSY, ENOENT.
Result<void> pivot_root(const Path& root, const Path& new_root, const Path& put_old);
// mount(2) with MS_REMOUNT: EINVAL unless `target` is the root of a mount; EPERM: what is locked.
Result<void> remount(const Path& target, uint64_t flags, bool whole_super);
// Whether the file system can be written, wherever it is mounted (fsconfig(2), "ro").
void set_read_only(const SuperBlock& super, bool read_only);
// A file of a mount namespace that holds `ns`, perhaps, or might come to: only older ones hold newer ones, so
// that they all go in the end.
bool is_namespace_loop(const MountNamespace& ns, Inode& inode);
// MS_MOVE, move_mount(2): `ns` is the caller's, in which the target must be, and the source unless it is
// detached. EINVAL; ELOOP: below itself, or a mount namespace that might come to hold itself.
Result<void> move_mount(const MountNamespace& ns, const Path& source, const Path& target);
// A detached copy of what is at `source`, in `ns`; its root. EINVAL: unbindable, or of another namespace;
// what is locked would be uncovered. EPERM: so it would, being unbindable.
struct DetachedMount {
  Ref<MountNamespace> holder;  // what is still in it with the last count goes
  Path root;
};
Result<DetachedMount> copy_detached(const MountNamespace& ns, const Path& source, bool recursive);
// A new mount, detached, by somebody in `ns`.
Result<DetachedMount> mount_detached(const MountNamespace& ns, Ref<SuperBlock> super, uint64_t flags,
                                     std::string_view source, uint32_t locks);
// mount_setattr(2) on the mount with this root, or on all below it too. `clear` then `set` of kMs* flags.
// EINVAL: not the root of a mount, or neither in `ns` nor detached. EPERM: what is locked; nothing was done.
enum class Propagation : uint8_t { shared, slave, unshared, unbindable };
struct MountChange {
  uint64_t set = 0, clear = 0;
  bool propagates = false;  // `propagation` is to be set
  Propagation propagation = Propagation::unshared;
};
Result<void> change_mount(const MountNamespace& ns, const Path& root, const MountChange& change,
                          bool recursive);
// MS_SHARED and its relatives: EINVAL unless `target` is the root of a mount.
Result<void> set_propagation(const Path& target, Propagation type, bool recursive);
// Whether a file system of this kind is to be seen whole in `ns` already, so that showing it again reveals
// nothing (user_namespaces(7)); `flags`, of the new mount, and `locks` then carry what it must keep.
bool is_visible_already(const MountNamespace& ns, std::string_view type, uint64_t flags, uint32_t& locks);
// /proc/PID/mounts and mountinfo of a task in `ns` with this root.
void describe_mounts(const MountNamespace& ns, const Path& root, TextSink& out, bool mountinfo);

}  // namespace runsc::fs
