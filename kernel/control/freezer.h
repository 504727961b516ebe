// Pausing a container: no task runs user code until it is resumed. Killed tasks still die.
#pragma once

#include "kernel/control/containers.h"
#include "kernel/task.h"
#include "kernel/thread_group.h"

namespace runsc::kernel {

// Every task stops on its way to user code; those that are there are called out of it.
void freeze_tasks(Container& container);
void thaw_tasks(Container& container);
// A new task begins as the others are.
void freeze_new_task_locked(Task& task) REQUIRES(g_tree_lock);
// For a task with Work::freeze: waits.
void wait_for_thaw(Task& task);

}  // namespace runsc::kernel
