#include "kernel/base/wait_queue.h"

#include "kernel/base/check.h"

namespace runsc {

Waiter::~Waiter() {
  DCHECK(queue_.load(std::memory_order_relaxed) == nullptr, "a waiter destroyed while on a queue");
}

WaitQueue::~WaitQueue() {
  // Waiters may outlive what they wait for (a poll of a closed file): let go of them.
  LockGuard guard(lock_);
  while (!waiters_.empty()) {
    Waiter& w = waiters_.front();
    waiters_.pop_front();
    w.queue_.store(nullptr, std::memory_order_relaxed);
  }
}

void WaitQueue::add(Waiter& w, uint32_t mask, bool exclusive) {
  LockGuard guard(lock_);
  DCHECK(w.queue_.load(std::memory_order_relaxed) == nullptr, "a waiter added twice");
  w.mask_ = mask;
  w.exclusive_ = exclusive;
  w.queue_.store(this, std::memory_order_relaxed);
  waiters_.push_back(w);
  count_.fetch_add(1, std::memory_order_seq_cst);
}

void WaitQueue::remove(Waiter& w) {
  LockGuard guard(lock_);
  if (w.queue_.load(std::memory_order_relaxed) != this) return;
  waiters_.erase(waiters_.iterator_to(w));
  w.queue_.store(nullptr, std::memory_order_relaxed);
  count_.fetch_sub(1, std::memory_order_relaxed);
}

uint32_t WaitQueue::wake(uint32_t events, uint32_t exclusive_limit) {
  if (!maybe_waiters()) return 0;
  uint32_t woken = 0;
  LockGuard guard(lock_);
  for (Waiter& w : waiters_) {
    if (!(w.mask_ & events)) continue;
    if (w.exclusive_ && exclusive_limit == 0) continue;
    if (!w.notify(events)) continue;
    ++woken;
    if (w.exclusive_) --exclusive_limit;
  }
  return woken;
}

}  // namespace runsc
