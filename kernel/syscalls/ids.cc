// Numbers of processes, groups and sessions (credentials(7)).
#include "kernel/pid.h"
#include "kernel/syscalls/tasks.h"

namespace runsc::kernel {

Result<int32_t> sys_getpid(Task& task) { return task.own_pid(); }
Result<int32_t> sys_gettid(Task& task) { return task.own_tid(); }

Result<int32_t> sys_getppid(Task& task) { return task.group().parent_pid.load(std::memory_order_relaxed); }

namespace {

bool is_child_locked(ThreadGroup& parent, ThreadGroup& g) REQUIRES(g_tree_lock) {
  return g.parent == &parent;
}

// Linux's order of checks matters: shells look at the errno.
Result<void> setpgid_locked(Task& task, int pid, int pgid) REQUIRES(g_tree_lock) {
  ThreadGroup& own = task.group();
  ThreadGroup* target = &own;
  if (pid != own.pid) {
    Task* t = pid != 0 ? pid_find_locked(pid) : nullptr;
    if (!t || t->group().pid != pid) return Errno::srch;
    target = &t->group();
    if (!is_child_locked(own, *target)) return Errno::srch;
    if (target->sid != own.sid) return Errno::perm;
    if (target->has_execed) return Errno::acces;
  }
  if (target->sid == target->pid) return Errno::perm;
  if (pgid != pid && !process_group_exists_locked(pgid, own.sid)) return Errno::perm;
  set_group_and_session_locked(*target, pgid, target->sid);
  return {};
}

}  // namespace

Result<void> sys_setpgid(Task& task, int pid, int pgid) {
  if (pgid < 0) return Errno::inval;
  if (pid < 0) return Errno::srch;
  const PidNamespace& ns = task.pid_namespace();
  LockGuard tree(g_tree_lock);
  const int32_t id = pid == 0 ? task.pid() : id_of_locked(ns, pid);
  return setpgid_locked(task, id, pgid == 0 || pgid == pid ? id : id_of_locked(ns, pgid));
}

Result<int32_t> sys_getpgid(Task& task, int pid) {
  if (pid == 0) return number_for(task, task.group().pgid.load());
  Ref<Task> t = find_task(task, pid);
  if (!t) return Errno::srch;
  return number_for(task, t->group().pgid.load());
}

Result<int32_t> sys_getpgrp(Task& task) { return number_for(task, task.group().pgid.load()); }

Result<int32_t> sys_setsid(Task& task) {
  ThreadGroup& group = task.group();
  LockGuard tree(g_tree_lock);
  for (ThreadGroup& g : all_groups())
    if (g.pgid == group.pid) return Errno::perm;
  set_group_and_session_locked(group, group.pid, group.pid);
  return group.own_pid;
}

Result<int32_t> sys_getsid(Task& task, int pid) {
  if (pid == 0) return number_for(task, task.group().sid.load());
  Ref<Task> t = find_task(task, pid);
  if (!t) return Errno::srch;
  return number_for(task, t->group().sid.load());
}

}  // namespace runsc::kernel
