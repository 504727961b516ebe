#include "fs/tmpfs/tmpfs_dir.h"

#include "fs/dir_helpers.h"

#include "kernel/base/check.h"

namespace runsc::fs {

TmpfsDir::TmpfsDir(TmpfsSuper& super, const NewNode& node) : TmpfsInode(super, node) {}

TmpfsDir::TmpfsDir(TmpfsSuper& super, const Attr& attr, Ref<TmpfsDir> parent, String name)
    : TmpfsInode(super, attr, std::move(parent), std::move(name)) {}

TmpfsDir::~TmpfsDir() {
  for (;;) {
    Ref<TmpfsInode> child;
    Unique<DirEntry> entry;
    LockGuard guard(table_lock_);
    DirEntry* e = table_.first_from(0);
    if (!e) return;
    CHECK(e->kind != DirEntry::Kind::weak, "a directory dies before a child born in it");
    if (e->kind == DirEntry::Kind::strong) child = Ref<TmpfsInode>::adopt(e->node);
    entry = table_.remove(*e);
  }
}

// ---- names ----

Result<Ref<Inode>> TmpfsDir::lookup(std::string_view name) {
  {
    LockGuard guard(table_lock_);
    if (DirEntry* e = table_.find(name)) {
      if (e->kind == DirEntry::Kind::whiteout) return Errno::noent;
      // A weak node may be on its way out: its place is taken again below.
      if (e->node->try_ref()) return Ref<Inode>(Ref<TmpfsInode>::adopt(e->node));
    }
  }
  Ref<TmpfsInode> fresh = TRY(lookup_lower(name));
  Unique<DirEntry> entry = make<DirEntry>();
  if (!entry) return Errno::nomem;
  entry->name = TRY(String::from(name));
  entry->node = fresh.get();
  entry->kind = DirEntry::Kind::weak;
  entry->in_lower = true;
  Unique<DirEntry> old;
  {
    LockGuard guard(table_lock_);
    if (DirEntry* e = table_.find(name)) old = table_.remove(*e);
    table_.insert(std::move(entry));
  }
  return Ref<Inode>(std::move(fresh));
}

void TmpfsDir::adopt(TmpfsInode& child) {
  Ref<TmpfsDir> gone;  // the child's count of this directory
  LockGuard guard(table_lock_);
  DirEntry* e = table_.find(child.birth_name_);
  if (!e || e->node != &child || e->kind != DirEntry::Kind::weak)
    return;  // somebody else did it, or it is removed
  child.ref();
  e->kind = DirEntry::Kind::strong;
  LockGuard attr_guard(child.attr_lock_);
  std::swap(gone, child.birth_parent_);
  child.permanent_.store(true, std::memory_order_release);
}

void TmpfsDir::forget_weak(TmpfsInode& child) {
  Unique<DirEntry> gone;
  LockGuard guard(table_lock_);
  DirEntry* e = table_.find(child.birth_name_);
  if (e && e->node == &child && e->kind == DirEntry::Kind::weak) gone = table_.remove(*e);
}

void TmpfsDir::put_child(DirEntry& entry, TmpfsInode& node) {
  node.ref();
  entry.node = &node;
  entry.kind = DirEntry::Kind::strong;
}

namespace {
Result<Unique<DirEntry>> new_entry(std::string_view name) {
  Unique<DirEntry> entry = make<DirEntry>();
  if (!entry) return Errno::nomem;
  entry->name = TRY(String::from(name));
  return entry;
}
}  // namespace

// A new name; a whiteout of it may stand there.
Result<void> TmpfsDir::add(std::string_view name, TmpfsInode& node) {
  Unique<DirEntry> entry = TRY(new_entry(name));
  make_permanent();
  {
    LockGuard guard(table_lock_);
    if (DirEntry* e = table_.find(name)) {
      if (e->kind != DirEntry::Kind::whiteout) return Errno::exist;
      put_child(*e, node);
      table_.renew(*e);
    } else {
      put_child(*entry, node);
      table_.insert(std::move(entry));
    }
  }
  touch(true);
  return {};
}

Ref<TmpfsInode> TmpfsDir::take(std::string_view name) {
  Ref<TmpfsInode> child;
  Unique<DirEntry> gone;
  bool weak = false;
  make_permanent();
  {
    LockGuard guard(table_lock_);
    DirEntry* e = table_.find(name);
    if (!e || e->kind == DirEntry::Kind::whiteout) return {};
    weak = e->kind == DirEntry::Kind::weak;
    child = weak ? Ref<TmpfsInode>(*e->node) : Ref<TmpfsInode>::adopt(e->node);
    if (e->in_lower) {
      e->kind = DirEntry::Kind::whiteout;
      e->node = nullptr;
    } else {
      gone = table_.remove(*e);
    }
  }
  if (weak) child->forget_birth();
  touch(true);
  return child;
}

// ---- making ----

namespace {

template <class T, class... A>
Result<Ref<T>> make_node(TmpfsSuper& super, A&&... args) {
  TRY(super.charge_inode());
  Ref<T> node = make_ref<T>(super, std::forward<A>(args)...);
  if (!node) {
    super.uncharge_inode();
    return Errno::nomem;
  }
  node->set_charged();
  return node;
}

}  // namespace

Result<Ref<Inode>> TmpfsDir::create(std::string_view name, const NewNode& node) {
  Ref<TmpfsInode> child;
  if ((node.mode & kTypeMask) == kRegular)
    child = TRY(make_node<TmpfsFile>(tmpfs(), node));
  else
    child = TRY(make_node<TmpfsNode>(tmpfs(), node));
  TRY(add(name, *child));
  return Ref<Inode>(std::move(child));
}

Result<Ref<Inode>> TmpfsDir::make_dir(std::string_view name, const NewNode& node) {
  Ref<TmpfsInode> child = TRY(make_node<TmpfsDir>(tmpfs(), node));
  TRY(add(name, *child));
  change_links(1);
  return Ref<Inode>(std::move(child));
}

Result<Ref<Inode>> TmpfsDir::symlink(std::string_view name, std::string_view target, const NewNode& node) {
  String text = TRY(String::from(target));
  Ref<TmpfsInode> child = TRY(make_node<TmpfsSymlink>(tmpfs(), node, std::move(text)));
  TRY(add(name, *child));
  return Ref<Inode>(std::move(child));
}

Result<Ref<Inode>> TmpfsDir::tmpfile(const NewNode& node) {
  Ref<TmpfsInode> child = TRY(make_node<TmpfsFile>(tmpfs(), node));
  child->change_links(-1);
  return Ref<Inode>(std::move(child));
}

Result<void> TmpfsDir::link(std::string_view name, Inode& target) {
  auto& node = static_cast<TmpfsInode&>(target);
  node.make_permanent();
  TRY(add(name, node));
  node.change_links(1);
  return {};
}

// ---- removing and moving ----

Result<void> TmpfsDir::unlink(std::string_view name, Inode& child) {
  Ref<TmpfsInode> gone = take(name);
  if (gone.get() != &child) return Errno::noent;
  gone->change_links(-1);
  return {};
}

size_t TmpfsDir::whiteouts() {
  LockGuard guard(table_lock_);
  size_t n = 0;
  for (DirEntry* e = table_.first_from(0); e; e = table_.first_from(e->sequence + 1))
    if (e->kind == DirEntry::Kind::whiteout) ++n;
  return n;
}

bool TmpfsDir::has_visible_entries() {
  LockGuard guard(table_lock_);
  for (DirEntry* e = table_.first_from(0); e; e = table_.first_from(e->sequence + 1))
    if (e->kind != DirEntry::Kind::whiteout) return true;
  return false;
}

Result<bool> TmpfsDir::empty() { return !has_visible_entries(); }

Result<void> TmpfsDir::remove_dir(std::string_view name, Inode& child) {
  auto& dir = static_cast<TmpfsDir&>(child);
  if (!TRY(dir.empty())) return Errno::notempty;
  Ref<TmpfsInode> gone = take(name);
  if (gone.get() != &child) return Errno::noent;
  gone->change_links(-2);
  change_links(-1);
  return {};
}

Result<void> TmpfsDir::exchange(std::string_view name, TmpfsInode& child, TmpfsDir& other,
                                std::string_view other_name, TmpfsInode& other_child) {
  // Both names are made permanent, so their entries are strong and only trade their nodes. The two table
  // locks have one rank: one at a time.
  auto replace = [](TmpfsDir& dir, std::string_view n, TmpfsInode& node) {
    Ref<TmpfsInode> old;
    LockGuard guard(dir.table_lock_);
    DirEntry* e = dir.table_.find(n);
    if (!e || e->kind != DirEntry::Kind::strong) return;
    old = Ref<TmpfsInode>::adopt(e->node);
    dir.put_child(*e, node);
  };
  Ref<TmpfsInode> keep_child(child), keep_other(other_child);
  replace(*this, name, other_child);
  replace(other, other_name, child);
  if (child.is_dir() != other_child.is_dir() && this != &other) {
    change_links(child.is_dir() ? -1 : 1);
    other.change_links(child.is_dir() ? 1 : -1);
  }
  child.touch(false);
  other_child.touch(false);
  touch(true);
  other.touch(true);
  return {};
}

Result<void> TmpfsDir::rename(std::string_view name, Inode& child, Inode& new_dir, std::string_view new_name,
                              Inode* replaced, uint32_t flags) {
  constexpr uint32_t kExchange = 2;
  if (&new_dir.super() != &super()) return Errno::xdev;
  auto& node = static_cast<TmpfsInode&>(child);
  auto& to = static_cast<TmpfsDir&>(new_dir);
  node.make_permanent();
  to.make_permanent();
  if (flags & kExchange) {
    auto& other = static_cast<TmpfsInode&>(*replaced);
    other.make_permanent();
    return exchange(name, node, to, new_name, other);
  }
  return move(name, node, to, new_name, replaced);
}

Result<void> TmpfsDir::rename_leaving(std::string_view name, Inode& child, Inode& new_dir,
                                      std::string_view new_name, Inode* replaced, const NewNode& left) {
  if (&new_dir.super() != &super()) return Errno::xdev;
  // What can fail comes first.
  Ref<TmpfsInode> stays = TRY(make_node<TmpfsNode>(tmpfs(), left));
  Unique<DirEntry> entry = TRY(new_entry(name));
  TRY(move(name, static_cast<TmpfsInode&>(child), static_cast<TmpfsDir&>(new_dir), new_name, replaced));
  put_entry(std::move(entry), *stays);
  return {};
}

void TmpfsDir::put_entry(Unique<DirEntry> entry, TmpfsInode& node) {
  LockGuard guard(table_lock_);
  if (DirEntry* e = table_.find(entry->name.view())) {
    put_child(*e, node);
    table_.renew(*e);
  } else {
    put_child(*entry, node);
    table_.insert(std::move(entry));
  }
}

Result<void> TmpfsDir::move(std::string_view name, TmpfsInode& node, TmpfsDir& to, std::string_view new_name,
                            Inode* replaced) {
  if (replaced && replaced->is_dir() && !TRY(static_cast<TmpfsDir&>(*replaced).empty()))
    return Errno::notempty;
  Unique<DirEntry> entry = TRY(new_entry(new_name));
  // Nothing fails from here on.
  Ref<TmpfsInode> gone = replaced ? to.take(new_name) : Ref<TmpfsInode>();
  Ref<TmpfsInode> moved = take(name);
  to.put_entry(std::move(entry), node);
  to.touch(true);
  node.touch(false);
  if (gone) gone->change_links(gone->is_dir() ? -2 : -1);
  if (gone && gone->is_dir()) to.change_links(-1);
  if (node.is_dir() && this != &to) {
    change_links(-1);
    to.change_links(1);
  }
  return {};
}

// ---- listing ----

bool TmpfsDir::next_upper(uint64_t from, Listed& out) {
  LockGuard guard(table_lock_);
  for (DirEntry* e = table_.first_from(from); e; e = table_.first_from(e->sequence + 1)) {
    if (e->kind != DirEntry::Kind::strong || e->in_lower) continue;
    out.size = e->name.size();
    __builtin_memcpy(out.name, e->name.c_str(), out.size);
    out.ino = e->node->ino();
    out.type = static_cast<uint8_t>(e->node->type() >> 12);
    out.position = e->sequence;
    return true;
  }
  return false;
}

TmpfsDir::Shown TmpfsDir::upper_of(std::string_view name, Listed& out) {
  LockGuard guard(table_lock_);
  DirEntry* e = table_.find(name);
  if (!e || e->kind == DirEntry::Kind::weak) return Shown::as_below;
  if (e->kind == DirEntry::Kind::whiteout) return Shown::hidden;
  out.ino = e->node->ino();
  out.type = static_cast<uint8_t>(e->node->type() >> 12);
  return Shown::replaced;
}

namespace {

class TmpfsDirFile final : public File {
 public:
  TmpfsDirFile(uint32_t flags, Ref<TmpfsDir> dir) : File(flags, dir), dir_(std::move(dir)) {}
  bool seekable() const override { return true; }
  Result<uint64_t> seek(int64_t offset, int whence, uint64_t current) override {
    return seek_in_directory(offset, whence, current);
  }
  Result<uint64_t> read_dir(DirSink& sink, uint64_t offset) override;
  Result<void> sync(bool) override { return {}; }

 private:
  Ref<TmpfsDir> dir_;
};

// Positions: 0 ".", 1 "..", then 1 + the entry's sequence number.
Result<uint64_t> TmpfsDirFile::read_dir(DirSink& sink, uint64_t offset) {
  dir_->touch_access();
  uint64_t at = TRY(emit_dots(*this, sink, offset));
  if (at < 2) return at;
  TmpfsDir::Listed e;
  while (dir_->next_upper(at - 1, e)) {
    if (!sink.add({e.name, e.size}, e.ino, e.type, e.position + 2)) return at;
    at = e.position + 2;
  }
  return at;
}

}  // namespace

Result<Ref<File>> TmpfsDir::open(uint32_t flags) {
  Ref<File> file = make_ref<TmpfsDirFile>(flags, Ref<TmpfsDir>(*this));
  if (!file) return Errno::nomem;
  return file;
}

}  // namespace runsc::fs
