#include "fs/mount.h"

#include "kernel/base/check.h"

namespace runsc::fs {

namespace {

constinit std::atomic<uint32_t> next_mount_id{20};
// One change of the tree at a time.
constinit Mutex tree_lock{LockRank::mount_tree};
constinit Mount* tree_root = nullptr;  // a count is held

}  // namespace

Mount::Mount(Ref<SuperBlock> super, Ref<Dentry> root, uint64_t flags, String source)
    : hold_(std::move(super)),
      root_(std::move(root)),
      id_(next_mount_id.fetch_add(1, std::memory_order_relaxed)),
      flags_(flags),
      source_(std::move(source)) {}

Result<Ref<Mount>> Mount::create(Ref<SuperBlock> super, Ref<Dentry> root, uint64_t flags,
                                 std::string_view source) {
  String owned = TRY(String::from(source));
  Ref<Mount> m =
      make_ref<Mount>(std::move(super), std::move(root),
                      flags & (kMsRdonly | kMsNosuid | kMsNodev | kMsNoexec | kMsNoatime), std::move(owned));
  if (!m) return Errno::nomem;
  return m;
}

// The mounts in the tree; the list holds a count of each. Changed under tree_lock and names_lock(), read
// under either.
struct MountTree {
  static Mount *first, *last;
  static Mount* next(const Mount& m) { return m.next_; }
  static Mount* prev(const Mount& m) { return m.prev_; }

