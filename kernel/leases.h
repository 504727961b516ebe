// Leases of files (fs/lease.h): who may have one, and opening files on which others do.
#pragma once

#include "fs/lease.h"
#include "kernel/blocking.h"
#include "kernel/time/clock.h"

namespace runsc::kernel {

// Once, at boot.
void lease_hooks_init();
// F_SETLEASE. EINVAL: no regular file in the sandbox's memory; EACCES: not the owner's, and no CAP_LEASE;
// EAGAIN: it is open elsewhere, or (F_UNLCK) there is none.
Result<void> set_lease(Task& task, fs::File& file, int fd, uint64_t argument);

// `attempt` says EAGAIN while leases are in the way; before it is waited, `begin_wait` is called. Errors: its
// own, ERESTARTSYS; with `nonblocking` EAGAIN.
template <class F, class G>
auto past_leases(Task& task, bool nonblocking, F&& attempt, G&& begin_wait) -> decltype(attempt()) {
  auto first = attempt();
  WaitQueue* queue = fs::lease_queue();
  if (first || first.error() != Errno::again || nonblocking || !queue) return first;
  begin_wait();
  ParkWaiter waiter;
  queue->add(waiter);
  struct Leave {
    WaitQueue& queue;
    ParkWaiter& waiter;
    ~Leave() { queue.remove(waiter); }
  } leave{*queue, waiter};
  for (;;) {
    auto result = attempt();
    uint64_t deadline;
    if (result || result.error() != Errno::again || !fs::lease_deadline(deadline)) return result;
    auto parked = park_interruptible(task, deadline);
    if (!parked && parked.error() != Errno::timedout) return parked.error();
  }
}

template <class F>
auto past_leases(Task& task, bool nonblocking, F&& attempt) -> decltype(attempt()) {
  return past_leases(task, nonblocking, attempt, [] {});
}

}  // namespace runsc::kernel
