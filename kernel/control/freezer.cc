#include "kernel/control/freezer.h"

#include "kernel/exit.h"
#include "kernel/pid.h"
#include "kernel/sched/scheduler.h"

namespace runsc::kernel {

namespace {

template <class F>
void for_all_tasks_locked(const Container& container, F&& f) REQUIRES(g_tree_lock) {
  for (ThreadGroup& g : all_groups())
    if (g.container.get() == &container) for_each_thread_locked(g, f);
}

}  // namespace

void freeze_tasks(Container& container) {
  LockGuard tree(g_tree_lock);
  container.frozen = true;
  for_all_tasks_locked(container, [](Task& t) {
    t.work.set(Work::freeze);
    sched_kick(t.sched);
  });
}

void thaw_tasks(Container& container) {
  LockGuard tree(g_tree_lock);
  container.frozen = false;
  for_all_tasks_locked(container, [](Task& t) {
    t.work.clear(Work::freeze);
    t.sched.unpark();
  });
}

void freeze_new_task_locked(Task& task) {
  if (task.group().container->frozen) task.work.set(Work::freeze);
}

void wait_for_thaw(Task& task) {
  while (task.work.has(Work::freeze) && !kill_pending(task)) task.sched.park_event();
}

}  // namespace runsc::kernel
