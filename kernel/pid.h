// The table of tasks by number, walks over processes, and what the numbers are in PID namespaces
// (pid_namespaces(7)). Where nothing else is said a number is that of the first namespace.
#pragma once

#include <cstdint>

#include "kernel/base/format.h"
#include "kernel/base/ref.h"
#include "kernel/base/result.h"
#include "kernel/pid_namespace.h"
#include "kernel/task.h"
#include "kernel/thread_group.h"

namespace runsc::kernel {

inline constexpr int32_t kPidMax = 32768;

void pid_init();
PidNamespace& first_pid_namespace();

// The task gets a number in the first namespace and, if it has a NestedPid, in all down to its own. `wanted`:
// numbers that must be those, of the innermost namespace first (clone3(2), set_tid). EAGAIN: all are taken.
// EEXIST, EINVAL: a wanted number. ENOMEM: the namespace has ended.
Result<void> pid_allocate_locked(Task& task, std::span<const int32_t> wanted = {}) REQUIRES(g_tree_lock);
// The table counts as one reference.
void pid_insert_locked(Task& task) REQUIRES(g_tree_lock);
void pid_remove_locked(Task& task) REQUIRES(g_tree_lock);  // the reference passes to the caller
Task* pid_find_locked(int32_t tid) REQUIRES(g_tree_lock);
// A process joins a process group and a session, from those that it was in (0: none). 0: it leaves them.
void set_group_and_session_locked(ThreadGroup& group, int32_t pgid, int32_t sid) REQUIRES(g_tree_lock);

Ref<Task> find_task(int32_t tid);
Ref<ThreadGroup> find_group(int32_t pid);
ThreadGroup& init_group();  // pid 1

// ---- Numbers in a namespace. 0: it is not in it.
int32_t number_in_locked(const PidNamespace& ns, int32_t id) REQUIRES(g_tree_lock);
int32_t number_in(const PidNamespace& ns, int32_t id);
// What has this number there, if anything: 0.
int32_t id_of_locked(const PidNamespace& ns, int32_t number) REQUIRES(g_tree_lock);
int32_t id_of(const PidNamespace& ns, int32_t number);
// As `viewer` sees it, or means it.
int32_t number_for(const Task& viewer, int32_t id);
int32_t id_meant_by(const Task& viewer, int32_t number);
Ref<Task> find_task(const Task& viewer, int32_t number);

// "\t12\t1": what it is called in `ns` and from there down. "\t0": it is not in it.
void show_numbers_locked(int32_t id, const PidNamespace& ns, TextSink& out) REQUIRES(g_tree_lock);

ThreadGroup::GroupList& all_groups() REQUIRES(g_tree_lock);
// Does any process belong to it?
bool process_group_exists_locked(int32_t pgid, int32_t sid) REQUIRES(g_tree_lock);
uint32_t task_count();
// The number given last in a namespace (/proc/sys/kernel/ns_last_pid).
int32_t last_pid(PidNamespace& ns);
void set_last_pid(PidNamespace& ns, int32_t number);
// The next process or task with a number >= `from` (procfs), or null.
Ref<ThreadGroup> next_group(int32_t from);
Ref<Task> next_thread_of(ThreadGroup& group, int32_t from_tid);
// The same with numbers of a namespace, of those who are in it.
struct NumberedGroup {
  Ref<ThreadGroup> group;
  int32_t number = 0;
};
NumberedGroup next_group_in(const PidNamespace& ns, int32_t from);
struct NumberedTask {
  Ref<Task> task;
  int32_t number = 0;
};
NumberedTask next_thread_in(const PidNamespace& ns, ThreadGroup& group, int32_t from);

// Calls f(Task&) for every thread of the group. f takes no lock of rank <= process_tree.
template <class F>
void for_each_thread_locked(ThreadGroup& group, F&& f) {
  for (Task* t = group.threads; t; t = t->next_thread) f(*t);
}

}  // namespace runsc::kernel
