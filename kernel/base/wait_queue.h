// Parking: how a thread of the sentry waits. Parker is the one primitive; WaitQueue and Mutex stand on it.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "kernel/base/lock.h"

namespace runsc {

// Something that can be waited for with an interest mask (poll(2) bits). A Waiter is on one queue at a time.
class WaitQueue;
class Waiter {
 public:
  virtual ~Waiter();
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  // Called under the queue's spinlock, any CPU: must not sleep or take locks before LockRank::wait_queue.
  // Returning true counts as "woke one" for wake_one().
  virtual bool notify(uint32_t events) = 0;

 protected:
  Waiter() = default;

 private:
  friend class WaitQueue;
  boost::intrusive::list_member_hook<> hook_;
  uint32_t mask_ = ~0u;
  bool exclusive_ = false;
  std::atomic<WaitQueue*> queue_{nullptr};

 public:
  using List = boost::intrusive::list<
      Waiter, boost::intrusive::member_hook<Waiter, boost::intrusive::list_member_hook<>, &Waiter::hook_>,
      boost::intrusive::constant_time_size<false>>;
};

class WaitQueue {
 public:
  WaitQueue() = default;
  ~WaitQueue();
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;

  // mask: the events (poll(2) bits, or any private meaning) the waiter wants to hear of.
  void add(Waiter& w, uint32_t mask = ~0u, bool exclusive = false);
  // After return no notify() of w by this queue is running or will run. Does nothing if w is not on this
  // queue.
  void remove(Waiter& w);
  // Notifies all non-exclusive waiters that match and up to `exclusive_limit` exclusive ones. Returns how
  // many said that they woke.
  uint32_t wake(uint32_t events = ~0u, uint32_t exclusive_limit = 1);
  uint32_t wake_all(uint32_t events = ~0u) { return wake(events, ~0u); }
  // A hint without the lock: false means that wake() would find nobody. Callers need a full fence between
  // publishing the condition and asking.
  bool maybe_waiters() const { return count_.load(std::memory_order_seq_cst) != 0; }

 private:
  SpinLock lock_{LockRank::wait_queue};
  std::atomic<uint32_t> count_{0};
  Waiter::List waiters_ GUARDED_BY(lock_);
};

// The waiter of one parked thread.
class ParkWaiter final : public Waiter {
 public:
  ParkWaiter() : parker_(Parker::current()) {}
  bool notify(uint32_t events) override {
    events_.fetch_or(events, std::memory_order_relaxed);
    parker_.unpark();
    return true;
  }
  Parker& parker() { return parker_; }

 private:
  Parker& parker_;
  std::atomic<uint32_t> events_{0};
};

}  // namespace runsc
