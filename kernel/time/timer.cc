#include "kernel/time/timer.h"

#include "kernel/base/check.h"
#include "kernel/base/cpu_hooks.h"
#include "kernel/sched/scheduler.h"
#include "kvm/arch/paid_by.h"

namespace runsc::kernel {

Timer::~Timer() {
  DCHECK(!armed(), "a timer destroyed while armed");
  cancel();
}

bool Timer::armed() const { return queue_.load(std::memory_order_acquire) != nullptr; }

void Timer::arm(uint64_t deadline_ns) {
  for (;;) {
    try_cancel();
    TimerQueue& q = sched_timers();
    LockGuard guard(q.lock_);
    TimerQueue* nowhere = nullptr;
    if (!queue_.compare_exchange_strong(nowhere, &q, std::memory_order_acq_rel))
      continue;  // armed elsewhere meanwhile
    deadline_ = deadline_ns;
    payer_.store(arch::cpu_local().account, std::memory_order_relaxed);
    q.timers_.insert(*this);
    q.note_earliest_locked();
    arch::cpu_local().look = true;
    return;
  }
}

bool Timer::try_cancel() {
  for (;;) {
    TimerQueue* q = queue_.load(std::memory_order_acquire);
    if (!q) return false;
    LockGuard guard(q->lock_);
    if (queue_.load(std::memory_order_relaxed) != q) continue;
    q->timers_.erase(TimerQueue::Set::s_iterator_to(*this));
    queue_.store(nullptr, std::memory_order_release);
    q->note_earliest_locked();
    return true;
  }
}

bool Timer::cancel() {
  bool was_armed = try_cancel();
  TimerQueue* mine = &sched_timers();
  // fire() does not sleep, so a firing on this very CPU is the caller itself.
  for (uint32_t round = 0;; ++round) {
    TimerQueue* q = firing_.load(std::memory_order_acquire);
    if (!q || q == mine || q->firing_.load(std::memory_order_acquire) != this) break;
    spin_relax(round);
  }
  return try_cancel() || was_armed;
}

void TimerQueue::note_earliest_locked() {
  earliest_.store(timers_.empty() ? ~uint64_t{0} : timers_.begin()->deadline_, std::memory_order_relaxed);
}

void TimerQueue::run_expired(uint64_t now_ns) {
  // Takes off what is due, to be fired. Null: nothing is, or it still fires elsewhere (`busy`).
  auto take_due = [&](bool& busy) -> Timer* {
    LockGuard guard(lock_);
    busy = false;
    if (timers_.empty() || timers_.begin()->deadline_ > now_ns) return nullptr;
    Timer& due = *timers_.begin();
    // Armed anew while another CPU runs fire(), or is about to: cancel() knows of one firing alone.
    TimerQueue* last = due.firing_.load(std::memory_order_relaxed);
    busy = last && last != this && last->firing_.load(std::memory_order_acquire) == &due;
    if (busy) return nullptr;
    timers_.erase(timers_.begin());
    note_earliest_locked();
    firing_.store(&due, std::memory_order_relaxed);
    due.firing_.store(this, std::memory_order_relaxed);
    // Release: who sees the timer disarmed sees that it fires.
    due.queue_.store(nullptr, std::memory_order_release);
    return &due;
  };
  for (uint32_t round = 0;; ++round) {
    bool busy;
    Timer* due = take_due(busy);
    if (!due && !busy) return;
    if (busy) {
      spin_relax(round);
      continue;
    }
    {
      // Not that of who happens to be here.
      PaidBy payer(due->payer_.load(std::memory_order_relaxed));
      due->fire();
    }
    firing_.store(nullptr, std::memory_order_release);
  }
}

}  // namespace runsc::kernel
