#include "kernel/clone.h"

#include "fs/user_namespace.h"
#include "kernel/base/check.h"
#include "kernel/base/log.h"
#include "kernel/blocking.h"
#include "kernel/control/containers.h"
#include "kernel/control/freezer.h"
#include "kernel/executable.h"
#include "kernel/ipc/sem.h"
#include "kernel/namespaces.h"
#include "kernel/notify.h"
#include "kernel/pid.h"
#include "kernel/pidfd.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/sched/scheduler.h"
#include "kernel/signal/signal.h"
#include "kernel/time/clock.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

namespace {

using namespace clone_flag;

Result<void> check_flags(const Task& parent, const CloneRequest& r) {
  uint64_t f = r.flags;
  if (f & clone_flag::fs && f & (newns | newuser)) return Errno::inval;
  if (f & thread &&
      (f & (newuser | newpid) || &parent.namespaces().pid_for_children() != &parent.pid_namespace()))
    return Errno::inval;
  if (f & sighand && !(f & vm)) return Errno::inval;
  if (f & thread && !(f & sighand)) return Errno::inval;
  if (f & clear_sighand && f & sighand) return Errno::inval;
  if (f & pidfd && f & (thread | detached)) return Errno::inval;
  if (f & into_cgroup) return Errno::inval;
  if (f & clone_flag::parent && parent.own_pid() == 1) return Errno::inval;
  return {};
}

// Those of the parent, or with new ones among them.
Result<Ref<Namespaces>> copy_namespaces(const Task& parent, uint64_t flags, fs::FsContext& fs,
                                        const fs::Credentials& creds) {
  if (!(flags & ((namespaces & ~newuser) | newtime))) return parent.namespaces_ref();
  if (!creds.has_own(fs::Cap::sys_admin)) return Errno::perm;
  if (flags & newipc && flags & sysvsem) return Errno::inval;
  return parent.namespaces().clone(flags, fs, creds);
}

// clone3(2), set_tid: more numbers than namespaces, or none that can be given: EINVAL; EPERM.
Result<void> check_wanted_numbers(const Task& parent, const PidNamespace& ns,
                                  std::span<const int32_t> wanted) {
  if (wanted.size() > ns.level() + 1) return Errno::inval;
  const PidNamespace* at = &ns;
  for (int32_t number : wanted) {
    if (number < 1 || number >= kPidMax) return Errno::inval;
    if (!fs::is_capable(parent.creds(), at->owner(), fs::Cap::sys_admin) &&
        !fs::is_capable(parent.creds(), at->owner(), fs::Cap::checkpoint_restore))
      return Errno::perm;
    at = at->parent();
  }
  return {};
}

// Everything of the child that can fail, before it is visible to anyone.
Result<void> copy_resources(Task& parent, Task& child, const CloneRequest& r) {
  uint64_t f = r.flags;
  TaskInternals::user_state(child) = TRY(arch::user_state_create());
  TRY(arch::user_state_copy(child.user_state(), parent.user_state()));
  child.regs() = parent.regs();
  child.regs().rax = 0;
  child.regs().orig_rax = ~uint64_t{0};
  if (r.stack != 0) child.regs().rsp = r.stack;
  if (f & settls) arch::set_fs_base(child.user_state(), r.tls);
  TaskInternals::creds(child) = f & newuser ? TRY(creds_in_new_user_namespace(parent)) : parent.creds_ref();
  TaskInternals::files(child) = f & files ? parent.files_ref() : TRY(parent.files().clone());
  TaskInternals::fs(child) = f & clone_flag::fs ? parent.fs_ref() : TRY(parent.fs().clone());
  child.set_namespaces(TRY(copy_namespaces(parent, f, child.fs(), child.creds())));
  PidNamespace& ns = f & thread ? parent.pid_namespace() : child.namespaces().pid_for_children();
  TRY(check_wanted_numbers(parent, ns, r.set_tid));
  if (!ns.is_first()) TaskInternals::nested_pid(child) = TRY(NestedPid::create(Ref<PidNamespace>(ns)));
  if (f & sysvsem) {
    if (!parent.sem_undo) set_sem_undo(parent, TRY(SemUndoList::create()));
    child.sem_undo = parent.sem_undo;
  }
  TaskInternals::mm(child) = f & vm ? parent.mm_ref() : TRY(parent.mm().fork());
  return {};
}

void copy_signal_state(Task& parent, Task& child, uint64_t flags) {
  child.signals.blocked.store(parent.signals.blocked.load(std::memory_order_relaxed),
                              std::memory_order_relaxed);
  // A thread on the same memory must not share the alternate stack; vfork's child may, its parent sleeps.
  if (!(flags & vm) || flags & vfork) child.signals.alt_stack = parent.signals.alt_stack;
}

Result<Ref<ThreadGroup>> new_group(Task& parent, const CloneRequest& r) {
  ThreadGroup& old = parent.group();
  Ref<ThreadGroup> group = TRY(ThreadGroup::create());
  if (r.flags & sighand)
    group->actions = old.actions;
  else if (r.flags & clear_sighand)
    group->actions = TRY(old.actions->clone(true));
  else
    group->actions = TRY(old.actions->clone(false));
  group->limits.copy_from(old.limits);
  // A sibling ends with the signal that its maker would end with.
  group->exit_signal = r.flags & clone_flag::parent ? old.exit_signal : r.exit_signal;
  group->dumpable.store(old.dumpable.load());
  group->core_filter.store(old.core_filter.load());
  group->oom_score_adj.store(old.oom_score_adj.load());
  group->oom_score_adj_min.store(old.oom_score_adj_min.load());
  group->login_uid.store(old.login_uid.load());
  group->login_session.store(old.login_session.load());
  group->timer_slack_ns.store(old.timer_slack_ns.load());
  group->membarrier.store(old.membarrier.load());
  group->container = old.container;
  group->auxv_start.store(old.auxv_start.load());
  group->auxv_end.store(old.auxv_end.load());
  inherit_executable(*group, old);
  return group;
}

uint64_t tasks_of_user(uint32_t uid) {
  uint64_t n = 0;
  LockGuard tree(g_tree_lock);
  for (ThreadGroup& g : all_groups())
    for_each_thread_locked(g, [&](Task& t) {
      Ref<fs::Credentials> c = t.creds_ref();
      if (c && c->uid == uid) ++n;
    });
  return n;
}

Result<void> check_process_limit(Task& parent) {
  const fs::Credentials& creds = parent.creds();
  uint64_t limit = parent.limit(static_cast<unsigned>(Resource::nproc));
  if (creds.uid == 0 || creds.has(fs::Cap::sys_resource) || creds.has(fs::Cap::sys_admin)) return {};
  // Counting is dear: only where all tasks together reach the limit.
  if (task_count() >= limit && tasks_of_user(creds.uid) >= limit) return Errno::again;
  return {};
}

// Numbers, and the places in tables and lists. After this others see the child.
Result<void> link_child(Task& parent, Task& child, ThreadGroup* fresh, const CloneRequest& r, bool traced) {
  ThreadGroup& old = parent.group();
  LockGuard tree(g_tree_lock);
  if (old.must_leave.load(std::memory_order_relaxed)) return Errno::restartnointr;
  TRY(old.container->admit_task_locked());
  TRY(pid_allocate_locked(child, r.set_tid));
  seccomp_inherit(parent, child);  // here, so that no TSYNC misses it
  ThreadGroup& group = fresh ? *fresh : old;
  if (fresh) {
    group.pid = child.tid();
    group.own_pid = child.own_tid();
    if (NestedPid* pid = child.nested_pid()) group.own_namespace = Ref<PidNamespace>(pid->ns());
    group.leader = &child;
    group.parent = !(r.flags & clone_flag::parent) ? &old : old.parent ? old.parent : &all_groups().front();
    group.parent_task = r.flags & clone_flag::parent ? old.parent_task : &parent;
    set_parent_number_locked(group);
    set_group_and_session_locked(group, old.pgid, old.sid);
    if (group.own_pid == 1) group.pid_namespace().init = &group;
    if (group.parent) group.parent->children.push_back(group);
    all_groups().push_back(group);
  }
  child.next_thread = group.threads;
  group.threads = &child;
  ++group.thread_count;
  ++group.active_threads;
  ++group.live_threads;
  pid_insert_locked(child);
  freeze_new_task_locked(child);
  if (traced) ptrace_inherit_locked(parent, child);
  return {};
}

void child_entry(void* argument) {
  sched_first_run();
  Task& task = *static_cast<Task*>(argument);
  run_task(task);
}

// The child's side of CLONE_CHILD_SETTID needs its own memory: written by the child before its first
// instruction.
void child_entry_settid(void* argument) {
  sched_first_run();
  Task& task = *static_cast<Task*>(argument);
  uint64_t address = task.restart.a;
  int32_t tid = task.own_tid();
  (void)mm::copy_out_bytes(task.mm(), address, &tid, sizeof tid);
  run_task(task);
}

Result<void> publish_numbers(Task& parent, Task& child, const CloneRequest& r) {
  int32_t tid = number_for(parent, child.tid());
  if (r.flags & parent_settid) (void)mm::copy_out_bytes(parent.mm(), r.parent_tid, &tid, sizeof tid);
  return {};
}

// False: the parent is killed.
bool wait_for_vfork(Task& parent, VforkWait& wait) {
  ParkWaiter waiter;
  wait.queue.add(waiter);
  while (!wait.done.load(std::memory_order_acquire) &&
         !parent.group().must_leave.load(std::memory_order_relaxed) &&
         !((parent.signals.queue.pending() | parent.group().queue.pending()) & abi::sig_bit(abi::sig::kill)))
    parent.sched.park_event();
  wait.queue.remove(waiter);
  return wait.done.load(std::memory_order_acquire);
}

}  // namespace

