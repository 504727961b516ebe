#include "kernel/base/lock.h"

#include "kernel/base/check.h"
#include "kernel/base/cpu_hooks.h"

namespace runsc {

void SpinLock::lock_slow() {
  for (uint32_t round = 0;; ++round) {
    if (state_.load(std::memory_order_relaxed) == 0) {
      uint32_t expected = 0;
      if (state_.compare_exchange_weak(expected, 1, std::memory_order_acquire, std::memory_order_relaxed))
        return;
    }
    spin_relax(round);
  }
}

void SpinLock::note_acquire() {
  LockStack& held = current_lock_stack();
  if (rank_ != LockRank::none)
    for (uint8_t i = 0; i < held.depth; ++i) CHECK(held.ranks[i] <= rank_, "spinlocks taken out of order");
  CHECK(held.depth < LockStack::kMax, "too many spinlocks held");
  held.ranks[held.depth++] = rank_;
}

void SpinLock::note_release() {
  LockStack& held = current_lock_stack();
  for (uint8_t i = held.depth; i-- > 0;)
    if (held.ranks[i] == rank_) {
      for (uint8_t j = i; j + 1 < held.depth; ++j) held.ranks[j] = held.ranks[j + 1];
      --held.depth;
      return;
    }
  PANIC("a spinlock released that was not held");
}

struct Mutex::Sleeper {
  Parker& parker;
  Sleeper* next = nullptr;
  std::atomic<bool> granted{false};
};

// Hand-over: unlock gives the mutex to the first sleeper, so none starves.
void Mutex::lock_slow() {
  for (uint32_t round = 0; round < 64; ++round) {
    uint32_t expected = 0;
    if (state_.compare_exchange_weak(expected, 1, std::memory_order_acquire, std::memory_order_relaxed))
      return;
    if (expected == 2) break;
    spin_relax(0);
  }
  Sleeper me{Parker::current()};
  {
    LockGuard guard(wait_lock_);
    if (state_.exchange(2, std::memory_order_acquire) == 0) {
      // Free after all; nobody else sleeps, or they would have been handed the lock.
      if (!first_) state_.store(1, std::memory_order_relaxed);
      return;
    }
    (last_ ? last_->next : first_) = &me;
    last_ = &me;
  }
  while (!me.granted.load(std::memory_order_acquire)) me.parker.park();
}

void Mutex::unlock_slow() {
  // The lock word is 0 only until the hand-over below; a thread that slips in makes us queue behind it.
  Parker* wake = nullptr;
  {
    LockGuard guard(wait_lock_);
    if (!first_) return;
    // Take it for the first sleeper; or, if a thread slipped in, mark it so that its unlock comes here.
    for (;;) {
      uint32_t expected = 0;
      if (state_.compare_exchange_strong(expected, 2, std::memory_order_acquire, std::memory_order_relaxed))
        break;
      if (expected == 2 || state_.compare_exchange_strong(expected, 2, std::memory_order_relaxed)) return;
    }
    Sleeper* s = first_;
    first_ = s->next;
    if (!first_) {
      last_ = nullptr;
      state_.store(1, std::memory_order_relaxed);
    }
    wake = &s->parker;
    s->granted.store(true, std::memory_order_release);
  }
  wake->unpark();
}

struct RwMutex::Sleeper {
  Parker& parker;
  bool exclusive;
  Sleeper* next = nullptr;
  std::atomic<bool> granted{false};
};

void RwMutex::wait_locked(bool exclusive) NO_THREAD_SAFETY_ANALYSIS {
  Sleeper me{Parker::current(), exclusive};
  (last_ ? last_->next : first_) = &me;
  last_ = &me;
  if (exclusive) ++waiting_writers_;
  lock_.unlock();
  while (!me.granted.load(std::memory_order_acquire)) me.parker.park();
  lock_.lock();
}

// Grants in queue order: one writer, or all readers up to the next writer.
void RwMutex::wake_locked() {
  while (first_) {
    Sleeper* s = first_;
    if (s->exclusive ? holders_ != 0 : holders_ < 0) return;
    first_ = s->next;
    if (!first_) last_ = nullptr;
    if (s->exclusive) {
      holders_ = -1;
      --waiting_writers_;
    } else {
      ++holders_;
    }
    Parker& parker = s->parker;  // *s may be gone once granted
    s->granted.store(true, std::memory_order_release);
    parker.unpark();
  }
}

void RwMutex::lock() NO_THREAD_SAFETY_ANALYSIS {
  LockGuard guard(lock_);
  if (holders_ == 0 && !first_) {
    holders_ = -1;
    return;
  }
  wait_locked(true);
}

void RwMutex::unlock() NO_THREAD_SAFETY_ANALYSIS {
  LockGuard guard(lock_);
  holders_ = 0;
  wake_locked();
}

void RwMutex::lock_shared() NO_THREAD_SAFETY_ANALYSIS {
  LockGuard guard(lock_);
  if (holders_ >= 0 && waiting_writers_ == 0) {
    ++holders_;
    return;
  }
  wait_locked(false);
}

void RwMutex::unlock_shared() NO_THREAD_SAFETY_ANALYSIS {
  LockGuard guard(lock_);
  if (--holders_ == 0) wake_locked();
}

}  // namespace runsc
