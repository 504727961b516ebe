// What a process executes, for /proc/PID/exe, and so that nobody writes it meanwhile (ETXTBSY).
#pragma once

#include "fs/write_access.h"
#include "kernel/thread_group.h"

namespace runsc::kernel {

// execve(2): takes the claim over; the program before ends.
void set_executable(ThreadGroup& group, fs::Path path, fs::ExecutionClaim claim);
// fork(2). `group` is new; `parent` is the caller's, which cannot execute another program meanwhile.
void inherit_executable(ThreadGroup& group, const ThreadGroup& parent);
void drop_executable(ThreadGroup& group);

}  // namespace runsc::kernel
