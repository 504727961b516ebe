// The signal mask that ppoll(2), pselect(2), epoll_pwait(2) and rt_sigsuspend(2) put in place for their wait.
#pragma once

#include <cstdint>

#include "kernel/base/result.h"

namespace runsc::kernel {

class Task;

// Reads a mask at `address` (0: nothing to do) and makes it the task's mask until the system call is over:
// the old one comes back with the return to user mode, or, when a handler runs, with its rt_sigreturn(2).
// EINVAL: size != 8; EFAULT.
Result<void> set_temporary_mask(Task& task, uint64_t address, uint64_t size);

}  // namespace runsc::kernel
