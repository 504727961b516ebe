// When memory is short: of a container that has a limit, or of the whole sandbox. What nobody needs goes
// first, then the largest process of the container (of the sandbox) is killed, as Linux does it
// (Documentation/admin-guide/cgroup-v2.rst, "memory.max"; proc_pid_oom_score_adj(5)).
//
// Memory is taken deep within system calls and faults, with locks held that the process to be killed may need
// for its end. So nobody waits there: who takes more than its container's limit gets Work::memory, and on its
// way to user code, where it holds nothing, waits until there is memory, or dies. What is taken until then is
// bounded by Account::most.
//
// A call whose copy from or to user memory finds none says EFAULT, and is made again once there is some: that
// must not happen where it has taken effect, with a child reaped or a message taken. So a copy that is small
// may have of what is kept for the sentry's own objects (mm/urgent_copy.h).
#pragma once

#include "kernel/task.h"

namespace runsc::kernel {

// Before any task runs.
void oom_init();
// For a task with Work::memory. True: there was none, now there is, and the task lives.
bool mend_shortage(Task& task);
// For a task whose page fault, or copy to its memory, found none: the container's or the sandbox's is out.
// Afterwards it tries again; where nothing is out and it fails all the same (the host gives no more), not for
// ever: then the task's process is killed.
void mend_failed_fault(Task& task);

}  // namespace runsc::kernel
