// Mounts that only a descriptor leads to, mounts that move, and mounts that change (mount(2), open_tree(2),
// move_mount(2), mount_setattr(2)).
#include "fs/mount_tree.h"

namespace runsc::fs {

namespace {

// The root of what only a descriptor leads to.
bool is_detached_root(const Mount& m) REQUIRES(g_mount_tree_lock) {
  const MountNamespace* ns = MountTree::ns(m);
  return ns && ns->is_detached() && !m.parent_locked();
}

DetachedMount hold(Ref<MountNamespace> ns, const Ref<Mount>& root) {
  return {std::move(ns), mount_root_path(root)};
}

}  // namespace

bool is_namespace_loop(const MountNamespace& ns, Inode& inode) {
  const Namespace* held = mount_namespace_of(inode);
  return held && held->inode_number() <= ns.inode_number();
}

Result<Ref<MountNamespace>> MountNamespace::create_detached() const {
  Ref<MountNamespace> ns = TRY(create());
  if (Namespace* whose = owner()) ns->set_owner(Ref<Namespace>(*whose));
  ns->detached_ = true;
  return ns;
}

void MountTree::hand_over(MountNamespace& from, MountNamespace& to) {
  LockGuard guard(names_lock());
  for (Mount* m = first; m; m = m->next_)
    if (m->ns_ == &from) m->ns_ = &to;
  from.root_ = nullptr;
}

Result<DetachedMount> copy_detached(const MountNamespace& ns, const Path& source, bool recursive) {
  Ref<MountNamespace> holder = TRY(ns.create_detached());
  const MountRoom room = room_of(ns.owner());
  LockGuard guard(g_mount_tree_lock);
  if (!source.mount || MountTree::unbindable(*source.mount) || MountTree::ns(*source.mount) != &ns)
    return Errno::inval;
  if (!recursive && has_locked_children(*source.mount, *source.dentry)) return Errno::inval;
  Vec<MountTwin> tree;
  MountTwin first;
  first.original = source.mount.get();
  first.mount = TRY(twin_of(*source.mount, *source.dentry, room));
  MountTree::locks(*first.mount) &= ~mount_lock::place;
  TRY(tree.push_back(std::move(first)));
  if (recursive) TRY(copy_below(tree, CopyFor::bind, room));
  for (size_t k = 0; k < tree.size(); ++k)
    MountTree::attach(*tree[k].mount, *holder,
                      k == 0 ? Path() : Path(tree[tree[k].parent].mount, tree[k].mountpoint));
  MountTree::root(*holder) = tree[0].mount.get();
  return hold(std::move(holder), tree[0].mount);
}

Result<DetachedMount> mount_detached(const MountNamespace& ns, Ref<SuperBlock> super, uint64_t flags,
                                     std::string_view source, uint32_t locks) {
  Ref<MountNamespace> holder = TRY(ns.create_detached());
  Ref<Dentry> root = super->root_dentry();
  if (!root) {
    Ref<Inode> inode = super->root();
    if (!inode) return Errno::nomem;
    root = TRY(Dentry::create({}, "", std::move(inode)));
  }
  Ref<Mount> m = TRY(Mount::create(std::move(super), std::move(root), flags, source, room_of(ns.owner())));
  LockGuard guard(g_mount_tree_lock);
  MountTree::locks(*m) = locks;
  follow_super(*m);
  MountTree::attach(*m, *holder, {});
  MountTree::root(*holder) = m.get();
  return hold(std::move(holder), m);
}

Result<void> move_mount(const MountNamespace& ns, const Path& source, const Path& target) {
  LockGuard guard(g_mount_tree_lock);
  Path place = target;
  enter_mounts(place);
  if (!place.mount || MountTree::ns(*place.mount) != &ns || !is_mount_root(source)) return Errno::inval;
  Mount& m = *source.mount;
  MountNamespace* from = MountTree::ns(m);
  const bool detached = is_detached_root(m);
  if (!detached && (from != &ns || !m.parent_locked())) return Errno::inval;
  if (MountTree::locks(m) & mount_lock::place) return Errno::inval;
  if (inode_of(source).is_dir() != inode_of(place).is_dir()) return Errno::inval;
  if (is_shared(m.parent_locked())) return Errno::inval;
  if (is_shared(place.mount.get()))
    for (Mount* other = MountTree::first; other; other = MountTree::next(*other))
      if (MountTree::unbindable(*other) && MountTree::stands_below(other, m)) return Errno::inval;
  for (Mount* other = MountTree::first; other; other = MountTree::next(*other))
    if (MountTree::stands_below(other, m) && is_namespace_loop(ns, *other->root().inode()))
      return Errno::loop;
  if (MountTree::stands_below(place.mount.get(), m)) return Errno::loop;
  if (place.dentry->removed()) return Errno::noent;
  TRY(graft_moved(m, place));
  if (detached) MountTree::hand_over(*from, *MountTree::ns(*place.mount));
  return {};
}

Result<void> change_mount(const MountNamespace& ns, const Path& root, const MountChange& change,
                          bool recursive) {
  LockGuard guard(g_mount_tree_lock);
  if (!is_mount_root(root)) return Errno::inval;
  Mount& m = *root.mount;
  const MountNamespace* in = MountTree::ns(m);
  if (!in || (in != &ns && !is_detached_root(m))) return Errno::inval;
  const auto meant = [&](Mount& other) {
    return &other == &m || (recursive && MountTree::stands_below(&other, m));
  };
  const auto changed = [&](const Mount& other) { return (other.flags() & ~change.clear) | change.set; };
  for (Mount* other = MountTree::first; other; other = MountTree::next(*other))
    if (meant(*other) && !may_change_flags(*other, changed(*other))) return Errno::perm;
  for (Mount* other = MountTree::first; other; other = MountTree::next(*other)) {
    if (!meant(*other)) continue;
    other->set_flags(changed(*other));
    if (change.propagates) change_propagation(*other, change.propagation);
  }
  return {};
}

}  // namespace runsc::fs
