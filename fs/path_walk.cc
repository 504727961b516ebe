#include "fs/path_walk.h"

namespace runsc::fs {

Result<Ref<Dentry>> lookup_child_locked(Dentry& directory, std::string_view name) {
  Inode& dir = *directory.inode();
  Ref<Dentry> known = dcache_find(directory, name);
  // A mount point stays what it is: what is mounted there must not come off because the name is asked again.
  if (known && (dir.super().cache_names() || known->mounts.load(std::memory_order_acquire) != 0))
    return known;
  Result<Ref<Inode>> found = dir.lookup(name);
  if (!found && found.error() != Errno::noent) return found.error();
  Inode* now = found ? found->get() : nullptr;
  if (now && !dir.super().cache_names()) now->found_in(dir, name);
  if (known) {
    if (known->inode() == now) return known;
    dcache_drop(*known, true);
  }
  // Nor is it kept that a transient directory has no such name: that would keep the directory.
  if (found ? now->transient() : dir.transient())
    return Dentry::create(Ref<Dentry>(directory), name, found ? std::move(*found) : Ref<Inode>());
  return dcache_add(directory, name, found ? std::move(*found) : Ref<Inode>());
}

Result<Ref<Dentry>> lookup_child(const Path& at, std::string_view name) {
  Inode& dir = inode_of(at);
  if (dir.super().cache_names())
    if (Ref<Dentry> d = dcache_find(*at.dentry, name)) return d;
  LockGuard guard(dir.lock);
  return lookup_child_locked(*at.dentry, name);
}

Result<Ref<Dentry>> lookup_cached(const Path& at, std::string_view name) {
  if (!inode_of(at).super().cache_names()) return Errno::again;
  if (Ref<Dentry> d = dcache_find(*at.dentry, name)) return d;
  return Errno::again;
}

Result<Ref<Dentry>> Walker::child(std::string_view name) const {
  return flags_ & kCachedOnly ? lookup_cached(at_, name) : lookup_child(at_, name);
}

Result<void> Walker::begin(const Path& start, std::string_view path) {
  if (path.empty()) return Errno::noent;
  if (path.size() >= kMaxPath) return Errno::nametoolong;
  root_ = flags_ & kInRoot ? start : context_.fs.root();
  start_ = start;
  at_ = start;
  kind_ = LastKind::root;
  TRY(levels_.push_back(Level{{}, path}));
  if (path[0] == '/') {
    if (flags_ & kBeneath) return Errno::xdev;
    TRY(restart_at_root());
  }
  if (!at_.dentry) return Errno::noent;
  return {};
}

Result<void> Walker::restart_at_root() {
  if ((flags_ & kNoXdev) && at_.mount.get() != root_.mount.get()) return Errno::xdev;
  at_ = root_;
  kind_ = LastKind::root;
  return {};
}

// Takes the next component off the innermost path into component_, with trailing_slash_ telling whether
// slashes followed it.
Result<bool> Walker::next_component() {
  while (!levels_.empty()) {
    std::string_view& rest = levels_.back().rest;
    size_t begin = rest.find_first_not_of('/');
    if (begin == std::string_view::npos) {
      // The owner of the text that component_ or last_ may still show lives until the next component.
      if (levels_.size() == 1) return false;
      levels_.pop_back();
      continue;
    }
    rest.remove_prefix(begin);
    size_t size = rest.find('/');
    if (size == std::string_view::npos) size = rest.size();
    if (size > kMaxName) return Errno::nametoolong;
    component_ = rest.substr(0, size);
    rest.remove_prefix(size);
    trailing_slash_ = !rest.empty();
    return true;
  }
  return false;
}

bool Walker::more_after() const {
  for (size_t i = levels_.size(); i-- > 0;)
    if (levels_[i].rest.find_first_not_of('/') != std::string_view::npos) return true;
  return false;
}

Result<void> Walker::to_parent() {
  for (;;) {
    if (!TRY(next_component())) return {};  // only slashes: the root, or what a link to "/" left
    if (!inode_of(at_).is_dir()) return Errno::notdir;
    kind_ = component_ == "." ? LastKind::dot : component_ == ".." ? LastKind::dotdot : LastKind::normal;
    if (!more_after()) {
      // A slash after an outer link counts, too: "link/" where link is a link to "name".
      for (size_t i = 0; i + 1 < levels_.size(); ++i) trailing_slash_ |= !levels_[i].rest.empty();
      last_ = component_;
      return {};
    }
    TRY(step());
  }
}

// Goes through component_, which is not the last.
Result<void> Walker::step() {
  TRY(check_access(context_.creds, at_, kExec));
  if (kind_ == LastKind::dot) return {};
  if (kind_ == LastKind::dotdot) return go_up();
  Ref<Dentry> next = TRY(child(component_));
  if (next->negative()) return Errno::noent;
  if (next->inode()->type() == kSymlink) {
    TRY(follow(next));
    jumped_ = false;
    return {};
  }
  TRY(descend(std::move(next)));
  if (!inode_of(at_).is_dir()) return Errno::notdir;
  return {};
}

Result<Ref<Dentry>> Walker::lookup_last() {
  TRY(check_access(context_.creds, at_, kExec));
  return child(last_);
}

Result<void> Walker::follow(const Ref<Dentry>& link) {
  if (++links_ > kMaxLinks || (flags_ & kNoSymlinks)) return Errno::loop;
  Path jump = TRY(link->inode()->follow_magic());
  if (jump) {
    if (flags_ & kNoMagicLinks) return Errno::loop;
    if (flags_ & (kBeneath | kInRoot)) return Errno::xdev;
    if ((flags_ & kNoXdev) && jump.mount.get() != at_.mount.get()) return Errno::xdev;
    at_ = std::move(jump);
    kind_ = LastKind::root;
    jumped_ = true;
    return {};
  }
  String target = TRY(link->inode()->read_link());
  if (target.empty()) return Errno::noent;
  std::string_view text = target.view();
  if (text[0] == '/') {
    if (flags_ & kBeneath) return Errno::xdev;
    TRY(restart_at_root());
  }
  kind_ = LastKind::root;
  TRY(levels_.push_back(Level{std::move(target), text}));
  return {};
}

Result<void> Walker::descend(Ref<Dentry> dentry) {
  Mount* before = at_.mount.get();
  at_.dentry = std::move(dentry);
  if (at_.dentry->mounts.load(std::memory_order_acquire) != 0) enter_mounts(at_);
  if ((flags_ & kNoXdev) && at_.mount.get() != before) return Errno::xdev;
  return {};
}

Result<void> Walker::go_up() {
  auto here = [&](const Path& p) { return at_.mount == p.mount && at_.dentry == p.dentry; };
  if (here(root_)) return {};
  if ((flags_ & kBeneath) && here(start_)) return Errno::xdev;
  while (at_.mount && at_.dentry.get() == &at_.mount->root()) {
    Path place = mount_place(*at_.mount);
    if (!place.mount) return {};  // the root of the tree
    if (flags_ & kNoXdev) return Errno::xdev;
    at_ = std::move(place);
    if (here(root_)) return {};
  }
  if (Ref<Dentry> up = at_.dentry->parent()) at_.dentry = std::move(up);
  enter_mounts(at_);
  return {};
}

Result<void> Walker::finish_special() {
  if (kind_ == LastKind::root) return {};
  TRY(check_access(context_.creds, at_, kExec));
  if (kind_ == LastKind::dotdot) return go_up();
  return {};
}

Result<Path> walk(const WalkContext& context, const Path& start, std::string_view path, uint32_t flags) {
  if (path.empty() && (flags & kEmptyPath)) {
    if (!start.dentry) return Errno::noent;
    return start;
  }
  Walker w(context, flags);
  TRY(w.begin(start, path));
  for (;;) {
    TRY(w.to_parent());
    if (w.kind() != LastKind::normal) {
      TRY(w.finish_special());
      break;
    }
    Ref<Dentry> d = TRY(w.lookup_last());
    if (d->negative()) return Errno::noent;
    if (d->inode()->type() == kSymlink && ((flags & kFollow) || w.trailing_slash())) {
      TRY(w.follow(d));
      if (!w.jumped()) continue;
      break;
    }
    TRY(w.descend(std::move(d)));
    break;
  }
  if (((flags & kDirectoryOnly) || w.trailing_slash()) && !inode_of(w.at()).is_dir()) return Errno::notdir;
  return w.take();
}

Result<ParentPath> walk_parent(const WalkContext& context, const Path& start, std::string_view path,
                               uint32_t flags) {
  Walker w(context, flags);
  TRY(w.begin(start, path));
  TRY(w.to_parent());
  ParentPath p;
  p.name = TRY(String::from(w.kind() == LastKind::normal ? w.last() : std::string_view()));
  p.kind = w.kind();
  p.trailing_slash = w.trailing_slash();
  p.directory = w.take();
  return p;
}

}  // namespace runsc::fs
