#include <algorithm>

#include "fs/hostfs/host_watch.h"
#include "kvm/hostcall/sync_kind.h"

namespace runsc::fs {

struct SharedSupers {
  static SpinLock lock;
  static HostSuper *first, *last;

  static void add(HostSuper& s) {
    LockGuard guard(lock);
    s.prev_shared_ = last;
    (last ? last->next_shared_ : first) = &s;
    last = &s;
  }
  static void remove(HostSuper& s) {
    LockGuard guard(lock);
    if (!s.prev_shared_ && first != &s) return;
    (s.prev_shared_ ? s.prev_shared_->next_shared_ : first) = s.next_shared_;
    (s.next_shared_ ? s.next_shared_->prev_shared_ : last) = s.prev_shared_;
  }
};
constinit SpinLock SharedSupers::lock{LockRank::leaf};
constinit HostSuper* SharedSupers::first = nullptr;
constinit HostSuper* SharedSupers::last = nullptr;

Ref<HostSuper> HostSuper::next_shared(const HostSuper* at) {
  LockGuard guard(SharedSupers::lock);
  // One that has no count any more is about to leave the list.
  for (HostSuper* s = at ? at->next_shared_ : SharedSupers::first; s; s = s->next_shared_)
    if (s->try_ref()) return Ref<HostSuper>::adopt(s);
  return {};
}

Result<Ref<HostSuper>> HostSuper::create(hostcall::Handle root, Sharing sharing) {
  Ref<HostSuper> super = make_ref<HostSuper>(root, sharing);
  if (!super) return Errno::nomem;
  auto reply = hostcall::call<hostcall::StatPath>([&](hostcall::PathArg& p) {
    p.root = root;
    p.length = 0;
    p.bytes[0] = 0;
  });
  if (!reply) return reply.error();
  hostcall::HostStat stat = **reply;
  super->host_dev_ = stat.dev;
  super->root_ = make_ref<HostInode>(*super, Ref<HostInode>(), String(), stat);
  if (!super->root_) return Errno::nomem;
  if (sharing == Sharing::shared) SharedSupers::add(*super);
  return super;
}

HostSuper::~HostSuper() {
  if (!exclusive()) SharedSupers::remove(*this);
  (void)hostcall::call<hostcall::Close>([&](hostcall::HandleRequest& r) { r = {handle_, 0}; });
}

Ref<Inode> HostSuper::root() { return root_; }

Ref<HostInode> HostSuper::mounted_root() {
  LockGuard guard(tree_lock_);
  return root_;
}

void HostSuper::unmounted() {
  Ref<HostInode> gone;  // ends outside the lock
  LockGuard guard(tree_lock_);
  std::swap(gone, root_);
}

void HostSuper::watched(Inode& inode) {
  if (!exclusive()) update_host_watch(static_cast<HostInode&>(inode));
}

FsStat HostSuper::stat_fs() {
  FsStat s;
  auto reply = hostcall::call<hostcall::StatFs>([&](hostcall::HandleRequest& r) { r = {handle_, 0}; });
  if (!reply) return s;
  const hostcall::StatFs::Reply& h = **reply;
  s.type = h.type;
  s.block_size = h.block_size ? h.block_size : 4096;
  s.blocks = h.blocks;
  s.free_blocks = h.free_blocks;
  s.available_blocks = h.available_blocks;
  s.files = h.files;
  s.free_files = h.free_files;
  s.name_length = h.name_length;
  return s;
}

// A layer that nobody changes has nothing to write.
Result<void> HostSuper::sync() {
  Ref<HostInode> root = exclusive() ? Ref<HostInode>() : mounted_root();
  if (!root) return {};
  Ref<HostHandle> handle = TRY(root->open_handle(false));
  auto reply = hostcall::call<hostcall::Sync>([&](hostcall::HandleRequest& r) {
    r = {handle->number(), static_cast<uint32_t>(hostcall::SyncKind::file_system)};
  });
  if (!reply) return reply.error();
  return {};
}

void HostSuper::note_fifo(uint64_t ino) {
  LockGuard guard(fifo_lock_);
  (void)fifos_.push_back(ino);  // no memory: opening it fails
}

void HostSuper::forget_fifo(uint64_t ino) {
  LockGuard guard(fifo_lock_);
  for (size_t i = 0; i < fifos_.size(); ++i)
    if (fifos_[i] == ino) return fifos_.erase(i);
}

bool HostSuper::made_fifo(uint64_t ino) {
  LockGuard guard(fifo_lock_);
  return std::find(fifos_.begin(), fifos_.end(), ino) != fifos_.end();
}

// Inode numbers of another host file system below the same directory are kept apart by their device.
uint64_t HostSuper::map_ino(const hostcall::HostStat& stat) const {
  if (stat.dev == host_dev_ || host_dev_ == 0 || stat.dev == 0) return stat.ino;
  return stat.ino ^ (stat.dev * 0x9e3779b97f4a7c15u >> 8 << 32);
}

}  // namespace runsc::fs
