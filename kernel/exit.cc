#include "kernel/exit.h"

#include "kernel/base/log.h"
#include "kernel/blocking.h"
#include "kernel/clone.h"
#include "kernel/executable.h"
#include "kernel/futex.h"
#include "kernel/ipc/sem.h"
#include "kernel/job_control.h"
#include "kernel/notify.h"
#include "kernel/pid.h"
#include "kernel/sched/scheduler.h"
#include "kernel/signal/signal.h"
#include "kernel/time/clock.h"
#include "kvm/hostcall/client.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

using namespace abi;

namespace {

ResourceUsage usage_of(Task& t) {
  CpuTicks ticks = sched_cpu_ticks(t.sched);
  ResourceUsage u;
  u.user_ticks = ticks.user;
  u.system_ticks = ticks.system;
  u.minor_faults = t.minor_faults.load(std::memory_order_relaxed);
  u.major_faults = t.major_faults.load(std::memory_order_relaxed);
  u.voluntary = t.sched.voluntary_switches.load(std::memory_order_relaxed);
  u.involuntary = t.sched.involuntary_switches.load(std::memory_order_relaxed);
  return u;
}

void unlink_thread_locked(ThreadGroup& group, Task& task) REQUIRES(g_tree_lock) {
  Task** at = &group.threads;
  while (*at != &task) at = &(*at)->next_thread;
  *at = task.next_thread;
  --group.thread_count;
}

// ---- What the task lets go of, in its own context, without locks.

void release_resources(Task& task) {
  if (task.vfork) vfork_done(task);
  if (TaskInternals::mm(task)) {
    exit_robust_list(task);
    if (task.clear_child_tid != 0) {
      uint32_t zero = 0;
      if (mm::copy_out_bytes(task.mm(), task.clear_child_tid, &zero, sizeof zero))
        futex_wake_address(task, task.clear_child_tid, 1);
    }
    arch::user_switch(task.user_state_or_null(), task.user_state_or_null(), nullptr);
    task.set_mm(nullptr);
  }
  task.sem_undo = nullptr;
  task.set_files(nullptr);
  task.set_fs(nullptr);
}

// ---- Children of a process that ends

ThreadGroup& new_parent_locked(ThreadGroup& group) REQUIRES(g_tree_lock) {
  for (ThreadGroup* p = group.parent; p; p = p->parent)
    if (p->subreaper && !p->zombie && p->live_threads > 0) return *p;
  return all_groups().front();
}

bool ignores_children_locked(ThreadGroup& parent) {
  SigAction a = parent.actions->get(sig::chld);
  return a.handler == kSigIgn || a.flags & sa::nocldwait;
}

bool group_is_stopped_locked(int32_t pgid) REQUIRES(g_tree_lock) {
  for (ThreadGroup& g : all_groups())
    if (g.pgid == pgid && g.stopped) return true;
  return false;
}

bool group_is_orphaned_locked(int32_t pgid, const ThreadGroup* leaving) REQUIRES(g_tree_lock) {
  for (ThreadGroup& g : all_groups()) {
    if (g.pgid != pgid || &g == leaving || g.zombie || !g.parent) continue;
    if (g.parent->pgid != pgid && g.parent->sid == g.sid && g.parent != leaving) return false;
  }
  return true;
}

// POSIX: a stopped process group that becomes orphaned gets SIGHUP and SIGCONT.
void wake_orphans_locked(ThreadGroup& leaving, int32_t pgid) REQUIRES(g_tree_lock) {
  if (!group_is_stopped_locked(pgid) || !group_is_orphaned_locked(pgid, &leaving)) return;
  for (ThreadGroup& g : all_groups()) {
    if (g.pgid != pgid || &g == &leaving) continue;
    (void)queue_signal_tree_locked(g, nullptr, SigInfo(sig::hup, sig_code::kernel), Origin::kernel);
    (void)queue_signal_tree_locked(g, nullptr, SigInfo(sig::cont, sig_code::kernel), Origin::kernel);
  }
}

void death_signals_locked(ThreadGroup& child) REQUIRES(g_tree_lock) {
  for (Task* t = child.threads; t; t = t->next_thread) {
    int s = t->parent_death_signal.load(std::memory_order_relaxed);
    if (s != 0) (void)queue_signal_tree_locked(child, t, SigInfo(s, sig_code::user), Origin::kernel);
  }
}

// Zombies whose new parent does not want to hear of them are collected here and dropped without locks.
struct Dropped {
  Vec<Ref<Task>> tasks;
  void add(Ref<Task> t) {
    if (!tasks.push_back(std::move(t))) log_error("out of memory while dropping a dead process");
  }
};

void reparent_children_locked(ThreadGroup& group, Dropped& dropped) REQUIRES(g_tree_lock) {
  if (group.children.empty()) return;
  ThreadGroup& parent = new_parent_locked(group);
  while (!group.children.empty()) {
    ThreadGroup& child = group.children.front();
    group.children.pop_front();
    death_signals_locked(child);
    child.parent = &parent;
    child.parent_pid.store(parent.pid);
    child.parent_task = parent.leader;
    parent.children.push_back(child);
    wake_orphans_locked(group, child.pgid);
    if (!child.zombie) {
      child.exit_signal = sig::chld;
      continue;
    }
    child.exit_signal = sig::chld;
    if (ignores_children_locked(parent))
      dropped.add(reap_locked(child));
    else
      notify_parent_locked(
          child, (child.wait_status & 0x7f) ? sig_code::cld_killed : sig_code::cld_exited,
          (child.wait_status & 0x7f) ? child.wait_status & 0x7f : child.wait_status >> 8 & 0xff);
  }
}

// ---- The container's end

void kill_everyone() {
  LockGuard tree(g_tree_lock);
  for (ThreadGroup& g : all_groups())
    if (g.pid != 1 && !g.zombie)
      (void)queue_signal_tree_locked(g, nullptr, SigInfo(sig::kill, sig_code::kernel), Origin::host);
}

bool others_left(ThreadGroup& init) {
  LockGuard tree(g_tree_lock);
  for (ThreadGroup& g : all_groups())
    if (&g != &init && !g.zombie) return true;
  return false;
}

// Everything else dies before init is gone (pid_namespaces(7)); a task that will not must not keep the
// sandbox for ever.
[[noreturn]] void end_container(Task& task, int32_t status) {
  constexpr uint64_t kPatienceNs = 5'000'000'000;
  ThreadGroup& init = task.group();
  uint64_t deadline = monotonic_ns() + kPatienceNs;
  // A signal to init would end every wait below at once.
  TaskInternals::signal_pending(task).store(false, std::memory_order_relaxed);
  ParkWaiter waiter;
  init.child_wait.add(waiter);
  for (;;) {
    kill_everyone();
    if (!others_left(init) || monotonic_ns() > deadline) break;
    TaskInternals::signal_pending(task).store(false, std::memory_order_relaxed);
    (void)park_interruptible(task, monotonic_ns() + 100'000'000);
  }
  init.child_wait.remove(waiter);
  if (others_left(init)) log_warning("processes were left when init ended");
  (void)hostcall::call<hostcall::Exit>([&](auto& r) { r.wait_status = static_cast<uint32_t>(status); });
  PANIC("the host let an ended sandbox go on");
}

// ---- One thread

// The last thread took the process with it.
void group_ended_locked(ThreadGroup& group, Dropped& dropped) REQUIRES(g_tree_lock) {
  reparent_children_locked(group, dropped);
  wake_orphans_locked(group, group.pgid);
  group.zombie = true;
  group.parent_task = nullptr;
  int32_t status = group.wait_status;
  bool silent = !group.parent || (group.exit_signal == sig::chld && ignores_children_locked(*group.parent));
  if (group.parent)
    notify_parent_locked(group, (status & 0x7f) ? sig_code::cld_killed : sig_code::cld_exited,
                         (status & 0x7f) ? status & 0x7f : status >> 8 & 0xff);
  if (silent && group.parent) dropped.add(reap_locked(group));
}

bool leave_group(Task& task, int32_t status, Dropped& dropped) {
  ThreadGroup& group = task.group();
  LockGuard tree(g_tree_lock);
  task.dead = true;
  task.exit_code = status;
  group.dead_threads.add(usage_of(task));
  bool last = --group.live_threads == 0;
  for (ThreadGroup& child : group.children)
    if (child.parent_task == &task) {
      death_signals_locked(child);
      child.parent_task = last ? nullptr : group.leader;
    }
  if (last) {
    LockGuard guard(group.signal_lock);
    group.wait_status = group.exiting ? group.exit_code : status;
    group.exiting = true;
  }
  if (&task != group.leader) {
    unlink_thread_locked(group, task);
    pid_remove_locked(task);
    dropped.add(Ref<Task>::adopt(&task));
  }
  if (last && group.pid != 1) group_ended_locked(group, dropped);
  return last;
}

}  // namespace

