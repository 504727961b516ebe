// How mounts propagate: peers and slaves (mount_namespaces(7)).
#include "fs/mount_tree.h"

namespace runsc::fs {

namespace {

constinit PeerGroup g_last_group GUARDED_BY(g_mount_tree_lock) = 0;

PeerGroup new_group() REQUIRES(g_mount_tree_lock) { return ++g_last_group; }

// A peer group that an event reaches, and the groups that the copies on its mounts are in.
struct Step {
  PeerGroup group = 0;
  Vec<PeerGroup> groups, masters;  // by place in the tree that is copied
};

// Where an event on a mount of a group goes to: visit(mount, step, peer) for each mount, with `peer` false
// for slaves that are in no group of their own.
template <class Visit>
Result<void> propagate(Step origin, Visit&& visit) REQUIRES(g_mount_tree_lock) {
  Vec<Step> steps;
  const size_t copies = origin.groups.size();
  TRY(steps.push_back(std::move(origin)));
  for (size_t i = 0; i < steps.size(); ++i) {
    for (Mount* m = MountTree::first; m; m = MountTree::next(*m)) {
      if (MountTree::group(*m) == steps[i].group) TRY(visit(*m, steps[i], true));
      if (MountTree::master(*m) != steps[i].group) continue;
      if (MountTree::group(*m) == 0) {
        TRY(visit(*m, steps[i], false));
        continue;
      }
      bool known = false;
      for (const Step& s : steps) known |= s.group == MountTree::group(*m);
      if (known) continue;
      Step next;
      next.group = MountTree::group(*m);
      for (size_t k = 0; k < copies; ++k) {
        TRY(next.groups.push_back(new_group()));
        TRY(next.masters.push_back(steps[i].groups[k]));
      }
      TRY(steps.push_back(std::move(next)));
    }
  }
  return {};
}

struct Planned {
  Vec<MountTwin> tree;
  Path place;
};

// EINVAL: it is a file of a mount namespace. Those in it are left out, with what stands on them.
Result<Vec<MountTwin>> copy_tree(const Vec<MountTwin>& tree, const Step& step, bool peer, MountRoom room)
    REQUIRES(g_mount_tree_lock) {
  constexpr size_t kLeftOut = ~size_t{0};
  if (mount_namespace_of(*tree[0].mount->root().inode())) return Errno::inval;
  Vec<MountTwin> copy;
  Vec<size_t> places;  // in the copy
  TRY(copy.reserve(tree.size()));
  for (size_t k = 0; k < tree.size(); ++k) {
    const size_t parent = k == 0 ? 0 : places[tree[k].parent];
    const bool left_out = parent == kLeftOut || mount_namespace_of(*tree[k].mount->root().inode());
    TRY(places.push_back(left_out ? kLeftOut : copy.size()));
    if (left_out) continue;
    MountTwin twin;
    twin.original = tree[k].mount.get();
    twin.mount = TRY(twin_of(*tree[k].mount, tree[k].mount->root(), room));
    twin.parent = parent;
    twin.mountpoint = tree[k].mountpoint;
    MountTree::group(*twin.mount) = peer ? step.groups[k] : 0;
    MountTree::master(*twin.mount) = peer ? step.masters[k] : step.groups[k];
    if (k == 0) MountTree::locks(*twin.mount) &= ~mount_lock::place;
    TRY(copy.push_back(std::move(twin)));
  }
  return copy;
}

// What becomes of an event at `place`: the copies for all other places.
Result<Vec<Planned>> plan(const Vec<MountTwin>& tree, const Path& place) REQUIRES(g_mount_tree_lock) {
  Vec<Planned> planned;
  Step origin;
  origin.group = MountTree::group(*place.mount);
  if (origin.group == 0) return planned;
  for (const MountTwin& twin : tree) {
    // What is mounted on something shared is shared.
    MountTree::unbindable(*twin.mount) = false;
    if (MountTree::group(*twin.mount) == 0) MountTree::group(*twin.mount) = new_group();
    TRY(origin.groups.push_back(MountTree::group(*twin.mount)));
    TRY(origin.masters.push_back(MountTree::master(*twin.mount)));
  }
  const MountRoom room = room_of(MountTree::ns(*place.mount)->owner());
  Result<void> copied =
      propagate(std::move(origin),
                [&](Mount& m, const Step& step, bool peer) REQUIRES(g_mount_tree_lock) -> Result<void> {
                  if (&m == place.mount.get() || !is_below(*place.dentry, m.root())) return {};
                  Planned p;
                  p.tree = TRY(copy_tree(tree, step, peer, room));
                  if (MountTree::ns(m)->owner() != MountTree::ns(*place.mount)->owner()) lock_tree(p.tree);
                  p.place = Path(Ref<Mount>(m), place.dentry);
                  return planned.push_back(std::move(p));
                });
  if (!copied) return copied.error();
  return planned;
}

void attach_tree(const Vec<MountTwin>& tree, const Path& place) REQUIRES(g_mount_tree_lock) {
  MountNamespace& ns = *MountTree::ns(*place.mount);
  for (size_t k = 0; k < tree.size(); ++k)
    MountTree::attach(*tree[k].mount, ns,
                      k == 0 ? place : Path(tree[tree[k].parent].mount, tree[k].mountpoint));
}

// Under what stands at the place already.
void attach_propagated(const Planned& p) REQUIRES(g_mount_tree_lock) {
  Mount* above = MountTree::top_on(p.place.mount.get(), *p.place.dentry);
  attach_tree(p.tree, p.place);
  if (!above) return;
  const Ref<Mount>& root = p.tree[0].mount;
  (void)MountTree::move(*above, {root, Ref<Dentry>(root->root())});
}

bool is_in_use(PeerGroup group) REQUIRES(g_mount_tree_lock) {
  for (Mount* m = MountTree::first; m; m = MountTree::next(*m))
    if (MountTree::group(*m) == group) return true;
  return false;
}

void make_slave(Mount& m) REQUIRES(g_mount_tree_lock) {
  const PeerGroup group = MountTree::group(m);
  if (group == 0) return;
  leave_group(m);
  if (is_in_use(group)) MountTree::master(m) = group;
}

}  // namespace

void change_propagation(Mount& m, Propagation type) {
  switch (type) {
    case Propagation::shared:
      if (MountTree::group(m) == 0) MountTree::group(m) = new_group();
      MountTree::unbindable(m) = false;
      return;
    case Propagation::slave:
      make_slave(m);
      return;
    case Propagation::unshared:
    case Propagation::unbindable:
      leave_group(m);
      MountTree::master(m) = 0;
      MountTree::unbindable(m) = type == Propagation::unbindable;
      return;
  }
}

Result<Ref<Mount>> twin_of(Mount& m, Dentry& root, MountRoom room) {
  Ref<Mount> twin =
      TRY(Mount::create(Ref<SuperBlock>(m.super()), Ref<Dentry>(root), m.flags(), m.source(), room));
  MountTree::super_read_only(*twin).store(MountTree::super_read_only(m).load());
  MountTree::group(*twin) = MountTree::group(m);
  MountTree::master(*twin) = MountTree::master(m);
  MountTree::locks(*twin) = MountTree::locks(m);
  return twin;
}

void lock_tree(Vec<MountTwin>& tree) {
  bool root = true;
  for (MountTwin& twin : tree) {
    const uint64_t flags = twin.mount->flags();
    uint32_t locks = mount_lock::atime;
    if (flags & kMsRdonly) locks |= mount_lock::rdonly;
    if (flags & kMsNosuid) locks |= mount_lock::nosuid;
    if (flags & kMsNodev) locks |= mount_lock::nodev;
    if (flags & kMsNoexec) locks |= mount_lock::noexec;
    MountTree::locks(*twin.mount) = locks | (root ? 0 : mount_lock::place);
    root = false;
  }
}

Result<void> copy_below(Vec<MountTwin>& tree, CopyFor purpose, MountRoom room) {
  for (size_t i = 0; i < tree.size(); ++i) {
    for (Mount& m : MountTree::children(*tree[i].original)) {
      if (i == 0 && !is_below(*m.mountpoint_locked(), tree[0].mount->root())) continue;
      if (purpose == CopyFor::bind && MountTree::unbindable(m)) {
        if (MountTree::locked_in_place(m)) return Errno::perm;
        continue;
      }
      if (purpose == CopyFor::new_namespace && mount_namespace_of(*m.root().inode())) continue;
      MountTwin twin;
      twin.original = &m;
      twin.mount = TRY(twin_of(m, m.root(), room));
      MountTree::unbindable(*twin.mount) = MountTree::unbindable(m);
      twin.parent = i;
      twin.mountpoint = Ref<Dentry>(*m.mountpoint_locked());
      TRY(tree.push_back(std::move(twin)));
    }
  }
  return {};
}

Result<void> graft(Vec<MountTwin>& tree, const Path& place) {
  Vec<Planned> planned = TRY(plan(tree, place));
  attach_tree(tree, place);
  for (const Planned& p : planned) attach_propagated(p);
  return {};
}

Result<void> graft_moved(Mount& m, const Path& place) {
  Vec<MountTwin> tree;
  MountTwin root;
  root.original = &m;
  root.mount = Ref<Mount>(m);
  TRY(tree.push_back(std::move(root)));
  for (size_t i = 0; i < tree.size(); ++i)
    for (Mount& child : MountTree::children(*tree[i].mount)) {
      MountTwin twin;
      twin.original = &child;
      twin.mount = Ref<Mount>(child);
      twin.parent = i;
      twin.mountpoint = Ref<Dentry>(*child.mountpoint_locked());
      TRY(tree.push_back(std::move(twin)));
    }
  Vec<Planned> planned = TRY(plan(tree, place));
  (void)MountTree::move(m, {place.mount, place.dentry});
  for (const Planned& p : planned) attach_propagated(p);
  return {};
}

Result<void> propagated_from(Mount& m, Vec<Ref<Mount>>& out) {
  Mount* parent = m.parent_locked();
  if (!parent || MountTree::group(*parent) == 0) return {};
  Step origin;
  origin.group = MountTree::group(*parent);
  return propagate(std::move(origin), [&](Mount& at, const Step&, bool) -> Result<void> {
    if (&at == parent) return {};
    Mount* there = MountTree::top_on(&at, *m.mountpoint_locked());
    return there && there != &m ? out.push_back(Ref<Mount>(*there)) : Result<void>();
  });
}

void leave_group(Mount& m) {
  const PeerGroup group = std::exchange(MountTree::group(m), 0);
  if (group == 0 || is_in_use(group)) return;
  for (Mount* slave = MountTree::first; slave; slave = MountTree::next(*slave))
    if (MountTree::master(*slave) == group) MountTree::master(*slave) = MountTree::master(m);
}

Result<void> set_propagation(const Path& target, Propagation type, bool recursive) {
  LockGuard guard(g_mount_tree_lock);
  if (!target.mount || target.dentry.get() != &target.mount->root()) return Errno::inval;
  if (!recursive) {
    change_propagation(*target.mount, type);
    return {};
  }
  for (Mount* m = MountTree::first; m; m = MountTree::next(*m))
    if (MountTree::stands_below(m, *target.mount)) change_propagation(*m, type);
  return {};
}

}  // namespace runsc::fs
