#include "kernel/exit.h"

#include "kernel/base/log.h"
#include "kernel/blocking.h"
#include "kernel/clone.h"
#include "kernel/control/containers.h"
#include "kernel/control/control.h"
#include "kernel/core/core_dump.h"
#include "kernel/executable.h"
#include "kernel/futex.h"
#include "kernel/ipc/sem.h"
#include "kernel/job_control.h"
#include "kernel/namespaces.h"
#include "kernel/notify.h"
#include "kernel/oom.h"
#include "kernel/pid.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/sched/scheduler.h"
#include "kernel/signal/signal.h"
#include "kernel/stdio/host_stream.h"
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
  u.read_chars = t.io.read_chars.load(std::memory_order_relaxed);
  u.written_chars = t.io.written_chars.load(std::memory_order_relaxed);
  u.read_calls = t.io.read_calls.load(std::memory_order_relaxed);
  u.write_calls = t.io.write_calls.load(std::memory_order_relaxed);
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
  set_sem_undo(task, nullptr);
  task.set_files(nullptr);
  task.set_fs(nullptr);
  task.set_namespaces(nullptr);
}

// ---- Children of a process that ends

// A subreaper above, or the init of its namespace. Null: of what is left when that has died.
ThreadGroup* new_parent_locked(ThreadGroup& group) REQUIRES(g_tree_lock) {
  const PidNamespace& ns = group.pid_namespace();
  // Those above who are in namespaces as deep are in the same one.
  for (ThreadGroup* p = group.parent; p && p->pid_namespace().level() == ns.level(); p = p->parent)
    if (p->subreaper && !p->zombie && p->live_threads > 0) return p;
  return ns.init != &group ? ns.init : nullptr;
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
    if (s == 0) continue;
    const PidNamespace& ns = child.pid_namespace();
    const Task& dying = Task::current();
    SigInfo info(s, sig_code::user);
    info.rt.pid = number_in_locked(ns, dying.pid());
    info.rt.uid = uid_shown_to(child, &dying);
    (void)queue_signal_tree_locked(child, t, info,
                                   ns.contains(dying.pid_namespace()) ? Origin::user : Origin::outside);
  }
}

// Zombies whose new parent does not want to hear of them are collected here and dropped without locks.
struct Dropped {
  Vec<Ref<Task>> tasks;
  void add(Ref<Task> t) {
    if (t && !tasks.push_back(std::move(t))) log_error("out of memory while dropping a dead process");
  }
};

void reparent_children_locked(ThreadGroup& group, Dropped& dropped) REQUIRES(g_tree_lock) {
  if (group.children.empty()) return;
  ThreadGroup* parent = new_parent_locked(group);
  if (!parent) parent = &all_groups().front();
  while (!group.children.empty()) {
    ThreadGroup& child = group.children.front();
    group.children.pop_front();
    death_signals_locked(child);
    child.parent = parent;
    set_parent_number_locked(child);
    child.parent_task = parent->leader;
    parent->children.push_back(child);
    wake_orphans_locked(group, child.pgid);
    child.exit_signal = sig::chld;
    if (child.zombie && !is_traced(*child.leader)) dropped.add(tell_parent_of_zombie_locked(child));
  }
}

// ---- A PID namespace's end (pid_namespaces(7)): everybody else in it dies before its init is gone

void release_tracees_locked(Task& task, Dropped& dropped) REQUIRES(g_tree_lock) {
  ptrace_leave_tracees_locked(task, [&](Task& t) REQUIRES(g_tree_lock) {
    if (&t != t.group().leader) {
      Released gone = release_thread_locked(t);
      dropped.add(std::move(gone.thread));
      dropped.add(std::move(gone.leader));
    } else if (t.group().zombie) {
      dropped.add(tell_parent_of_zombie_locked(t.group()));
    }
  });
}

// True: nobody is left. Zombies among its own children, and of those that it traced, go into `dropped`.
bool end_namespace_step(Task& task, PidNamespace& ns, Dropped& dropped) {
  ThreadGroup& init = task.group();
  LockGuard tree(g_tree_lock);
  const bool first = !std::exchange(ns.ended, true);
  release_tracees_locked(task, dropped);
  uint32_t own = 0;
  for_each_thread_locked(init, [&](Task&) { ++own; });
  if (ns.tasks == own) {
    ns.init = nullptr;
    return true;
  }
  // Nobody is born after the first time.
  for (ThreadGroup& g : all_groups())
    if (first && &g != &init && !g.zombie && ns.contains(g.pid_namespace()))
      (void)queue_signal_tree_locked(g, nullptr, SigInfo(sig::kill, sig_code::kernel), Origin::outside);
  for (bool again = true; again;) {
    again = false;
    for (ThreadGroup& child : init.children)
      if (child.zombie && !is_traced(*child.leader)) {
        dropped.add(reap_locked(child));
        again = true;
        break;
      }
  }
  return false;
}

void end_namespace(Task& task) {
  ThreadGroup& init = task.group();
  PidNamespace& ns = init.pid_namespace();
  // Who ends from now on is waited for by nobody.
  init.actions->exchange(sig::chld, SigAction{kSigIgn, 0, 0, 0});
  // Of those who end with another signal, or none, only the second tells.
  ParkWaiter waiter, child_waiter;
  ns.left.add(waiter);
  init.child_wait.add(child_waiter);
  for (;;) {
    Dropped dropped;
    if (end_namespace_step(task, ns, dropped)) break;
    if (dropped.tasks.empty()) task.sched.park_event();
  }
  init.child_wait.remove(child_waiter);
  ns.left.remove(waiter);
}

// ---- The container's end