void vfork_done(Task& child) {
  VforkWait* wait = std::exchange(child.vfork, nullptr);
  wait->done.store(true, std::memory_order_release);
  wait->queue.wake_all();
  wait->unref();
}

namespace {

// SCHED_RESET_ON_FORK (sched(7)): no real time, and no better niceness than the ordinary one.
void copy_scheduling(const SchedEntity& parent, SchedEntity& child) {
  const bool reset = parent.reset_on_fork.load();
  const bool real_time = parent.rt_priority.load() > 0;
  const int32_t nice = parent.nice.load();
  child.affinity.store(parent.affinity.load());
  child.policy.store(reset && real_time ? 0 : parent.policy.load());
  child.rt_priority.store(reset ? 0 : parent.rt_priority.load());
  child.nice.store(reset && (real_time || nice < 0) ? 0 : nice);
}

// A priority of its own goes along, into a context of the child's own or, with CLONE_IO, in the common one.
Result<void> copy_io_context(const Task& parent, Task& child, uint64_t flags) {
  Ref<IoContext> theirs = parent.io_context_ref();
  if (!theirs) return {};
  if (flags & io) {
    child.set_io_context(std::move(theirs));
    return {};
  }
  const uint32_t priority = theirs->priority.load(std::memory_order_relaxed);
  if (priority != 0) TRY(child.make_io_context())->priority.store(priority, std::memory_order_relaxed);
  return {};
}

// What a tracer may want to know of this clone.
PtraceEvent event_of(const CloneRequest& r) {
  if (r.flags & vfork) return PtraceEvent::vfork;
  return r.exit_signal == abi::sig::chld ? PtraceEvent::fork : PtraceEvent::clone;
}
}  // namespace

