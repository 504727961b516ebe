// The table of tasks by number, and walks over processes (pid_namespaces(7): one, the container's).
#pragma once

#include <cstdint>

#include "kernel/base/ref.h"
#include "kernel/base/result.h"
#include "kernel/task.h"
#include "kernel/thread_group.h"

namespace runsc::kernel {

inline constexpr int32_t kPidMax = 32768;

void pid_init();
// A free number. EAGAIN when all are taken.
Result<int32_t> pid_allocate_locked() REQUIRES(g_tree_lock);
// The table counts as one reference.
void pid_insert_locked(Task& task) REQUIRES(g_tree_lock);
void pid_remove_locked(Task& task) REQUIRES(g_tree_lock);  // the reference passes to the caller
Task* pid_find_locked(int32_t tid) REQUIRES(g_tree_lock);

Ref<Task> find_task(int32_t tid);
Ref<ThreadGroup> find_group(int32_t pid);
ThreadGroup& init_group();  // pid 1

ThreadGroup::GroupList& all_groups() REQUIRES(g_tree_lock);
// Does any process belong to it?
bool process_group_exists_locked(int32_t pgid, int32_t sid) REQUIRES(g_tree_lock);
uint32_t task_count();
int32_t last_pid();
// The next process or task with a number >= `from` (procfs), or null.
Ref<ThreadGroup> next_group(int32_t from);
Ref<Task> next_thread_of(ThreadGroup& group, int32_t from_tid);

// Calls f(Task&) for every thread of the group. f takes no lock of rank <= process_tree.
template <class F>
void for_each_thread_locked(ThreadGroup& group, F&& f) {
  for (Task* t = group.threads; t; t = t->next_thread) f(*t);
}

}  // namespace runsc::kernel
