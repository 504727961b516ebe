#include "fs/inode.h"

#include "fs/mount.h"
#include "fs/notify.h"
#include "fs/special.h"

namespace runsc::fs {

namespace {
// Minor numbers of anonymous devices; the first ones belong to objects without a mount (pipes, sockets).
constinit std::atomic<uint32_t> next_minor{32};
}  // namespace

SuperBlock::SuperBlock() : dev_(make_dev(0, next_minor.fetch_add(1, std::memory_order_relaxed))) {}

MountHold::~MountHold() {
  if (super_->mount_count.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (notify::anybody()) notify::tell_unmounted(*super_);
  dcache_forget_super(*super_);
  super_->unmounted();
}

Inode::Inode(SuperBlock& super, uint32_t type) : super_(super), type_(type & kTypeMask) { super_.ref(); }

Inode::~Inode() { super_.unref(); }

void Inode::last_ref() {
  if (!is_dir()) {
    delete this;
    return;
  }
  Ref<SuperBlock> super(super_);
  {
    LockGuard guard(super->dying_lock_);
    next_dying_ = std::exchange(super->dying_, this);
    if (std::exchange(super->reaping_, true)) return;
  }
  for (;;) {
    Inode* dead;
    {
      LockGuard guard(super->dying_lock_);
      dead = super->dying_;
      super->reaping_ = dead;
      if (!dead) return;
      super->dying_ = dead->next_dying_;
    }
    delete dead;
  }
}

Result<Ref<Inode>> Inode::lookup(std::string_view) { return Errno::noent; }

Result<Ref<Inode>> Inode::create(std::string_view, const NewNode&) {
  return is_dir() ? Errno::perm : Errno::notdir;
}

Result<Ref<Inode>> Inode::make_dir(std::string_view, const NewNode&) {
  return is_dir() ? Errno::perm : Errno::notdir;
}

Result<Ref<Inode>> Inode::symlink(std::string_view, std::string_view, const NewNode&) {
  return is_dir() ? Errno::perm : Errno::notdir;
}

Result<void> Inode::link(std::string_view, Inode&) { return is_dir() ? Errno::perm : Errno::notdir; }

Result<void> Inode::unlink(std::string_view, Inode&) { return is_dir() ? Errno::perm : Errno::notdir; }

Result<void> Inode::remove_dir(std::string_view, Inode&) { return is_dir() ? Errno::perm : Errno::notdir; }

Result<void> Inode::rename(std::string_view, Inode&, Inode&, std::string_view, Inode*, uint32_t) {
  return is_dir() ? Errno::perm : Errno::notdir;
}

Result<Ref<Inode>> Inode::tmpfile(const NewNode&) { return Errno::opnotsupp; }

Result<String> Inode::read_link() { return Errno::inval; }

Result<Path> Inode::follow_magic() { return Path(); }

Result<Ref<File>> Inode::open(uint32_t flags) { return open_special(*this, flags); }

Result<size_t> Inode::get_xattr(std::string_view, std::span<std::byte>) { return Errno::opnotsupp; }

Result<void> Inode::set_xattr(std::string_view, std::span<const std::byte>, int) { return Errno::opnotsupp; }

Result<void> Inode::remove_xattr(std::string_view) { return Errno::opnotsupp; }

Result<size_t> Inode::list_xattr(std::span<char>) { return size_t{0}; }

Ref<InodeAttachment> Inode::attachment(AttachmentKind kind) const {
  LockGuard guard(attachment_lock_);
  return attachments_[static_cast<size_t>(kind)];
}

Ref<InodeAttachment> Inode::attach(AttachmentKind kind, Ref<InodeAttachment> fresh) {
  LockGuard guard(attachment_lock_);
  Ref<InodeAttachment>& slot = attachments_[static_cast<size_t>(kind)];
  if (!slot) slot = std::move(fresh);
  return slot;
}

void Inode::detach(AttachmentKind kind) {
  Ref<InodeAttachment> gone;
  LockGuard guard(attachment_lock_);
  std::swap(gone, attachments_[static_cast<size_t>(kind)]);
}

}  // namespace runsc::fs