Result<int32_t> clone_task(Task& parent, const CloneRequest& request) {
  uint64_t f = request.flags;
  TRY(check_flags(parent, request));
  TRY(check_process_limit(parent));
  Ref<Task> child = TRY(Task::create());
  Ref<ThreadGroup> fresh;
  if (!(f & thread)) fresh = TRY(new_group(parent, request));
  TRY(copy_resources(parent, *child, request));
  TaskInternals::group(*child) = fresh ? fresh : Ref<ThreadGroup>(parent.group());
  copy_signal_state(parent, *child, f);
  child->set_account(parent.account);
  child->set_comm(parent.comm().text);
  copy_scheduling(parent.sched, child->sched);
  child->personality.store(parent.personality.load());
  child->memory_policy = parent.memory_policy;
  TRY(copy_io_context(parent, *child, f));
  child->start_ns.store(monotonic_ns());
  if (!(f & vm)) {
    child->rseq_address = parent.rseq_address;
    child->rseq_size = parent.rseq_size;
    child->rseq_signature = parent.rseq_signature;
  }
  if (f & child_cleartid) child->clear_child_tid = request.child_tid;
  bool settid = f & child_settid;
  if (settid) child->restart.a = request.child_tid;
  Ref<VforkWait> wait;
  if (f & vfork) {
    wait = make_ref<VforkWait>();
    if (!wait) return Errno::nomem;
    child->vfork = Ref<VforkWait>(wait).leak();
  }
  TRY(sched_prepare(child->sched, settid ? child_entry_settid : child_entry, child.get()));
  const PtraceEvent event = event_of(request);
  const bool told = !(f & untraced) && ptrace_wants(parent, event);
  Result<void> linked = link_child(parent, *child, fresh.get(), request, told || f & clone_flag::ptrace);
  if (!linked) {
    if (child->vfork) std::exchange(child->vfork, nullptr)->unref();
    return linked.error();
  }
  // As the parent sees it, and as its tracer does.
  const int32_t tid = number_for(parent, child->tid());
  const int32_t told_tid = told || wait ? number_for_tracer(parent, child->tid()) : 0;
  (void)publish_numbers(parent, *child, request);
  if (f & pidfd)
    if (auto r = install_pidfd(parent, *fresh, request.pidfd); !r) log_info("no descriptor for a pidfd");
  child->ref();  // the scheduler's, dropped when the task has died
  sched_start(child->sched);
  if (told) ptrace_event(parent, event, static_cast<uint32_t>(told_tid));
  if (wait && wait_for_vfork(parent, *wait))
    ptrace_event(parent, PtraceEvent::vfork_done, static_cast<uint32_t>(told_tid));
  return tid;
}

namespace {
void kernel_thread_entry(void* argument) {
  sched_first_run();
  Task& task = *static_cast<Task*>(argument);
  task.kernel_entry(task.kernel_argument);
  sched_die();
}
}  // namespace

Result<Ref<Task>> start_kernel_thread(std::string_view name, void (*entry)(void*), void* argument) {
  Ref<Task> task = TRY(Task::create());
  TaskInternals::group(*task) = TRY(ThreadGroup::create());
  task->group().actions = TRY(SignalActions::create());
  task->set_comm(name);
  task->kernel_entry = entry;
  task->kernel_argument = argument;
  TRY(sched_prepare(task->sched, kernel_thread_entry, task.get()));
  task->ref();
  sched_start(task->sched);
  return task;
}

}  // namespace runsc::kernel