  static Mount* top_on(const Mount* mount, const Dentry& dentry) {
    for (Mount* m = last; m; m = m->prev_)
      if (m->parent_.get() == mount && m->mountpoint_.get() == &dentry) return m;
    return nullptr;
  }
  static bool has_children(const Mount& m) {
    for (Mount* other = first; other; other = other->next_)
      if (other->parent_.get() == &m) return true;
    return false;
  }
  static void link(Mount& m) REQUIRES(names_lock()) {
    m.ref();
    m.next_ = nullptr;
    m.prev_ = last;
    (last ? last->next_ : first) = &m;
    last = &m;
  }
  static void attach(Mount& m, const Path& place) {
    LockGuard guard(names_lock());
    m.parent_ = place.mount;
    m.mountpoint_ = place.dentry;
    if (place.dentry) place.dentry->mounts.fetch_add(1, std::memory_order_release);
    link(m);
  }
  // What a mount held of its place: dropped by the caller, outside the lock.
  struct Place {
    Ref<Mount> parent;
    Ref<Dentry> mountpoint;
  };
  static Place move(Mount& m, Place to) {
    LockGuard guard(names_lock());
    if (m.mountpoint_) m.mountpoint_->mounts.fetch_sub(1, std::memory_order_release);
    std::swap(m.parent_, to.parent);
    std::swap(m.mountpoint_, to.mountpoint);
    if (m.mountpoint_) m.mountpoint_->mounts.fetch_add(1, std::memory_order_release);
    return to;
  }
  static void detach(Mount& m) {
    Place old = move(m, {});
    {
      LockGuard guard(names_lock());
      (m.prev_ ? m.prev_->next_ : first) = m.next_;
      (m.next_ ? m.next_->prev_ : last) = m.prev_;
    }
    m.unref();
  }
  static bool stands_below(const Mount* m, const Mount& ancestor) {
    for (; m; m = m->parent_.get())
      if (m == &ancestor) return true;
    return false;
  }
};
constinit Mount* MountTree::first = nullptr;
constinit Mount* MountTree::last = nullptr;

Ref<Mount> mounted_on(const Mount* mount, const Dentry& dentry) {
  if (dentry.mounts.load(std::memory_order_acquire) == 0) return {};
  LockGuard guard(names_lock());
  Mount* m = MountTree::top_on(mount, dentry);
  return m ? Ref<Mount>(*m) : Ref<Mount>();
}

Path mount_place(const Mount& mount) {
  Path p;
  LockGuard guard(names_lock());
  if (Mount* parent = mount.parent_locked()) p.mount = Ref<Mount>(*parent);
  if (Dentry* d = mount.mountpoint_locked()) p.dentry = Ref<Dentry>(*d);
  return p;
}

void enter_mounts(Path& path) {
  while (Ref<Mount> m = mounted_on(path.mount.get(), *path.dentry)) {
    path.dentry = Ref<Dentry>(m->root());
    path.mount = std::move(m);
  }
}

Path mount_root_path(const Ref<Mount>& mount) { return Path(mount, Ref<Dentry>(mount->root())); }

Path tree_root_path() {
  LockGuard guard(tree_lock);
  if (!tree_root) return {};
  return mount_root_path(Ref<Mount>(*tree_root));
}

Inode& inode_of(const Path& path) { return *path.dentry->inode(); }

uint64_t mount_flags(const Path& path) { return path.mount ? path.mount->flags() : 0; }

Result<Ref<Mount>> mount_root(Ref<SuperBlock> super, uint64_t flags, std::string_view source) {
  Ref<Inode> root_inode = super->root();
  if (!root_inode) return Errno::nomem;
  Ref<Dentry> root = TRY(Dentry::create({}, "", std::move(root_inode)));
  Ref<Mount> m = TRY(Mount::create(std::move(super), std::move(root), flags, source));
  LockGuard guard(tree_lock);
  if (tree_root) return Errno::busy;
  MountTree::attach(*m, {});
  m->ref();
  tree_root = m.get();
  return m;
}

namespace {

Result<void> attach_at(const Path& target, Mount& m) {
  LockGuard guard(tree_lock);
  Path place = target;
  enter_mounts(place);
  if (m.root().inode()->is_dir() != inode_of(place).is_dir())
    return inode_of(place).is_dir() ? Errno::isdir : Errno::notdir;
  if (place.dentry->removed()) return Errno::noent;
  MountTree::attach(m, place);
  return {};
}

// Copies the mounts below source.dentry (not source.mount itself) onto `copy`, whose root is source.dentry.
Result<void> copy_children(const Path& source, Mount& copy) REQUIRES(tree_lock) {
  struct Pair {
    Mount *from, *to;
  };
  Vec<Pair> done;
  TRY(done.push_back({source.mount.get(), &copy}));
  Mount* end = MountTree::last;  // what is added below is not visited
  for (Mount* m = MountTree::first; m; m = MountTree::next(*m)) {
    Mount* parent = m->parent_locked();
    for (size_t i = 0; i < done.size(); ++i) {
      if (parent != done[i].from || m == &copy) continue;
      if (i == 0 && !is_below(*m->mountpoint_locked(), *source.dentry)) break;
      Ref<Mount> twin =
          TRY(Mount::create(Ref<SuperBlock>(m->super()), Ref<Dentry>(m->root()), m->flags(), m->source()));
      MountTree::attach(*twin, Path(Ref<Mount>(*done[i].to), Ref<Dentry>(*m->mountpoint_locked())));
      TRY(done.push_back({m, twin.get()}));
      break;
    }
    if (m == end) break;
  }
  return {};
}

}  // namespace

Result<void> mount_on(const Path& target, Ref<SuperBlock> super, Ref<Inode> root_inode, uint64_t flags,
                      std::string_view source) {
  if (!root_inode) return Errno::nomem;
  MountHold hold(super);  // if the mount fails, the root goes
  Ref<Dentry> root = super->root_dentry();
  if (!root) root = TRY(Dentry::create({}, "", std::move(root_inode)));
  Ref<Mount> m = TRY(Mount::create(std::move(super), std::move(root), flags, source));
  return attach_at(target, *m);
}

Result<void> bind_mount(const Path& source, const Path& target, uint64_t flags, bool recursive) {
  if (!source.mount) return Errno::inval;
  Ref<Mount> m = TRY(
      Mount::create(Ref<SuperBlock>(source.mount->super()), source.dentry, flags, source.mount->source()));
  TRY(attach_at(target, *m));
  if (!recursive) return {};
  LockGuard guard(tree_lock);
  return copy_children(source, *m);
}

Result<void> unmount(const Path& target, uint32_t flags) {
  constexpr uint32_t kDetach = 2, kExpire = 4, kKnown = 15;
  if (flags & ~kKnown) return Errno::inval;
  if (flags & kExpire) return Errno::again;  // the first call only marks; nothing is unused long enough here
  LockGuard guard(tree_lock);
  if (!target.mount || target.dentry.get() != &target.mount->root()) return Errno::inval;
  Mount& m = *target.mount;
  if (&m == tree_root || !m.parent_locked()) return Errno::inval;
  if (!(flags & kDetach)) {
    // The list and `target` count; anybody else uses it.
    if (MountTree::has_children(m) || m.ref_count() > 2) return Errno::busy;
    MountTree::detach(m);
    return {};
  }
  // Everything below goes, too.
  for (bool again = true; again;) {
    again = false;
    for (Mount* other = MountTree::last; other; other = MountTree::prev(*other)) {
      if (other == &m || !MountTree::stands_below(other, m)) continue;
      MountTree::detach(*other);
      again = true;
      break;
    }
  }
  MountTree::detach(m);
  return {};
}

Result<void> pivot_root(const Path& new_root, const Path& put_old) {
  LockGuard guard(tree_lock);
  if (!tree_root || !new_root.mount || new_root.dentry.get() != &new_root.mount->root()) return Errno::inval;
  if (new_root.mount.get() == tree_root) return Errno::busy;
  if (!MountTree::stands_below(put_old.mount.get(), *new_root.mount)) return Errno::inval;
  if (put_old.mount.get() == tree_root) return Errno::busy;
  Mount& fresh = *new_root.mount;
  Mount& old = *tree_root;
  MountTree::Place was_fresh = MountTree::move(fresh, {});
  MountTree::Place was_old = MountTree::move(old, {put_old.mount, put_old.dentry});
  fresh.ref();
  tree_root = &fresh;
  old.unref();
  return {};
}

Result<void> remount(const Path& target, uint64_t flags, bool whole_super) {
  LockGuard guard(tree_lock);
  if (!target.mount || target.dentry.get() != &target.mount->root()) return Errno::inval;
  if (whole_super) TRY(target.mount->super().remount(flags, {}));
  target.mount->set_flags(flags & (kMsRdonly | kMsNosuid | kMsNodev | kMsNoexec | kMsNoatime));
  return {};
}

Result<void> move_mount(const Path& source, const Path& target) {
  LockGuard guard(tree_lock);
  if (!source.mount || source.dentry.get() != &source.mount->root() || !source.mount->parent_locked())
    return Errno::inval;
  Path place = target;
  enter_mounts(place);
  if (MountTree::stands_below(place.mount.get(), *source.mount)) return Errno::loop;
  if (inode_of(source).is_dir() != inode_of(place).is_dir()) return Errno::notdir;
  MountTree::Place old = MountTree::move(*source.mount, {place.mount, place.dentry});
  return {};
}

namespace {

void write_escaped(TextSink& out, std::string_view text) {
  for (char c : text) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\\')
      format(out, "\\{:03o}", static_cast<uint32_t>(static_cast<unsigned char>(c)));
    else
      out.write({&c, 1});
  }
}

void write_flags(TextSink& out, uint64_t flags) {
  out.write(flags & kMsRdonly ? "ro" : "rw");
  if (flags & kMsNosuid) out.write(",nosuid");
  if (flags & kMsNodev) out.write(",nodev");
  if (flags & kMsNoexec) out.write(",noexec");
  out.write(flags & kMsNoatime ? ",noatime" : ",relatime");
}

void describe_mount(const Mount& m, std::string_view place, std::string_view inner_root, TextSink& out,
                    bool mountinfo) {
  std::string_view type = m.super().type_name();
  std::string_view source = m.source().empty() ? type : m.source();
  if (mountinfo) {
    uint64_t dev = m.super().dev();
    Mount* parent = m.parent_locked();
    format(out, "{} {} 0:{} ", m.id(), parent ? parent->id() : 1u, (dev & 0xff) | (dev >> 12 & 0xfff00));
    write_escaped(out, inner_root);
    out.write(" ");
    write_escaped(out, place);
    out.write(" ");
    write_flags(out, m.flags());
    format(out, " - {} ", type);
    write_escaped(out, source);
    out.write(m.read_only() ? " ro" : " rw");
    m.super().show_options(out);
    out.write("\n");
    return;
  }
  write_escaped(out, source);
  out.write(" ");
  write_escaped(out, place);
  format(out, " {} ", type);
  write_flags(out, m.flags());
  m.super().show_options(out);
  out.write(" 0 0\n");
}

}  // namespace

void describe_mounts(const Path& root, TextSink& out, bool mountinfo) {
  LockGuard guard(tree_lock);
  for (Mount* m = MountTree::first; m; m = MountTree::next(*m)) {
    Path at = mount_root_path(Ref<Mount>(*m));
    Result<String> place = path_name(at, root);
    if (!place || place->view().starts_with("(unreachable)")) continue;
    // The part of the file system that is mounted, from the file system's own root.
    Result<String> inner = path_name(Path({}, Ref<Dentry>(m->root())), {});
    describe_mount(*m, place->view(), inner ? inner->view() : std::string_view("/"), out, mountinfo);
  }
}

}  // namespace runsc::fs
