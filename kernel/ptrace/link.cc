// Who traces whom: the begin and the end of it.
#include "fs/user_namespace.h"
#include "kernel/inspect.h"
#include "kernel/notify.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/sched/scheduler.h"
#include "kernel/signal/signal.h"
#include "kernel/time/clock.h"

namespace runsc::kernel {

using namespace abi;

namespace {

// The tracer's capability counts as it was.
void link_locked(Task& tracer, Task& tracee, bool capable) REQUIRES(g_tree_lock) {
  tracee.ptrace.tracer = &tracer;
  tracee.ptrace.tracer_is_capable = capable;
  tracee.ptrace.next_tracee = tracer.ptrace.tracees;
  tracer.ptrace.tracees = &tracee;
}

bool may_be_traced_by_parent(const Task& task, const Task& parent) {
  Ref<fs::Credentials> c = parent.creds_ref();
  if (!c) return false;
  const fs::Credentials& mine = task.creds();
  if (c->user_ns == mine.user_ns && (mine.permitted & ~c->permitted) == 0) return true;
  return fs::is_capable(*c, mine.user_ns.get(), fs::Cap::sys_ptrace);
}

Result<void> attach_locked(Task& me, Task& target, bool seize, uint32_t options) REQUIRES(g_tree_lock) {
  if (target.dead || target.ptrace.tracer) return Errno::perm;
  ThreadGroup& group = target.group();
  LockGuard guard(group.signal_lock);
  Ref<fs::Credentials> theirs = target.creds_ref();
  const Namespace* over = theirs ? theirs->user_ns.get() : nullptr;
  link_locked(me, target, fs::is_capable(me.creds(), over, fs::Cap::sys_ptrace));
  target.ptrace.seized = seize;
  target.ptrace.options = options;
  if (group.stopped) {
    // From a stop of job control into one of ours.
    target.ptrace.stop_pending = target.ptrace.trapping = true;
    signal_wake(target);
  }
  return {};
}

bool is_trapping(Task& target) {
  LockGuard guard(target.group().signal_lock);
  return target.ptrace.trapping;
}

}  // namespace

Result<void> ptrace_traceme(Task& task) {
  LockGuard tree(g_tree_lock);
  if (task.ptrace.tracer) return Errno::perm;
  Task* parent = task.group().parent_task;
  if (!parent && task.group().parent) parent = task.group().parent->leader;
  // A parent that ends takes no tracees any more.
  if (!parent || parent->dead || !may_be_traced_by_parent(task, *parent)) return Errno::perm;
  LockGuard guard(task.group().signal_lock);
  link_locked(*parent, task, fs::is_capable(task.creds(), task.creds().user_ns.get(), fs::Cap::sys_ptrace));
  return {};
}

Result<void> ptrace_attach(Task& me, Task& target, bool seize, uint32_t options) {
  if (&me.group() == &target.group() || !target.user_state_or_null()) return Errno::perm;
  if (!may_inspect(target, InspectAs::real_creds)) return Errno::perm;
  {
    LockGuard tree(g_tree_lock);
    TRY(attach_locked(me, target, seize, options));
    if (!seize)
      (void)queue_signal_tree_locked(target.group(), &target, SigInfo(sig::stop, sig_code::kernel),
                                     Origin::kernel);
  }
  ParkWaiter waiter;
  me.group().child_wait.add(waiter);
  target.group().continue_wait.wake_all();
  while (is_trapping(target)) me.sched.park_event();
  me.group().child_wait.remove(waiter);
  return {};
}

void ptrace_inherit_locked(Task& parent, Task& child) {
  Task* tracer = parent.ptrace.tracer;
  if (!tracer) return;
  LockGuard guard(child.group().signal_lock);
  link_locked(*tracer, child, parent.ptrace.tracer_is_capable);
  child.ptrace.seized = parent.ptrace.seized;
  child.ptrace.options = parent.ptrace.options;
  if (child.ptrace.seized)
    child.ptrace.trap_pending = true;
  else
    child.signals.queue.add(sig::stop, nullptr);
  child.work.set(Work::signal);
}

void ptrace_unlink_locked(Task& tracee) {
  PtraceState& p = tracee.ptrace;
  if (!p.tracer) return;
  Task** at = &p.tracer->ptrace.tracees;
  while (*at != &tracee) at = &(*at)->ptrace.next_tracee;
  *at = p.next_tracee;
  ThreadGroup& group = tracee.group();
  LockGuard guard(group.signal_lock);
  p.tracer = p.next_tracee = nullptr;
  p.options = 0;
  p.seized = p.tracer_is_capable = false;
  p.stop_pending = p.trap_pending = p.notify_pending = p.trapping = false;
  tracee.work.clear(Work::ptrace_syscall);
  p.emulate = false;
  if (p.stopped) {
    tracee.work.clear(Work::ptrace_step);
    p.step = false;
  }
  bool wake = p.stopped || group.stopped;
  p.stopped = p.listening = false;
  if (wake && !tracee.dead) signal_wake(tracee);
}

void ptrace_abandon_locked(Task& tracee) {
  if (tracee.ptrace.options & ptrace_option::exitkill && !tracee.dead)
    (void)queue_signal_tree_locked(tracee.group(), &tracee, SigInfo(sig::kill, sig_code::kernel),
                                   Origin::kernel);
  ptrace_unlink_locked(tracee);
}

void ptrace_notice_locked(Task& tracee) {
  PtraceState& p = tracee.ptrace;
  p.notify_pending = true;
  if (p.listening) p.stopped = p.listening = false;
  signal_wake(tracee);
}

bool ptraced_by_other_locked(const Task& task, const ThreadGroup* parent) {
  return task.ptrace.tracer && &task.ptrace.tracer->group() != parent;
}

void ptrace_notify_tracer_locked(Task& tracee, int code, int status) {
  Task* tracer = tracee.ptrace.tracer;
  if (!tracer) return;
  constexpr uint64_t kTickNs = 10'000'000;  // clock_t of the ABI: 100 a second
  ThreadGroup& to = tracer->group();
  bool ends = code == sig_code::cld_exited || code == sig_code::cld_killed || code == sig_code::cld_dumped;
  SigAction action = to.actions->get(sig::chld);
  if (ends || (action.handler != kSigIgn && !(action.flags & sa::nocldstop))) {
    SigInfo info(sig::chld, code);
    CpuTicks ticks = sched_cpu_ticks(tracee.sched);
    info.child.pid = number_in_locked(to.pid_namespace(), tracee.tid());
    info.child.uid = uid_shown_to(to, &tracee);
    info.child.status = status;
    info.child.utime = static_cast<int64_t>(tsc_to_ns(ticks.user) / kTickNs);
    info.child.stime = static_cast<int64_t>(tsc_to_ns(ticks.system) / kTickNs);
    (void)queue_signal_tree_locked(to, nullptr, info, Origin::kernel);
  }
  to.child_wait.wake_all();
}

Result<void> ptrace_errand(Task& me, Task& tracee, void (*run)(Task&, void*), void* argument) {
  TraceeErrand errand{run, argument, me};
  {
    LockGuard guard(tracee.group().signal_lock);
    if (tracee.ptrace.tracer != &me || !tracee.ptrace.stopped || fatal_signal_pending_locked(tracee))
      return Errno::srch;
    tracee.ptrace.errand = &errand;
  }
  tracee.sched.unpark();
  while (!errand.over.load(std::memory_order_acquire)) me.sched.park_event();
  if (!errand.served) return Errno::srch;
  return {};
}

}  // namespace runsc::kernel
