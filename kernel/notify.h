// What a process tells its parent: SIGCHLD and wait(2).
#pragma once

#include "kernel/thread_group.h"

namespace runsc::kernel {

// `code`: CLD_*; `status`: exit code or signal. Sends the exit signal (SIGCHLD when it is a matter of
// stopping) and wakes wait(2).
void notify_parent_locked(ThreadGroup& group, int code, int status) REQUIRES(g_tree_lock);

// The task's user, as the process calls it.
uint32_t uid_shown_to(const ThreadGroup& viewer, const Task* task) REQUIRES(g_tree_lock);
// getppid(2) of the process, after its parent has changed.
void set_parent_number_locked(ThreadGroup& group) REQUIRES(g_tree_lock);

}  // namespace runsc::kernel