void kill_everyone() {
  LockGuard tree(g_tree_lock);
  for (ThreadGroup& g : all_groups())
    if (g.pid != 1 && !g.zombie)
      (void)queue_signal_tree_locked(g, nullptr, SigInfo(sig::kill, sig_code::kernel), Origin::outside);
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
  task.work.clear(Work::signal);
  ParkWaiter waiter;
  init.child_wait.add(waiter);
  for (;;) {
    kill_everyone();
    if (!others_left(init) || monotonic_ns() > deadline) break;
    task.work.clear(Work::signal);
    (void)park_interruptible(task, monotonic_ns() + 100'000'000);
  }
  init.child_wait.remove(waiter);
  if (others_left(init)) log_warning("processes were left when init ended");
  drain_terminal(hostcall::kInitProcess);
  (void)hostcall::call<hostcall::Exit>([&](auto& r) { r.wait_status = static_cast<uint32_t>(status); });
  PANIC("the host let an ended sandbox go on");
}

// ---- One thread

bool is_init_of_container(ThreadGroup& group) {
  LockGuard tree(g_tree_lock);
  return group.container->init == &group;
}

// Out of the table; who calls drops it without locks.
Ref<Task> remove_thread_locked(ThreadGroup& group, Task& task) REQUIRES(g_tree_lock) {
  unlink_thread_locked(group, task);
  pid_remove_locked(task);
  return Ref<Task>::adopt(&task);
}

bool leave_group(Task& task, int32_t status, Dropped& dropped) {
  ThreadGroup& group = task.group();
  LockGuard tree(g_tree_lock);
  task.dead = true;
  task.exit_code = status;
  release_tracees_locked(task, dropped);
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
  if (last && group.pid != 1) {
    reparent_children_locked(group, dropped);
    wake_orphans_locked(group, group.pgid);
  }
  if (&task != group.leader && is_traced(task)) {
    ++group.zombie_threads;
    ptrace_notify_tracer_locked(task, end_of(status).code, end_of(status).value);
  } else if (&task != group.leader) {
    dropped.add(remove_thread_locked(group, task));
  }
  if (last && group.zombie_threads == 0 && group.pid != 1) dropped.add(become_zombie_locked(group));
  return last;
}

}  // namespace

bool kill_pending(Task& task) {
  ThreadGroup& group = task.group();
  LockGuard guard(group.signal_lock);
  const uint64_t pending = task.signals.queue.pending() | group.queue.pending();
  return group.must_leave.load() || (pending & sig_bit(sig::kill)) != 0;
}

ProcessEnd end_of(int32_t status) {
  constexpr int32_t kDumped = 0x80;
  if (status & 0x7f) return {status & kDumped ? sig_code::cld_dumped : sig_code::cld_killed, status & 0x7f};
  return {sig_code::cld_exited, status >> 8 & 0xff};
}

Ref<Task> tell_parent_of_zombie_locked(ThreadGroup& group) {
  if (!group.parent) {
    if (group.host_number == kNotOfHost) return nullptr;
    process_of_host_ended_locked(group);
    return reap_locked(group);
  }
  const ProcessEnd end = end_of(group.wait_status);
  bool silent = group.exit_signal == sig::chld && ignores_children_locked(*group.parent);
  notify_parent_locked(group, end.code, end.value);
  if (!silent || is_traced(*group.leader)) return nullptr;
  // Nobody waits: what it used counts for nobody (getrusage(2)).
  group.dead_threads = {};
  group.dead_children = {};
  return reap_locked(group);
}

// The last thread took the process with it.
Ref<Task> become_zombie_locked(ThreadGroup& group) {
  group.zombie = true;
  group.container->ended.user += group.dead_threads.user_ticks;
  group.container->ended.system += group.dead_threads.system_ticks;
  group.container->left.wake_all();
  group.parent_task = nullptr;
  if (!ptraced_by_other_locked(*group.leader, group.parent)) return tell_parent_of_zombie_locked(group);
  const ProcessEnd end = end_of(group.wait_status);
  ptrace_notify_tracer_locked(*group.leader, end.code, end.value);
  return nullptr;
}

Released release_thread_locked(Task& task) {
  ThreadGroup& group = task.group();
  ptrace_unlink_locked(task);
  --group.zombie_threads;
  Released gone{remove_thread_locked(group, task), nullptr};
  if (group.live_threads == 0 && group.zombie_threads == 0) gone.leader = become_zombie_locked(group);
  group.exit_wait.wake_all();
  return gone;
}

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
  set_group_and_session_locked(group, 0, 0);
  return Ref<Task>::adopt(leader);
}

void exit_task(Task& task, int32_t status) {
  ThreadGroup& group = task.group();
  join_core_dump(task);
  ptrace_exit(task, status);
  // What the sentry needs to end it must be had, whoever pays for it has left. Its own memory, into which it
  // is about to write, need not: so what is short is mended first, unless this is how.
  if (task.work.has(Work::memory)) (void)mend_shortage(task);
  task.unrefused = arch::cpu_local().unrefused = true;
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
  if (last_live && group.own_pid == 1) end_namespace(task);
  if (last_live && is_init_of_container(group)) end_container_of(task);
  Ref<ThreadGroup> keep(group);
  {
    Dropped dropped;
    leave_group(task, status, dropped);
  }
  group.exit_wait.wake_all();
  keep = nullptr;
  report_ended_processes();
  sched_die();
}

void exit_group(Task& task, int32_t status) {
  ThreadGroup& group = task.group();
  begin_group_exit(group, status);
  exit_task(task, group.exit_code);
}

}  // namespace runsc::kernel
