// futex(2) and the robust list calls.
#include "kernel/futex.h"
#include "kernel/inspect.h"
#include "kernel/pid.h"
#include "kernel/syscalls/tasks.h"
#include "kernel/syscalls/time_args.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

namespace {
constexpr uint32_t kWait = 0, kWake = 1, kRequeue = 3, kCmpRequeue = 4, kWakeOp = 5, kWaitBitset = 9,
                   kWakeBitset = 10, kLockPi = 6, kUnlockPi = 7, kTryLockPi = 8, kLockPi2 = 13,
                   kWaitRequeuePi = 11, kCmpRequeuePi = 12;
constexpr uint32_t kPrivate = 128, kClockRealtime = 256;
constexpr uint64_t kRobustHeadSize = 24;

Result<size_t> wait(Task& task, uint64_t address, bool shared, uint32_t value, uint32_t mask,
                    uint64_t timeout, bool absolute, bool wall) {
  uint64_t deadline = absolute ? TRY(read_absolute_deadline(task, timeout, wall))
                               : TRY(read_relative_deadline(task, timeout));
  auto r = futex_wait(task, address, shared, value, mask, deadline);
  if (r) return size_t{0};
  // A relative timeout must not start anew: restart_syscall(2) goes on with the same deadline.
  if (r.error() == Errno::restartsys && !absolute && timeout) {
    task.restart = {
        RestartBlock::Kind::futex, deadline, address, value, uint64_t{mask} | uint64_t{shared} << 32, 0};
    return Errno::restart_restartblock;
  }
  return r.error();
}

Result<size_t> pi_call(Task& task, uint64_t address, bool shared, uint32_t command, uint64_t timeout,
                       bool wall) {
  if (command == kUnlockPi) {
    TRY(futex_unlock_pi(task, address, shared));
    return size_t{0};
  }
  uint64_t deadline = command == kTryLockPi ? kNoDeadline : TRY(read_absolute_deadline(task, timeout, wall));
  TRY(futex_lock_pi(task, address, shared, deadline, command == kTryLockPi));
  return size_t{0};
}

}  // namespace

Result<size_t> sys_futex(Task& task, uint64_t address, uint32_t operation, uint32_t value, uint64_t timeout,
                         uint64_t address2, uint32_t value3) {
  bool shared = !(operation & kPrivate);
  bool wall = operation & kClockRealtime;
  uint32_t command = operation & ~(kPrivate | kClockRealtime);
  if (wall && command != kWaitBitset && command != kLockPi2 && command != kWaitRequeuePi) return Errno::nosys;
  uint32_t value2 = static_cast<uint32_t>(timeout);
  switch (command) {
    case kWait:
      return wait(task, address, shared, value, ~0u, timeout, false, false);
    case kWaitBitset:
      return wait(task, address, shared, value, value3, timeout, true, wall);
    case kWake:
      return futex_wake(task, address, shared, value, ~0u);
    case kWakeBitset:
      return futex_wake(task, address, shared, value, value3);
    case kRequeue:
    case kCmpRequeue:
      if (static_cast<int32_t>(value) < 0 || static_cast<int32_t>(value2) < 0) return Errno::inval;
      return futex_requeue(task, address, address2, shared, value, value2,
                           command == kCmpRequeue ? &value3 : nullptr);
    case kWakeOp:
      return futex_wake_op(task, address, address2, shared, value, value2, value3);
    case kLockPi:
    case kLockPi2:
    case kTryLockPi:
    case kUnlockPi:
      return pi_call(task, address, shared, command, timeout, wall || command == kLockPi);
    case kWaitRequeuePi: {
      const uint64_t deadline = TRY(read_absolute_deadline(task, timeout, wall));
      TRY(futex_wait_requeue_pi(task, address, shared, value, ~0u, deadline, address2));
      return size_t{0};
    }
    case kCmpRequeuePi:
      if (static_cast<int32_t>(value) < 0 || static_cast<int32_t>(value2) < 0) return Errno::inval;
      return futex_cmp_requeue_pi(task, address, address2, shared, value, value2, value3);
    default:
      return Errno::nosys;
  }
}

Result<int> sys_futex_waitv(Task& task, uint64_t choices, uint32_t count, uint32_t flags, uint64_t timeout,
                            int clock) {
  constexpr uint32_t kMost = 128, kFutex32 = 2;
  constexpr int kRealtime = 0, kMonotonic = 1;
  struct UserChoice {
    uint64_t value, address;
    uint32_t flags, reserved;
  };
  if (flags || count == 0 || count > kMost || choices == 0) return Errno::inval;
  if (timeout && clock != kRealtime && clock != kMonotonic) return Errno::inval;
  const uint64_t deadline = TRY(read_absolute_deadline(task, timeout, clock == kRealtime));
  Vec<FutexChoice> list;
  TRY(list.reserve(count));
  for (uint32_t i = 0; i < count; ++i) {
    auto c = TRY(mm::copy_in(task.mm(), UserPtr<UserChoice>(choices + i * sizeof(UserChoice))));
    if ((c.flags & ~(kFutex32 | kPrivate)) || !(c.flags & kFutex32) || c.reserved) return Errno::inval;
    TRY(list.push_back({c.address, static_cast<uint32_t>(c.value), !(c.flags & kPrivate)}));
  }
  return futex_wait_any(task, list.span(), deadline);
}

Result<void> sys_set_robust_list(Task& task, uint64_t head, uint64_t size) {
  if (size != kRobustHeadSize) return Errno::inval;
  task.robust_list = head;
  return {};
}

Result<void> sys_get_robust_list(Task& task, int pid, uint64_t head, uint64_t size) {
  Ref<Task> t = pid == 0 ? Ref<Task>(task) : find_task(task, pid);
  if (!t) return Errno::srch;
  if (!may_inspect(*t, InspectAs::real_creds)) return Errno::perm;
  TRY(mm::copy_out(task.mm(), UserPtr<uint64_t>(size), kRobustHeadSize));
  return mm::copy_out(task.mm(), UserPtr<uint64_t>(head), t->robust_list);
}

}  // namespace runsc::kernel
