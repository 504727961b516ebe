// Locks of the sentry. SpinLock: short, no sleeping, no user copies, no hostcalls while held. Mutex and
// RwMutex: sleep through Parker. All carry their rank (lock_rank.h).
#pragma once

#include <atomic>
#include <cstdint>

#include "kernel/base/lock_rank.h"
#include "kernel/base/thread_annotations.h"

namespace runsc {

// A token per thread of execution (task, or CPU before tasks exist). park() returns after an unpark() that
// came since the last park() returned (at most one is remembered); it may also return early. Waits are never
// interruptible here: interruption by signals is a matter of who calls (kernel/blocking.h).
class Parker {
 public:
  static Parker& current();  // defined by the scheduler; in unit tests by the hosted arch's thread fallback
  virtual void park() = 0;
  virtual void unpark() = 0;  // any CPU, any context, under spinlocks of rank < run_queue

 protected:
  ~Parker() = default;
};

class CAPABILITY("spinlock") SpinLock {
 public:
  explicit constexpr SpinLock(LockRank rank = LockRank::leaf) : rank_(rank) {}
  SpinLock(const SpinLock&) = delete;
  SpinLock& operator=(const SpinLock&) = delete;

  void lock() ACQUIRE() {
#ifndef NDEBUG
    note_acquire();
#endif
    uint32_t expected = 0;
    if (!state_.compare_exchange_strong(expected, 1, std::memory_order_acquire, std::memory_order_relaxed))
        [[unlikely]]
      lock_slow();
  }
  bool try_lock() TRY_ACQUIRE(true) {
    uint32_t expected = 0;
    bool got =
        state_.compare_exchange_strong(expected, 1, std::memory_order_acquire, std::memory_order_relaxed);
#ifndef NDEBUG
    if (got) note_acquire();
#endif
    return got;
  }
  void unlock() RELEASE() {
#ifndef NDEBUG
    note_release();
#endif
    state_.store(0, std::memory_order_release);
  }
  bool is_locked() const { return state_.load(std::memory_order_relaxed) != 0; }

 private:
  void lock_slow();
  void note_acquire();
  void note_release();

  std::atomic<uint32_t> state_{0};
  const LockRank rank_;
};

// Not recursive. A holder may sleep, fault and call the host.
class CAPABILITY("mutex") Mutex {
 public:
  explicit constexpr Mutex(LockRank rank = LockRank::none) : rank_(rank) {}
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() ACQUIRE() {
    uint32_t expected = 0;
    if (!state_.compare_exchange_strong(expected, 1, std::memory_order_acquire, std::memory_order_relaxed))
        [[unlikely]]
      lock_slow();
  }
  bool try_lock() TRY_ACQUIRE(true) {
    uint32_t expected = 0;
    return state_.compare_exchange_strong(expected, 1, std::memory_order_acquire, std::memory_order_relaxed);
  }
  void unlock() RELEASE() {
    if (state_.exchange(0, std::memory_order_release) == 2) [[unlikely]]
      unlock_slow();
  }

 private:
  struct Sleeper;
  void lock_slow();
  void unlock_slow();

  std::atomic<uint32_t> state_{0};  // 0 free, 1 held, 2 held and somebody sleeps
  const LockRank rank_;
  SpinLock wait_lock_{LockRank::wait_queue};
  Sleeper* first_ GUARDED_BY(wait_lock_) = nullptr;
  Sleeper* last_ GUARDED_BY(wait_lock_) = nullptr;
};

// Readers-writer sleeping lock, writers first.
class CAPABILITY("mutex") RwMutex {
 public:
  explicit constexpr RwMutex(LockRank rank = LockRank::none) : rank_(rank) {}
  RwMutex(const RwMutex&) = delete;
  RwMutex& operator=(const RwMutex&) = delete;

  void lock() ACQUIRE();
  void unlock() RELEASE();
  void lock_shared() ACQUIRE_SHARED();
  void unlock_shared() RELEASE_SHARED();

 private:
  struct Sleeper;
  void wait_locked(bool exclusive) REQUIRES(lock_);
  void wake_locked() REQUIRES(lock_);

  const LockRank rank_;
  SpinLock lock_{LockRank::wait_queue};
  int32_t holders_ GUARDED_BY(lock_) = 0;  // -1: one writer; n > 0: n readers
  uint32_t waiting_writers_ GUARDED_BY(lock_) = 0;
  Sleeper* first_ GUARDED_BY(lock_) = nullptr;
  Sleeper* last_ GUARDED_BY(lock_) = nullptr;
};

template <class L>
class SCOPED_CAPABILITY LockGuard {
 public:
  explicit LockGuard(L& l) ACQUIRE(l) : l_(l) { l_.lock(); }
  ~LockGuard() RELEASE() { l_.unlock(); }
  LockGuard(const LockGuard&) = delete;
  LockGuard& operator=(const LockGuard&) = delete;

 private:
  L& l_;
};

template <class L>
class SCOPED_CAPABILITY SharedGuard {
 public:
  explicit SharedGuard(L& l) ACQUIRE_SHARED(l) : l_(l) { l_.lock_shared(); }
  ~SharedGuard() RELEASE() { l_.unlock_shared(); }
  SharedGuard(const SharedGuard&) = delete;
  SharedGuard& operator=(const SharedGuard&) = delete;

 private:
  L& l_;
};

}  // namespace runsc
