// The one way a system call waits for an event.
#pragma once

#include <cstdint>

#include "kernel/base/result.h"
#include "kernel/base/wait_queue.h"

namespace runsc::kernel {

class Task;

inline constexpr uint64_t kNoDeadline = ~uint64_t{0};

// Deadlines are on the monotonic clock (kernel/time/clock.h), nanoseconds.
// Parks the current task until `waiter` is notified (it must be a ParkWaiter of the current task, on its
// queue already, with the condition checked after adding), the deadline passes (ETIMEDOUT), or a signal is to
// be delivered (ERESTARTSYS).
Result<void> park_interruptible(Task& task, uint64_t deadline_ns = kNoDeadline);

// Parks until somebody wakes the task, which signals do too, or the deadline passes.
void park_until(Task& task, uint64_t deadline_ns);

// Runs `attempt` until it gives something else than EAGAIN, waiting on `queue` for `events` in between.
// `attempt` returns Result<T>. Errors: those of attempt, ERESTARTSYS, ETIMEDOUT.
template <class F>
auto block_on(Task& task, WaitQueue& queue, uint32_t events, uint64_t deadline_ns, F&& attempt)
    -> decltype(attempt()) {
  auto first = attempt();
  if (first || first.error() != Errno::again) return first;
  ParkWaiter waiter;
  queue.add(waiter, events);
  struct Leave {
    WaitQueue& queue;
    ParkWaiter& waiter;
    ~Leave() { queue.remove(waiter); }
  } leave{queue, waiter};
  for (;;) {
    auto result = attempt();
    if (result || result.error() != Errno::again) return result;
    TRY(park_interruptible(task, deadline_ns));
  }
}

}  // namespace runsc::kernel
