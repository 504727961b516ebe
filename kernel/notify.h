// What a process tells its parent: SIGCHLD and wait(2).
#pragma once

#include "kernel/thread_group.h"

namespace runsc::kernel {

// `code`: CLD_*; `status`: exit code or signal. Sends the exit signal (SIGCHLD when it is a matter of
// stopping) and wakes wait(2).
void notify_parent_locked(ThreadGroup& group, int code, int status) REQUIRES(g_tree_lock);

}  // namespace runsc::kernel
