#include "kernel/control/freezer.h"

#include "kernel/exit.h"
#include "kernel/pid.h"
#include "kernel/sched/scheduler.h"

namespace runsc::kernel {

namespace {

constinit bool g_frozen GUARDED_BY(g_tree_lock) = false;

template <class F>
void for_all_tasks_locked(F&& f) REQUIRES(g_tree_lock) {
  for (ThreadGroup& g : all_groups()) for_each_thread_locked(g, f);
}

}  // namespace

void freeze_tasks() {
  LockGuard tree(g_tree_lock);
  g_frozen = true;
  for_all_tasks_locked([](Task& t) {
    t.work.set(Work::freeze);
    sched_kick(t.sched);
  });
}

void thaw_tasks() {
  LockGuard tree(g_tree_lock);
  g_frozen = false;
  for_all_tasks_locked([](Task& t) {
    t.work.clear(Work::freeze);
    t.sched.unpark();
  });
}

void freeze_new_task_locked(Task& task) {
  if (g_frozen) task.work.set(Work::freeze);
}

void wait_for_thaw(Task& task) {
  while (task.work.has(Work::freeze) && !kill_pending(task)) task.sched.park_event();
}

}  // namespace runsc::kernel
