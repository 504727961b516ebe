// Times as system calls pass them.
#pragma once

#include "kernel/blocking.h"
#include "kernel/task.h"
#include "mm/user_ptr.h"

namespace runsc::kernel {

struct UserTimespec {
  int64_t sec, nsec;
};
struct UserTimeval {
  int64_t sec, usec;
};

// EINVAL: negative or not normal. Very long times are cut to some centuries.
Result<uint64_t> to_ns(const UserTimespec& t);
UserTimespec to_timespec(uint64_t ns);
// A timespec in user memory as a deadline from now; null pointer: kNoDeadline. EFAULT, EINVAL.
Result<uint64_t> read_relative_deadline(Task& task, uint64_t address);
// An absolute time of CLOCK_REALTIME (`wall`) or CLOCK_MONOTONIC as a deadline.
Result<uint64_t> read_absolute_deadline(Task& task, uint64_t address, bool wall);

}  // namespace runsc::kernel
