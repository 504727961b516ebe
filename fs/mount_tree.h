// The insides of the trees of mounts, for fs/mount*.cc.
#pragma once

#include "fs/mount.h"
#include "fs/namespace_inode.h"

namespace runsc::fs {

// One change of the trees at a time.
extern Mutex g_mount_tree_lock;

// The mounts in the trees; the list holds a count of each. Changed under g_mount_tree_lock and names_lock(),
// read under either.
struct MountTree {
  static Mount *first, *last;
  static Mount* next(const Mount& m) { return m.next_; }
  static Mount* prev(const Mount& m) { return m.prev_; }

  static MountNamespace* ns(const Mount& m) { return m.ns_; }
  static PeerGroup& group(Mount& m) { return m.group_; }
  static PeerGroup& master(Mount& m) { return m.master_; }
  static bool& unbindable(Mount& m) { return m.unbindable_; }
  static uint32_t& locks(Mount& m) { return m.locks_; }
  static Mount* stuck_to(const Mount& m) { return m.stuck_to_; }
  // What stuck to a mount that dies, to be let go of.
  static Mount* unstick_children(Mount& m);
  static bool locked_in_place(const Mount& m) { return m.locks_ & mount_lock::place; }
  using Fate = Mount::Fate;
  static Fate& fate(Mount& m) { return m.fate_; }
  static std::atomic<bool>& super_read_only(Mount& m) { return m.super_read_only_; }
  // All of `from` goes over to `to`.
  static void hand_over(MountNamespace& from, MountNamespace& to) REQUIRES(g_mount_tree_lock);
  static Mount*& root(MountNamespace& ns) { return ns.root_; }
  static Mount* root(const MountNamespace& ns) { return ns.root_; }

  static Mount* top_on(const Mount* mount, const Dentry& dentry);
  static Mount::Children& children(Mount& m) { return m.children_; }
  static bool has_children(const Mount& m) { return !m.children_.empty(); }
  // `place` empty: the root of the tree.
  static void attach(Mount& m, MountNamespace& ns, const Path& place);
  // What a mount held of its place: dropped by the caller, outside the lock.
  struct Place {
    Ref<Mount> parent;
    Ref<Dentry> mountpoint;
  };
  static Place move(Mount& m, Place to);
  // Off its tree and out of its peer group, to be let go of: that takes a call of let_go() with what is
  // collected in `gone`. `stuck`: it stays on its parent, which comes off as well.
  static void detach(Mount& m, bool stuck, Mount*& gone) REQUIRES(g_mount_tree_lock);
  // Drops the counts of mounts that came off, one after the other, whatever goes with them: other namespaces
  // and their mounts, perhaps. By whichever task is at it already.
  static void let_go(Mount* gone);
  static bool stands_below(const Mount* m, const Mount& ancestor) {
    for (; m; m = m->parent_.get())
      if (m == &ancestor) return true;
    return false;
  }
};

// Mounts that have come off. Declared before the lock is taken, it lets go of them after that is given back.
class GoneMounts {
 public:
  GoneMounts() = default;
  GoneMounts(const GoneMounts&) = delete;
  ~GoneMounts() { MountTree::let_go(first_); }
  void take_off(Mount& m, bool stuck) REQUIRES(g_mount_tree_lock) { MountTree::detach(m, stuck, first_); }

 private:
  Mount* first_ = nullptr;
};

inline bool is_mount_root(const Path& path) { return path.mount && path.dentry.get() == &path.mount->root(); }
inline bool is_shared(Mount* m) REQUIRES(g_mount_tree_lock) { return m && MountTree::group(*m) != 0; }
// What may live in a namespace of this owner.
inline MountRoom room_of(const Namespace* owner) { return owner ? MountRoom::unreserved : MountRoom::whole; }
// A new mount of a file system that is mounted elsewhere already is read-only where those are.
void follow_super(Mount& m) REQUIRES(g_mount_tree_lock);

// Whether a mount's flags may become these.
bool may_change_flags(Mount& m, uint64_t flags) REQUIRES(g_mount_tree_lock);
// Whether something locked stands on it below a place.
bool has_locked_children(Mount& m, Dentry& below) REQUIRES(g_mount_tree_lock);
void change_propagation(Mount& m, Propagation type) REQUIRES(g_mount_tree_lock);

// Copies of mounts that hang together, in no tree yet: the first is the root.
struct MountTwin {
  Mount* original;
  Ref<Mount> mount;
  size_t parent = 0;  // its place among the copies; of the first: none
  Ref<Dentry> mountpoint;
};
enum class CopyFor : uint8_t { bind, new_namespace };
// A twin of `m` that shows `root`: peer and slave of the same. ENOMEM, ENOSPC.
Result<Ref<Mount>> twin_of(Mount& m, Dentry& root, MountRoom room) REQUIRES(g_mount_tree_lock);
// Locks a tree of copies in all that they are, and but for its root in their places.
void lock_tree(Vec<MountTwin>& tree) REQUIRES(g_mount_tree_lock);
// Adds to `tree`, which has its root, what is mounted below that root's original: to bind it without what is
// unbindable (EPERM: what that covers would be seen), for a new namespace without files of mount namespaces.
// ENOMEM, ENOSPC.
Result<void> copy_below(Vec<MountTwin>& tree, CopyFor purpose, MountRoom room) REQUIRES(g_mount_tree_lock);
// Attaches the tree at `place` and copies of it where that propagates to. ENOMEM, ENOSPC; EINVAL: a file of a
// mount namespace does not propagate. Nothing was done then.
Result<void> graft(Vec<MountTwin>& tree, const Path& place) REQUIRES(g_mount_tree_lock);
// A mount that stands elsewhere goes to `place` with all below it. As graft().
Result<void> graft_moved(Mount& m, const Path& place) REQUIRES(g_mount_tree_lock);
// The mounts that came to other places by propagation when `m` came to its own. ENOMEM.
Result<void> propagated_from(Mount& m, Vec<Ref<Mount>>& out) REQUIRES(g_mount_tree_lock);
// Neither peer nor master of anybody any more: slaves go to its peers, else to its own master.
void leave_group(Mount& m) REQUIRES(g_mount_tree_lock);

}  // namespace runsc::fs