Ref<Task> reap_locked(ThreadGroup& group) {
  Task* leader = group.leader;
  group.reaped = true;
  if (group.parent) {
    ThreadGroup& p = *group.parent;
    p.children.erase(p.children.iterator_to(group));
    p.dead_children.add(group.dead_threads);
    p.dead_children.add(group.dead_children);
    group.parent = nullptr;
  }
  all_groups().erase(all_groups().iterator_to(group));
  unlink_thread_locked(group, *leader);
  group.leader = nullptr;
  pid_remove_locked(*leader);
  return Ref<Task>::adopt(leader);
}

void exit_task(Task& task, int32_t status) {
  ThreadGroup& group = task.group();
  // Nothing interrupts what follows.
  task.signals.blocked.store(~kUnblockable, std::memory_order_relaxed);
  bool last_live = false;
  {
    LockGuard tree(g_tree_lock);
    last_live = --group.active_threads == 0;
  }
  if (last_live) {
    group.timers.clear(true);
    if (TaskInternals::mm(task)) {
      uint64_t kib = task.mm().usage().peak_resident * 4;
      LockGuard tree(g_tree_lock);
      if (kib > group.dead_threads.max_rss_kib) group.dead_threads.max_rss_kib = kib;
    }
    if (group.sid == group.pid) session_leader_exits(group.sid);
    drop_executable(group);  // a zombie runs nothing
  }
  release_resources(task);
  if (last_live && group.pid == 1) end_container(task, group.exiting ? group.exit_code : status);
  Ref<ThreadGroup> keep(group);
  {
    Dropped dropped;
    leave_group(task, status, dropped);
  }
  group.exit_wait.wake_all();
  keep = nullptr;
  sched_die();
}

void exit_group(Task& task, int32_t status) {
  ThreadGroup& group = task.group();
  begin_group_exit(group, status);
  exit_task(task, group.exit_code);
}

}  // namespace runsc::kernel
