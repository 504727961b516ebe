// Timer: something that happens at a time. Kept in a queue per CPU; fires on that CPU.
#pragma once

#include <boost/intrusive/set.hpp>
#include <cstdint>

#include "kernel/base/account.h"
#include "kernel/base/lock.h"

namespace runsc::kernel {

class TimerQueue;

class Timer : public boost::intrusive::set_base_hook<> {
 public:
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Fires once at `deadline_ns` (monotonic clock), soon if it is past; who pays here pays for what fire()
  // takes. Arming an armed timer moves it; of several at once, one comes last. Under locks of rank < timer.
  void arm(uint64_t deadline_ns);
  // After return fire() is not running and will not run (unless called from fire() itself). False: it was not
  // armed. The caller must hold no lock that fire() takes.
  bool cancel();
  // As cancel(), but does not wait for a fire() that runs on another CPU.
  bool try_cancel();
  bool armed() const;
  uint64_t deadline_ns() const { return deadline_; }

 protected:
  Timer() = default;
  virtual ~Timer();
  // Runs without locks on some CPU, perhaps its idle context: must not sleep. May arm() itself again, and may
  // destroy itself.
  virtual void fire() = 0;

 private:
  friend class TimerQueue;
  friend bool operator<(const Timer& a, const Timer& b) { return a.deadline_ < b.deadline_; }

  uint64_t deadline_ = 0;
  std::atomic<AccountId> payer_{kNoAccount};
  std::atomic<TimerQueue*> queue_{nullptr};   // where it is armed
  std::atomic<TimerQueue*> firing_{nullptr};  // whose CPU ran fire() last, or still does
};

class TimerQueue {
 public:
  // Runs what is due; the earliest deadline left, or ~0.
  void run_expired(uint64_t now_ns);
  uint64_t earliest_ns() const { return earliest_.load(std::memory_order_relaxed); }

 private:
  friend class Timer;
  using Set = boost::intrusive::multiset<Timer, boost::intrusive::constant_time_size<false>>;
  void note_earliest_locked() REQUIRES(lock_);

  SpinLock lock_{LockRank::timer};
  Set timers_ GUARDED_BY(lock_);
  std::atomic<uint64_t> earliest_{~uint64_t{0}};
  std::atomic<Timer*> firing_{nullptr};  // not to be looked into: fire() may have ended it
};

}  // namespace runsc::kernel
