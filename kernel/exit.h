// The end of tasks and processes (exit(2), exit_group(2)).
#pragma once

#include "kernel/task.h"
#include "kernel/thread_group.h"

namespace runsc::kernel {

constexpr int32_t exit_status(int code) { return (code & 0xff) << 8; }
constexpr int32_t death_status(int signal) { return signal & 0x7f; }

// Ends the current task; `status` is a wait status.
// A SIGKILL waits for the task, or its process ends already: no wait of the kernel's own goes on then.
bool kill_pending(Task& task);
[[noreturn]] void exit_task(Task& task, int32_t status);
// Ends its process.
[[noreturn]] void exit_group(Task& task, int32_t status);
// What a wait status says: CLD_*, and the exit code or the signal.
struct ProcessEnd {
  int code;
  int value;
};
ProcessEnd end_of(int32_t status);

// Each of these may take a task out of the tree: the caller drops the returned reference without locks.
// A process without threads is told of: its tracer hears of it first.
Ref<Task> become_zombie_locked(ThreadGroup& group) REQUIRES(g_tree_lock);
// Its parent hears of it, and if it does not want to, the zombie goes at once.
Ref<Task> tell_parent_of_zombie_locked(ThreadGroup& group) REQUIRES(g_tree_lock);
// A dead thread, never the leader, that its tracer has waited for or will not wait for any more.
struct Released {
  Ref<Task> thread, leader;
};
Released release_thread_locked(Task& task) REQUIRES(g_tree_lock);
// Takes a zombie out of the tree; the caller drops the returned reference without locks.
Ref<Task> reap_locked(ThreadGroup& group) REQUIRES(g_tree_lock);

}  // namespace runsc::kernel
