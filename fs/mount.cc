#include "fs/mount_tree.h"

#include "kernel/base/check.h"

namespace runsc::fs {

constinit Mutex g_mount_tree_lock{LockRank::mount_tree};

namespace {

constinit std::atomic<uint32_t> next_mount_id{20}, live_mounts{0};

}  // namespace

Mount::Mount(Ref<SuperBlock> super, Ref<Dentry> root, uint64_t flags, String source)
    : hold_(std::move(super)),
      root_(std::move(root)),
      id_(next_mount_id.fetch_add(1, std::memory_order_relaxed)),
      flags_(flags),
      source_(std::move(source)) {
  live_mounts.fetch_add(1, std::memory_order_relaxed);
}

Mount::~Mount() {
  MountTree::let_go(MountTree::unstick_children(*this));
  live_mounts.fetch_sub(1, std::memory_order_relaxed);
}

Result<Ref<Mount>> Mount::create(Ref<SuperBlock> super, Ref<Dentry> root, uint64_t flags,
                                 std::string_view source, MountRoom room) {
  const uint32_t most = kMaxLiveMounts - (room == MountRoom::unreserved ? kReservedMounts : 0);
  // Several at once may pass by a few: the limit is there to bound them, not to count them.
  if (live_mounts.load(std::memory_order_relaxed) >= most) return Errno::nospc;
  String owned = TRY(String::from(source));
  Ref<Mount> m =
      make_ref<Mount>(std::move(super), std::move(root),
                      flags & (kMsRdonly | kMsNosuid | kMsNodev | kMsNoexec | kMsNoatime), std::move(owned));
  if (!m) return Errno::nomem;
  return m;
}

constinit Mount* MountTree::first = nullptr;
constinit Mount* MountTree::last = nullptr;

Mount* MountTree::top_on(const Mount* mount, const Dentry& dentry) {
  if (!mount) return nullptr;
  const Mount::Children& children = mount->children_;
  for (auto it = children.rbegin(); it != children.rend(); ++it)
    if (it->mountpoint_.get() == &dentry) return const_cast<Mount*>(&*it);
  return nullptr;
}

void MountTree::attach(Mount& m, MountNamespace& ns, const Path& place) {
  if (place.dentry) dcache_keep(*place.dentry);
  LockGuard guard(names_lock());
  m.ns_ = &ns;
  m.parent_ = place.mount;
  m.mountpoint_ = place.dentry;
  if (place.dentry) place.dentry->mounts.fetch_add(1, std::memory_order_release);
  if (m.parent_) m.parent_->children_.push_back(m);
  m.ref();
  m.next_ = nullptr;
  m.prev_ = last;
  (last ? last->next_ : first) = &m;
  last = &m;
}

MountTree::Place MountTree::move(Mount& m, Place to) {
  if (to.mountpoint) dcache_keep(*to.mountpoint);
  LockGuard guard(names_lock());
  if (m.mountpoint_) m.mountpoint_->mounts.fetch_sub(1, std::memory_order_release);
  if (m.parent_) m.parent_->children_.erase(Mount::Children::s_iterator_to(m));
  std::swap(m.parent_, to.parent);
  std::swap(m.mountpoint_, to.mountpoint);
  if (m.mountpoint_) m.mountpoint_->mounts.fetch_add(1, std::memory_order_release);
  if (m.parent_) m.parent_->children_.push_back(m);
  return to;
}

Ref<Mount> mounted_on(const Mount* mount, const Dentry& dentry) {
  if (dentry.mounts.load(std::memory_order_acquire) == 0) return {};
  LockGuard guard(names_lock());
  Mount* m = MountTree::top_on(mount, dentry);
  return m ? Ref<Mount>(*m) : Ref<Mount>();
}

bool is_mount_point_here(const Mount& at, const Dentry& dentry) {
  if (dentry.mounts.load(std::memory_order_acquire) == 0) return false;
  LockGuard guard(names_lock());
  for (const Mount* m = MountTree::first; m; m = MountTree::next(*m))
    if (m->mountpoint_locked() == &dentry && m->ns_locked() == at.ns_locked()) return true;
  return false;
}

void detach_mounts_on(const Dentry& dentry) {
  if (dentry.mounts.load(std::memory_order_acquire) == 0) return;
  GoneMounts gone;
  LockGuard guard(g_mount_tree_lock);
  // From the leaves: the list is in order of mounting, but mounts can move.
  for (Mount* m = MountTree::last; m;) {
    const Mount* top = m;
    while (top && top->mountpoint_locked() != &dentry) top = top->parent_locked();
    bool is_leaf = true;  // but for what came off with it
    for (Mount& child : MountTree::children(*m)) is_leaf &= MountTree::ns(child) == nullptr;
    if (!top || !is_leaf) {
      m = MountTree::prev(*m);
      continue;
    }
    gone.take_off(*m, m->mountpoint_locked() != &dentry && MountTree::locked_in_place(*m));
    m = MountTree::last;
  }
}

Path mount_place(const Mount& mount) {
  Path p;
  LockGuard guard(names_lock());
  if (Mount* parent = mount.parent_locked())
    p.mount = Ref<Mount>(*parent);
  else if (Mount* held_by = MountTree::stuck_to(mount); held_by && held_by->try_ref())
    p.mount = Ref<Mount>::adopt(held_by);
  if (Dentry* d = p.mount ? mount.mountpoint_locked() : nullptr) p.dentry = Ref<Dentry>(*d);
  return p;
}

void enter_mounts(Path& path) {
  while (Ref<Mount> m = mounted_on(path.mount.get(), *path.dentry)) {
    path.dentry = Ref<Dentry>(m->root());
    path.mount = std::move(m);
  }
}

Path mount_root_path(const Ref<Mount>& mount) { return Path(mount, Ref<Dentry>(mount->root())); }

Result<Ref<MountNamespace>> MountNamespace::create() {
  Ref<MountNamespace> ns = make_ref<MountNamespace>();
  if (!ns) return Errno::nomem;
  return ns;
}

namespace {

// Copies for those with less privilege: what happens there must not show here.
void follow_only(Mount& m) REQUIRES(g_mount_tree_lock) {
  if (PeerGroup group = std::exchange(MountTree::group(m), 0)) MountTree::master(m) = group;
}

}  // namespace

Result<Ref<MountNamespace>> MountNamespace::clone(Path& root, Path& cwd, Ref<Namespace> owner) const {
  Ref<MountNamespace> ns = TRY(create());
  const bool other_owner = owner.get() != this->owner();
  const MountRoom room = room_of(owner.get());
  ns->set_owner(std::move(owner));
  Path new_root = root, new_cwd = cwd;  // what is replaced goes outside the lock
  LockGuard guard(g_mount_tree_lock);
  Vec<MountTwin> tree;
  MountTwin first;
  first.original = root_;
  first.mount = TRY(twin_of(*root_, root_->root(), room));
  MountTree::unbindable(*first.mount) = MountTree::unbindable(*root_);
  TRY(tree.push_back(std::move(first)));
  TRY(copy_below(tree, CopyFor::new_namespace, room));
  if (other_owner) {
    lock_tree(tree);
    MountTree::locks(*tree[0].mount) |= mount_lock::place;
    for (MountTwin& twin : tree) follow_only(*twin.mount);
  }
  for (size_t k = 0; k < tree.size(); ++k) {
    const MountTwin& twin = tree[k];
    MountTree::attach(*twin.mount, *ns, k == 0 ? Path() : Path(tree[twin.parent].mount, twin.mountpoint));
    if (twin.original == root.mount.get()) new_root.mount = twin.mount;
    if (twin.original == cwd.mount.get()) new_cwd.mount = twin.mount;
  }
  ns->root_ = tree[0].mount.get();
  std::swap(root, new_root);
  std::swap(cwd, new_cwd);
  return ns;
}

Path MountNamespace::root() const {
  Path path;
  {
    LockGuard guard(g_mount_tree_lock);
    if (!root_) return path;
    path = mount_root_path(Ref<Mount>(*root_));
  }
  enter_mounts(path);
  return path;
}

bool MountNamespace::contains(const Path& path) const {
  LockGuard guard(names_lock());
  return path.mount && path.mount->ns_locked() == this;
}

Inode& inode_of(const Path& path) { return *path.dentry->inode(); }

uint64_t mount_flags(const Path& path) {
  if (!path.mount) return 0;
  return path.mount->flags() | (path.mount->read_only() ? kMsRdonly : 0);
}

void follow_super(Mount& m) {
  for (Mount* other = MountTree::first; other; other = MountTree::next(*other)) {
    if (&other->super() != &m.super()) continue;
    MountTree::super_read_only(m).store(MountTree::super_read_only(*other).load());
    return;
  }
}

void set_read_only(const SuperBlock& super, bool read_only) {
  LockGuard guard(g_mount_tree_lock);
  for (Mount* m = MountTree::first; m; m = MountTree::next(*m))
    if (&m->super() == &super) MountTree::super_read_only(*m).store(read_only);
}

Result<Ref<Mount>> mount_root(MountNamespace& ns, Ref<SuperBlock> super, uint64_t flags,
                              std::string_view source) {
  Ref<Inode> root_inode = super->root();
  if (!root_inode) return Errno::nomem;
  Ref<Dentry> root = TRY(Dentry::create({}, "", std::move(root_inode)));
  Ref<Mount> m = TRY(Mount::create(std::move(super), std::move(root), flags, source));
  LockGuard guard(g_mount_tree_lock);
  if (MountTree::root(ns)) return Errno::busy;
  MountTree::attach(*m, ns, {});
  MountTree::root(ns) = m.get();
  return m;
}

bool has_locked_children(Mount& m, Dentry& below) {
  for (Mount* child = MountTree::first; child; child = MountTree::next(*child))
    if (child->parent_locked() == &m && MountTree::locks(*child) & mount_lock::place &&
        is_below(*child->mountpoint_locked(), below))
      return true;
  return false;
}

namespace {

// Of whom the namespace is in which a place is.
MountRoom room_at(const Path& place) {
  LockGuard guard(names_lock());
  const MountNamespace* ns = place.mount ? place.mount->ns_locked() : nullptr;
  return ns ? room_of(ns->owner()) : MountRoom::unreserved;
}

// Where a mount with this root would come to stand on `target`: EINVAL, ENOENT, ENOTDIR.
Result<Path> place_for(const Path& target, Dentry& root) REQUIRES(g_mount_tree_lock) {
  Path place = target;
  enter_mounts(place);
  if (!place.mount || !MountTree::ns(*place.mount)) return Errno::inval;
  if (root.inode()->is_dir() != inode_of(place).is_dir()) return Errno::notdir;
  if (place.dentry->removed()) return Errno::noent;
  return place;
}

Result<Vec<MountTwin>> single(Mount* original, Ref<Mount> m) {
  Vec<MountTwin> tree;
  MountTwin root;
  root.original = original;
  root.mount = std::move(m);
  TRY(tree.push_back(std::move(root)));
  return tree;
}

}  // namespace

Result<void> mount_on(const Path& target, Ref<SuperBlock> super, Ref<Inode> root_inode, uint64_t flags,
                      std::string_view source, uint32_t locks) {
  if (!root_inode) return Errno::nomem;
  MountHold hold(super);  // if the mount fails, the root goes
  Ref<Dentry> root = super->root_dentry();
  if (!root) root = TRY(Dentry::create({}, "", std::move(root_inode)));
  Ref<Mount> m = TRY(Mount::create(std::move(super), std::move(root), flags, source, room_at(target)));
  Vec<MountTwin> tree = TRY(single(nullptr, m));
  LockGuard guard(g_mount_tree_lock);
  MountTree::locks(*m) = locks;
  follow_super(*m);
  Path place = TRY(place_for(target, m->root()));
  return graft(tree, place);
}

Result<void> bind_mount(const Path& source, const Path& target, uint64_t flags, bool recursive) {
  // What is in no tree: files of namespaces alone may be bound.
  Ref<Mount> nsfs;
  if (!source.mount) {
    SuperBlock& super = inode_of(source).super();
    if (super.type_name() != kNsfs) return Errno::inval;
    nsfs = TRY(Mount::create(Ref<SuperBlock>(super), source.dentry, 0, kNsfs, room_at(target)));
  }
  LockGuard guard(g_mount_tree_lock);
  if (nsfs) {
    Path place = TRY(place_for(target, *source.dentry));
    Vec<MountTwin> tree = TRY(single(nullptr, nsfs));
    return graft(tree, place);
  }
  if (MountTree::unbindable(*source.mount)) return Errno::inval;
  Path place = TRY(place_for(target, *source.dentry));
  if (MountTree::ns(*source.mount) != MountTree::ns(*place.mount)) return Errno::inval;
  const MountRoom room = room_of(MountTree::ns(*place.mount)->owner());
  Ref<Mount> m = TRY(twin_of(*source.mount, *source.dentry, room));
  m->set_flags(flags);
  if (!recursive && has_locked_children(*source.mount, *source.dentry)) return Errno::inval;
  MountTree::locks(*m) &= ~mount_lock::place;
  Vec<MountTwin> tree = TRY(single(source.mount.get(), std::move(m)));
  if (recursive) TRY(copy_below(tree, CopyFor::bind, room));
  return graft(tree, place);
}

Result<void> pivot_root(const Path& root, const Path& new_root, const Path& put_old) {
  LockGuard guard(g_mount_tree_lock);
  if (!root.mount || !new_root.mount || !put_old.mount) return Errno::inval;
  Path place = put_old;
  enter_mounts(place);
  Mount &old = *root.mount, &fresh = *new_root.mount;
  if (is_shared(place.mount.get()) || is_shared(fresh.parent_locked()) || is_shared(old.parent_locked()))
    return Errno::inval;
  MountNamespace* ns = MountTree::ns(old);
  if (!ns || MountTree::ns(fresh) != ns || MountTree::ns(*place.mount) != ns) return Errno::inval;
  if (new_root.dentry->removed()) return Errno::noent;
  if (&fresh == &old || place.mount.get() == &old) return Errno::busy;
  if (!is_mount_root(root) || !is_mount_root(new_root) || !fresh.parent_locked()) return Errno::inval;
  if (MountTree::locks(fresh) & mount_lock::place) return Errno::inval;
  if (!MountTree::stands_below(place.mount.get(), fresh) || !MountTree::stands_below(&fresh, old))
    return Errno::inval;
  MountTree::Place above;  // where the old root stands, if it is not that of the tree
  if (Mount* parent = old.parent_locked()) {
    above.parent = Ref<Mount>(*parent);
    above.mountpoint = Ref<Dentry>(*old.mountpoint_locked());
  } else {
    MountTree::root(*ns) = &fresh;
  }
  MountTree::Place was_fresh = MountTree::move(fresh, std::move(above));
  MountTree::Place was_old = MountTree::move(old, {place.mount, place.dentry});
  // The new root may not be taken off where the old one might not.
  MountTree::locks(fresh) |= MountTree::locks(old) & mount_lock::place;
  MountTree::locks(old) &= ~mount_lock::place;
  return {};
}

bool may_change_flags(Mount& m, uint64_t flags) {
  const uint32_t locks = MountTree::locks(m);
  if (locks & mount_lock::rdonly && !(flags & kMsRdonly)) return false;
  if (locks & mount_lock::nosuid && !(flags & kMsNosuid)) return false;
  if (locks & mount_lock::nodev && !(flags & kMsNodev)) return false;
  if (locks & mount_lock::noexec && !(flags & kMsNoexec)) return false;
  return !(locks & mount_lock::atime) || !((flags ^ m.flags()) & kMsNoatime);
}

namespace {

// What stands on it covers no more than empty directories of the file system itself.
bool shows_all(Mount& m) REQUIRES(g_mount_tree_lock) {
  for (Mount* child = MountTree::first; child; child = MountTree::next(*child))
    if (child->parent_locked() == &m && MountTree::locks(*child) & mount_lock::place &&
        !child->mountpoint_locked()->inode()->is_always_empty())
      return false;
  return true;
}

}  // namespace

bool is_visible_already(const MountNamespace& ns, std::string_view type, uint64_t flags, uint32_t& locks) {
  LockGuard guard(g_mount_tree_lock);
  for (Mount* m = MountTree::first; m; m = MountTree::next(*m)) {
    if (MountTree::ns(*m) != &ns || m->super().type_name() != type) continue;
    if (m->root().inode() != m->super().root().get()) continue;
    const uint32_t kept = MountTree::locks(*m);
    if (kept & mount_lock::rdonly && !(flags & kMsRdonly)) continue;
    if (kept & mount_lock::atime && (flags ^ m->flags()) & kMsNoatime) continue;
    if (!shows_all(*m)) continue;
    locks = kept & (mount_lock::rdonly | mount_lock::atime);
    return true;
  }
  return false;
}

Result<void> remount(const Path& target, uint64_t flags, bool whole_super) {
  LockGuard guard(g_mount_tree_lock);
  if (!target.mount || target.dentry.get() != &target.mount->root()) return Errno::inval;
  if (!may_change_flags(*target.mount, flags)) return Errno::perm;
  if (whole_super) TRY(target.mount->super().remount(flags, {}));
  target.mount->set_flags(flags & (kMsRdonly | kMsNosuid | kMsNodev | kMsNoexec | kMsNoatime));
  return {};
}

}  // namespace runsc::fs
