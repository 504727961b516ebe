#include "fs/file_lock.h"

#include "fs/mount.h"

namespace runsc::fs {

namespace {

bool overlap(const FileLock& a, const FileLock& b) { return a.start < b.end && b.start < a.end; }

// Who waits for whom, for deadlock detection; few at any time.
struct Waiting {
  const void* waiter;
  const void* holder;
};
constexpr size_t kMaxWaiting = 64;
constinit SpinLock waiting_lock{LockRank::leaf};
constinit Waiting waiting[kMaxWaiting] = {};

bool leads_to(const void* from, const void* to) REQUIRES(waiting_lock) {
  for (size_t hops = 0; from && hops < kMaxWaiting; ++hops) {
    if (from == to) return true;
    const void* next = nullptr;
    for (const Waiting& w : waiting)
      if (w.waiter == from) next = w.holder;
    from = next;
  }
  return false;
}

}  // namespace

Ref<FileLocks> FileLocks::existing(Inode& inode) {
  Ref<InodeAttachment> a = inode.attachment(AttachmentKind::locks);
  return a ? Ref<FileLocks>(static_cast<FileLocks&>(*a)) : Ref<FileLocks>();
}

Result<Ref<FileLocks>> FileLocks::of(Inode& inode) {
  if (Ref<FileLocks> locks = existing(inode)) return locks;
  Ref<FileLocks> fresh = make_ref<FileLocks>();
  if (!fresh) return Errno::nomem;
  Ref<InodeAttachment> a = inode.attach(AttachmentKind::locks, fresh);
  return Ref<FileLocks>(static_cast<FileLocks&>(*a));
}

const FileLock* FileLocks::conflict(const FileLock& lock) const {
  for (const FileLock& held : records_)
    if (held.owner != lock.owner && overlap(held, lock) &&
        (held.type == LockType::exclusive || lock.type == LockType::exclusive))
      return &held;
  return nullptr;
}

// Takes the range of `lock` out of what its owner holds.
Result<void> FileLocks::carve(const FileLock& lock) {
  // A lock that is cut in the middle becomes two: room first, so that nothing is lost halfway.
  TRY(records_.reserve(records_.size() + 2));
  for (size_t i = 0; i < records_.size();) {
    FileLock& held = records_[i];
    if (held.owner != lock.owner || !overlap(held, lock)) {
      ++i;
      continue;
    }
    FileLock after = held;
    after.start = lock.end;
    bool before = held.start<lock.start, behind = held.end> lock.end;
    if (before) {
      held.end = lock.start;
      ++i;
    } else if (behind) {
      held = after;
      ++i;
      continue;
    } else {
      records_.erase(i);
      continue;
    }
    if (behind) TRY(records_.push_back(after));
  }
  return {};
}

Result<void> FileLocks::set_record(const FileLock& lock) {
  {
    LockGuard guard(lock_);
    if (lock.type != LockType::unlock && conflict(lock)) return Errno::again;
    TRY(carve(lock));
    if (lock.type != LockType::unlock) {
      // Neighbours of the same kind become one.
      FileLock merged = lock;
      for (size_t i = 0; i < records_.size();) {
        const FileLock& r = records_[i];
        bool touches = r.owner == lock.owner && r.type == lock.type && r.pid == lock.pid &&
                       (r.end == merged.start || r.start == merged.end);
        if (!touches) {
          ++i;
          continue;
        }
        if (r.start < merged.start) merged.start = r.start;
        if (r.end > merged.end) merged.end = r.end;
        records_.erase(i);
        i = 0;
      }
      TRY(records_.push_back(merged));
    }
  }
  queue_.wake_all();
  return {};
}

FileLock FileLocks::test_record(const FileLock& lock) {
  LockGuard guard(lock_);
  const FileLock* held = conflict(lock);
  return held ? *held : FileLock{};
}

Result<void> FileLocks::set_flock(LockType type, const void* owner, int32_t pid) {
  {
    LockGuard guard(lock_);
    size_t own = flocks_.size();
    for (size_t i = 0; i < flocks_.size(); ++i)
      if (flocks_[i].owner == owner) own = i;
    if (type == LockType::unlock) {
      if (own < flocks_.size()) flocks_.erase(own);
    } else {
      bool blocked = false;
      for (const Flock& f : flocks_)
        blocked |= f.owner != owner && (f.type == LockType::exclusive || type == LockType::exclusive);
      if (blocked) {
        // A conversion gives up the old lock first (flock(2)).
        if (own < flocks_.size()) flocks_.erase(own);
        return Errno::again;
      }
      if (own < flocks_.size())
        flocks_[own].type = type;
      else
        TRY(flocks_.push_back({type, owner, pid}));
    }
  }
  queue_.wake_all();
  return {};
}

Result<void> FileLocks::note_waiter(const FileLock& lock) {
  LockGuard guard(lock_);
  for (const FileLock* w : waiters_)
    if (w == &lock) return {};
  return waiters_.push_back(&lock);
}

void FileLocks::forget_waiter(const FileLock& lock) {
  LockGuard guard(lock_);
  for (size_t i = waiters_.size(); i-- > 0;)
    if (waiters_[i] == &lock) waiters_.erase(i);
}

Result<void> FileLocks::snapshot(Vec<Shown>& out) {
  LockGuard guard(lock_);
  auto show = [&](const FileLock& l, bool waits) {
    const auto kind = l.pid < 0 ? Shown::Kind::description : Shown::Kind::record;
    return out.push_back({kind, l.type, l.pid, l.start, l.end, waits});
  };
  for (const FileLock& l : records_) {
    TRY(show(l, false));
    for (const FileLock* w : waiters_)
      if (conflict(*w) == &l) TRY(show(*w, true));
  }
  for (const Flock& f : flocks_) TRY(out.push_back({Shown::Kind::flock, f.type, f.pid, 0, ~uint64_t{0}}));
  return {};
}

void FileLocks::drop_owner(const void* owner) {
  bool any = false;
  {
    LockGuard guard(lock_);
    for (size_t i = records_.size(); i-- > 0;)
      if (records_[i].owner == owner) records_.erase(i), any = true;
    for (size_t i = flocks_.size(); i-- > 0;)
      if (flocks_[i].owner == owner) flocks_.erase(i), any = true;
  }
  if (any) queue_.wake_all();
}

Result<void> FileLocks::start_waiting(const FileLock& lock) {
  const void* holder;
  {
    LockGuard guard(lock_);
    const FileLock* held = conflict(lock);
    if (!held) return {};
    holder = held->owner;
  }
  LockGuard guard(waiting_lock);
  if (leads_to(holder, lock.owner)) return Errno::deadlk;
  for (Waiting& w : waiting)
    if (!w.waiter || w.waiter == lock.owner) {
      w = {lock.owner, holder};
      return {};
    }
  return Errno::nolck;
}

void FileLocks::stop_waiting(const void* waiter) {
  LockGuard guard(waiting_lock);
  for (Waiting& w : waiting)
    if (w.waiter == waiter) w = {};
}

namespace {
constinit std::atomic<DirectoryCloseHook> directory_close_hook{nullptr};
}

void set_directory_close_hook(DirectoryCloseHook hook) {
  directory_close_hook.store(hook, std::memory_order_release);
}

Result<void> close_file(const FdTable& table, Ref<File> file) {
  Result<void> flushed = file->flush();
  Inode* inode = file->inode();
  if (!inode) return flushed;
  if (Ref<FileLocks> locks = FileLocks::existing(*inode)) locks->drop_owner(&table);
  if (inode->is_dir())
    if (auto* hook = directory_close_hook.load(std::memory_order_acquire)) hook(table, *file);
  return flushed;
}

}  // namespace runsc::fs
