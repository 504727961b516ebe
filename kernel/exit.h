// The end of tasks and processes (exit(2), exit_group(2)).
#pragma once

#include "kernel/task.h"
#include "kernel/thread_group.h"

namespace runsc::kernel {

constexpr int32_t exit_status(int code) { return (code & 0xff) << 8; }
constexpr int32_t death_status(int signal) { return signal & 0x7f; }

// Ends the current task; `status` is a wait status.
[[noreturn]] void exit_task(Task& task, int32_t status);
// Ends its process.
[[noreturn]] void exit_group(Task& task, int32_t status);
// Takes a zombie out of the tree; the caller drops the returned reference without locks.
Ref<Task> reap_locked(ThreadGroup& group) REQUIRES(g_tree_lock);

}  // namespace runsc::kernel
