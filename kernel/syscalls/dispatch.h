// From the registers of a trap to a system call and back.
#pragma once

#include "kernel/task.h"

namespace runsc::kernel {

// Serves the call that the registers ask for; false when they hold no result to look at (execve,
// rt_sigreturn).
bool dispatch_syscall(Task& task);

}  // namespace runsc::kernel
