// System V IPC: what segments, semaphore sets and message queues have in common (sysvipc(7)).
#pragma once

#include <cstdint>

#include "fs/credentials.h"
#include "kernel/base/lock.h"
#include "kernel/base/ref.h"
#include "kernel/base/result.h"

namespace runsc::kernel {

class IpcTable;
class Task;

namespace ipc_flag {
inline constexpr uint32_t creat = 01000, excl = 02000, nowait = 04000;
}

// Owner and mode: guarded by the object's lock.
struct IpcOwner {
  uint32_t uid = 0, gid = 0, cuid = 0, cgid = 0, mode = 0;
  // EACCES unless the mode gives what `flags` asks for in its permission bits.
  Result<void> check(const fs::Credentials& creds, uint32_t flags) const;
  // EPERM unless `creds` may change or remove the object.
  Result<void> check_owner(const fs::Credentials& creds) const;
};

class IpcObject : public RefCounted<IpcObject> {
 public:
  virtual ~IpcObject() = default;
  int32_t id() const { return id_; }
  // IPC_RMID.
  virtual void destroy() = 0;

  mutable SpinLock lock{LockRank::ipc};
  int32_t key GUARDED_BY(lock) = 0;
  IpcOwner owner GUARDED_BY(lock);
  bool removed GUARDED_BY(lock) = false;

 protected:
  // Off its table, if it is there.
  void leave_table();

 private:
  friend class IpcTable;
  int32_t id_ = -1;
  Ref<IpcTable> table_;  // since it was added
};

// All objects of one kind in a namespace. Its lock comes before an object's.
class IpcTable final : public RefCounted<IpcTable> {
 public:
  explicit IpcTable(uint32_t limit) : limit_(limit) {}
  ~IpcTable();

  // The object of a key. ENOENT. The key 0 (IPC_PRIVATE) is nobody's.
  Result<Ref<IpcObject>> find_key(int32_t key);
  // EINVAL: there is none with this number.
  Result<Ref<IpcObject>> find(int32_t id);
  // By place in the table, as IPC_STAT's relatives count: EINVAL.
  Result<Ref<IpcObject>> at(int32_t index);
  // ENOSPC, ENOMEM; EEXIST: somebody was faster with this key.
  Result<int32_t> add(Ref<IpcObject> object, int32_t key);
  // Does nothing if it is gone already.
  void remove(IpcObject& object);
  // Destroys and removes all: nobody can get at the table any more.
  void end();

  // How many there may be: up to kMost. What is there stays.
  static constexpr uint32_t kMost = 1u << 15;
  uint32_t limit() const { return limit_.load(std::memory_order_relaxed); }
  void set_limit(uint32_t limit) { limit_.store(limit, std::memory_order_relaxed); }
  uint32_t count() const { return count_.load(std::memory_order_relaxed); }
  int32_t highest() const;  // the last place that is used; -1: none

 private:
  static constexpr int32_t kIndexBits = 15, kIndexMask = (1 << kIndexBits) - 1;

  Result<void> make_room();

  std::atomic<uint32_t> limit_;
  mutable SpinLock lock_{LockRank::ipc_table};
  IpcObject** slots_ GUARDED_BY(lock_) = nullptr;  // each holds a count
  uint32_t size_ GUARDED_BY(lock_) = 0;
  int32_t last_index_ GUARDED_BY(lock_) = -1;
  int32_t sequence_ GUARDED_BY(lock_) = 0;
  std::atomic<uint32_t> count_{0};
};

// The *get(2) calls: finds or makes. `check(object)` looks at what is there (EINVAL), `make()` makes a new
// one.
template <class Check, class Make>
Result<int32_t> ipc_get(IpcTable& table, const fs::Credentials& creds, int32_t key, uint32_t flags,
                        Check&& check, Make&& make) {
  for (;;) {
    if (key != 0) {
      auto found = table.find_key(key);
      if (found) {
        if (flags & ipc_flag::creat && flags & ipc_flag::excl) return Errno::exist;
        TRY(check(**found));
        LockGuard guard((*found)->lock);
        TRY((*found)->owner.check(creds, flags));
        return (*found)->id();
      }
      if (!(flags & ipc_flag::creat)) return Errno::noent;
    }
    Ref<IpcObject> fresh = TRY(make());
    {
      LockGuard guard(fresh->lock);
      fresh->key = key;
      fresh->owner = {creds.euid, creds.egid, creds.euid, creds.egid, flags & 0777};
    }
    auto id = table.add(std::move(fresh), key);
    if (id || id.error() != Errno::exist) return id;
  }
}

}  // namespace runsc::kernel
