#include "fs/acl.h"
#include "fs/tmpfs/tmpfs_dir.h"
#include "kernel/base/check.h"

namespace runsc::fs {

TmpfsInode::TmpfsInode(TmpfsSuper& super, const NewNode& node)
    : Inode(super, node.mode), ino_(super.new_ino()) {
  attr_.dev = super.dev();
  attr_.ino = ino_;
  attr_.mode = node.mode;
  attr_.uid = node.uid;
  attr_.gid = node.gid;
  attr_.rdev = node.rdev;
  attr_.nlink = is_dir() ? 2 : 1;
  attr_.atime = attr_.mtime = attr_.ctime = attr_.btime = now_realtime();
}

TmpfsInode::TmpfsInode(TmpfsSuper& super, const Attr& attr, Ref<TmpfsDir> parent, String name)
    : Inode(super, attr.mode),
      attr_(attr),
      ino_(attr.ino),
      born_below_(true),
      permanent_(!parent),
      birth_parent_(std::move(parent)),
      birth_name_(std::move(name)) {
  attr_.dev = super.dev();
}

TmpfsInode::~TmpfsInode() {
  Unique<XattrStore> store(xattrs_.load(std::memory_order_relaxed));
  if (Ref<TmpfsDir> parent = birth_parent()) parent->forget_weak(*this);
  if (charged_) tmpfs().uncharge_inode();
}

Ref<TmpfsDir> TmpfsInode::birth_parent() const {
  LockGuard guard(attr_lock_);
  return birth_parent_;
}

void TmpfsInode::forget_birth() {
  Ref<TmpfsDir> gone;
  LockGuard guard(attr_lock_);
  std::swap(gone, birth_parent_);
  permanent_.store(true, std::memory_order_release);
}

// From the top: a permanent child hangs on a permanent parent.
void TmpfsInode::make_permanent() {
  while (!permanent()) {
    Ref<TmpfsInode> node(*this);
    for (;;) {
      Ref<TmpfsDir> parent = node->birth_parent();
      if (!parent) break;  // permanent by now
      if (parent->permanent()) {
        parent->adopt(*node);
        break;
      }
      node = std::move(parent);
    }
  }
}

Result<Attr> TmpfsInode::get_attr() {
  LockGuard guard(attr_lock_);
  Attr attr = attr_;
  attr.has_acl = has_acl_.load(std::memory_order_relaxed);
  return attr;
}

Result<void> TmpfsInode::set_attr(const SetAttr& attr) {
  if (attr.mask & SetAttr::kSize) return is_dir() ? Errno::isdir : Errno::inval;
  make_permanent();
  Time now = now_realtime();
  LockGuard guard(attr_lock_);
  if (attr.mask & SetAttr::kMode) attr_.mode = type() | (attr.mode & 07777);
  if (attr.mask & SetAttr::kUid) attr_.uid = attr.uid;
  if (attr.mask & SetAttr::kGid) attr_.gid = attr.gid;
  if (attr.mask & SetAttr::kAtime) attr_.atime = attr.atime;
  if (attr.mask & SetAttr::kMtime) attr_.mtime = attr.mtime;
  if (attr.mask & SetAttr::kAtimeNow) attr_.atime = now;
  if (attr.mask & SetAttr::kMtimeNow) attr_.mtime = now;
  attr_.ctime = now;
  return {};
}

Result<void> TmpfsInode::prepare_write(bool) {
  make_permanent();
  return {};
}

void TmpfsInode::change_links(int by) {
  Time now = now_realtime();
  LockGuard guard(attr_lock_);
  if (by >= 0 || attr_.nlink > 0) attr_.nlink += static_cast<uint32_t>(by);
  attr_.ctime = now;
}

uint32_t TmpfsInode::links() const {
  LockGuard guard(attr_lock_);
  return attr_.nlink;
}

void TmpfsInode::touch(bool modified) {
  Time now = now_realtime();
  LockGuard guard(attr_lock_);
  attr_.ctime = now;
  if (modified) attr_.mtime = now;
}

void TmpfsInode::touch_access() {
  constexpr int64_t kDay = 86400;
  Time now = now_realtime();
  auto before = [](const Time& a, const Time& b) {
    return a.sec < b.sec || (a.sec == b.sec && a.nsec <= b.nsec);
  };
  LockGuard guard(attr_lock_);
  if (before(attr_.atime, attr_.mtime) || before(attr_.atime, attr_.ctime) ||
      now.sec - attr_.atime.sec >= kDay)
    attr_.atime = now;
}

Result<XattrStore*> TmpfsInode::xattrs(bool make_one) {
  XattrStore* store = xattrs_.load(std::memory_order_acquire);
  if (store || (!make_one && !born_below_)) return store;
  Unique<XattrStore> fresh = make<XattrStore>();
  if (!fresh) return Errno::nomem;
  TRY(load_lower_xattrs(*fresh));
  XattrStore* expected = nullptr;
  if (xattrs_.compare_exchange_strong(expected, fresh.get(), std::memory_order_acq_rel))
    return fresh.release();
  return expected;
}

void TmpfsInode::note_acl(XattrStore& store, std::string_view name) {
  if (!is_acl_name(name)) return;
  has_acl_.store(store.get(kAclAccess, {}) || store.get(kAclDefault, {}), std::memory_order_relaxed);
}

Result<size_t> TmpfsInode::get_xattr(std::string_view name, std::span<std::byte> out) {
  XattrStore* store = TRY(xattrs(false));
  if (!store) return Errno::nodata;
  return store->get(name, out);
}

Result<void> TmpfsInode::set_xattr(std::string_view name, std::span<const std::byte> value, int flags) {
  XattrStore* store = TRY(xattrs(true));
  make_permanent();
  TRY(store->set(name, value, flags));
  note_acl(*store, name);
  touch(false);
  return {};
}

Result<void> TmpfsInode::remove_xattr(std::string_view name) {
  XattrStore* store = TRY(xattrs(false));
  if (!store) return Errno::nodata;
  make_permanent();
  TRY(store->remove(name));
  note_acl(*store, name);
  touch(false);
  return {};
}

Result<size_t> TmpfsInode::list_xattr(std::span<char> out) {
  XattrStore* store = TRY(xattrs(false));
  if (!store) return size_t{0};
  return store->list(out);
}

TmpfsSymlink::TmpfsSymlink(TmpfsSuper& super, const NewNode& node, String target)
    : TmpfsInode(super, node), target_(std::move(target)) {
  attr_.size = target_.size();
}

TmpfsSymlink::TmpfsSymlink(TmpfsSuper& super, const Attr& attr, Ref<TmpfsDir> parent, String name,
                           String target)
    : TmpfsInode(super, attr, std::move(parent), std::move(name)), target_(std::move(target)) {}

}  // namespace runsc::fs
