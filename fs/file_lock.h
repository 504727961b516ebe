// Advisory locks: POSIX record locks, open file description locks (fcntl(2)) and flock(2).
#pragma once

#include "fs/inode.h"
#include "kernel/base/vec.h"

namespace runsc::fs {

class FdTable;

enum class LockType : uint8_t { shared, exclusive, unlock };

struct FileLock {
  LockType type = LockType::unlock;
  uint64_t start = 0, end = ~uint64_t{0};  // [start, end)
  // Who holds it: an FdTable (POSIX) or a File (OFD, flock).
  const void* owner = nullptr;
  int32_t pid = 0;  // as F_GETLK shows it: -1 for OFD
};

// The locks of one inode. POSIX and OFD locks conflict with each other, flock(2) with neither.
class FileLocks final : public InodeAttachment {
 public:
  // Made at the first use. ENOMEM.
  static Result<Ref<FileLocks>> of(Inode& inode);
  // Null: the inode never had locks.
  static Ref<FileLocks> existing(Inode& inode);

  // EAGAIN: held by others (wait on queue(), try again). ENOMEM.
  Result<void> set_record(const FileLock& lock);
  // The first lock that is in the way of `lock`; type unlock: none.
  FileLock test_record(const FileLock& lock);
  // `pid`: who asks, for /proc/locks.
  Result<void> set_flock(LockType type, const void* owner, int32_t pid);
  // Everything of an owner.
  void drop_owner(const void* owner);
  WaitQueue& queue() { return queue_; }
  // A request for a record lock waits, for /proc/locks; the caller keeps `lock` until forget_waiter().
  // ENOMEM.
  Result<void> note_waiter(const FileLock& lock);
  void forget_waiter(const FileLock& lock);
  // All that is held now, each with those that wait for it behind it: ENOMEM.
  struct Shown {
    enum class Kind : uint8_t { record, description, flock } kind;
    LockType type;
    int32_t pid;
    uint64_t start, end;  // [start, end)
    bool waits = false;
  };
  Result<void> snapshot(Vec<Shown>& out);

  // Before waiting for a POSIX lock: EDEADLK when the holder waits, directly or not, for `waiter`. Ends with
  // stop_waiting().
  Result<void> start_waiting(const FileLock& lock);
  static void stop_waiting(const void* waiter);

 private:
  const FileLock* conflict(const FileLock& lock) const REQUIRES(lock_);
  Result<void> carve(const FileLock& lock) REQUIRES(lock_);

  Mutex lock_{LockRank::inode_child};
  Vec<FileLock> records_ GUARDED_BY(lock_);
  Vec<const FileLock*> waiters_ GUARDED_BY(lock_);
  struct Flock {
    LockType type;
    const void* owner;
    int32_t pid;
  };
  Vec<Flock> flocks_ GUARDED_BY(lock_);
  WaitQueue queue_;
};

// What close(2) does once a descriptor is gone: flush(), and the POSIX locks that the process (its table) has
// on the file go, too (fcntl(2)). The result is close(2)'s.
Result<void> close_file(const FdTable& table, Ref<File> file);
// Called for each directory that close_file() closes; one for all.
using DirectoryCloseHook = void (*)(const FdTable& table, const File& file);
void set_directory_close_hook(DirectoryCloseHook hook);

}  // namespace runsc::fs
