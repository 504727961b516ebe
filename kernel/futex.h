// Futexes (futex(2)).
#pragma once

#include "kernel/blocking.h"
#include "kernel/task.h"

namespace runsc::kernel {

void futex_init();
// Wakes up to `count` waiters of a shared or private futex at `address` of the task's memory.
void futex_wake_address(Task& task, uint64_t address, uint32_t count);
// Marks the futexes on the task's robust list as left by their owner (get_robust_list(2)).
void exit_robust_list(Task& task);

Result<void> futex_wait(Task& task, uint64_t address, bool shared, uint32_t value, uint32_t mask,
                        uint64_t deadline_ns);
Result<size_t> futex_wake(Task& task, uint64_t address, bool shared, uint32_t count, uint32_t mask);
Result<size_t> futex_requeue(Task& task, uint64_t from, uint64_t to, bool shared, uint32_t wake,
                             uint32_t move, const uint32_t* expected);
Result<size_t> futex_wake_op(Task& task, uint64_t address, uint64_t address2, bool shared, uint32_t wake,
                             uint32_t wake2, uint32_t operation);

// futex_waitv(2): waits until one of them is woken and tells which. EAGAIN: one has another value.
struct FutexChoice {
  uint64_t address;
  uint32_t value;
  bool shared;
};
Result<int> futex_wait_any(Task& task, std::span<const FutexChoice> choices, uint64_t deadline_ns);

// Locks with priority inheritance: EDEADLK, EAGAIN (`only_try`), ESRCH (no such owner), EPERM, ETIMEDOUT.
Result<void> futex_lock_pi(Task& task, uint64_t address, bool shared, uint64_t deadline_ns, bool only_try);
Result<void> futex_unlock_pi(Task& task, uint64_t address, bool shared);
// FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI: a condition whose waiters go on with such a lock. EINVAL: they
// do not fit together; EAGAIN; ETIMEDOUT; of the lock: ESRCH, EDEADLK. As many as have been moved.
Result<void> futex_wait_requeue_pi(Task& task, uint64_t address, bool shared, uint32_t value, uint32_t mask,
                                   uint64_t deadline_ns, uint64_t lock);
Result<size_t> futex_cmp_requeue_pi(Task& task, uint64_t from, uint64_t lock, bool shared, uint32_t wake,
                                    uint32_t move, uint32_t expected);

// What FUTEX_WAKE_OP encodes; pure.
struct WakeOp {
  uint32_t operation, comparison;
  int32_t operand, compare_with;
};
Result<WakeOp> decode_wake_op(uint32_t encoded);  // ENOSYS
uint32_t apply_wake_op(const WakeOp& op, uint32_t old);
bool compare_wake_op(const WakeOp& op, uint32_t old);

}  // namespace runsc::kernel
