#include "kernel/control/spawn.h"

#include "kernel/clone.h"
#include "kernel/control/freezer.h"
#include "kernel/namespaces.h"
#include "kernel/pid.h"
#include "kernel/sched/scheduler.h"
#include "kernel/time/clock.h"

namespace runsc::kernel {

namespace {

void process_entry(void* argument) {
  sched_first_run();
  Task& task = *static_cast<Task*>(argument);
  task.kernel_entry(task.kernel_argument);
  run_task(task);
}

}  // namespace

Result<void> spawn_process(uint32_t number, Ref<Container> container, Ref<Namespaces> namespaces,
                           Ref<fs::FsContext> context, void (*entry)(void*), void* argument) {
  Ref<Task> task = TRY(Task::create());
  Ref<ThreadGroup> group = TRY(ThreadGroup::create());
  group->actions = TRY(SignalActions::create());
  group->host_number = number;
  task->set_account(container->account_id);
  group->container = std::move(container);
  task->start_ns.store(monotonic_ns());
  TaskInternals::group(*task) = group;
  TaskInternals::user_state(*task) = TRY(arch::user_state_create());
  TaskInternals::files(*task) = TRY(fs::FdTable::create());
  TaskInternals::fs(*task) = std::move(context);
  auto root = make_ref<fs::Credentials>();
  if (!root) return Errno::nomem;
  root->effective = root->permitted = fs::kAllCaps;
  TaskInternals::creds(*task) = std::move(root);
  PidNamespace& ns = namespaces->pid_for_children();
  if (!ns.is_first()) {
    group->own_namespace = Ref<PidNamespace>(ns);
    TaskInternals::nested_pid(*task) = TRY(NestedPid::create(group->own_namespace));
  }
  task->set_namespaces(std::move(namespaces));
  task->set_comm("init");
  task->kernel_entry = entry;
  task->kernel_argument = argument;
  TRY(sched_prepare(task->sched, process_entry, task.get()));
  {
    LockGuard tree(g_tree_lock);
    Container& container_now = *group->container;
    TRY(container_now.admit_task_locked());
    TRY(pid_allocate_locked(*task));
    group->pid = task->tid();
    group->own_pid = task->own_tid();
    group->leader = group->threads = task.get();
    group->thread_count = group->active_threads = group->live_threads = 1;
    set_group_and_session_locked(*group, group->pid, group->pid);
    if (group->own_pid == 1) ns.init = group.get();
    if (number == container_now.number) container_now.init = group.get();
    freeze_new_task_locked(*task);
    all_groups().push_back(*group);
    pid_insert_locked(*task);
  }
  task->ref();  // the scheduler's
  sched_start(task->sched);
  return {};
}

}  // namespace runsc::kernel
