// From a queue to a handler, or to what happens without one.
#include "kernel/base/log.h"
#include "kernel/blocking.h"
#include "kernel/core/core_dump.h"
#include "kernel/exit.h"
#include "kernel/notify.h"
#include "kernel/pid.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/rseq.h"
#include "kernel/signal/signal.h"

namespace runsc::kernel {

using namespace abi;

void recalculate_pending_locked(Task& task) {
  ThreadGroup& group = task.group();
  uint64_t waiting = task.signals.queue.pending() | group.queue.pending();
  // The tracer of a task makes it go on though its process is stopped.
  bool held = is_traced(task) ? ptrace_trap_pending_locked(task) : group.stopped;
  bool pending = (waiting & ~task.signals.blocked.load(std::memory_order_relaxed)) != 0 || held ||
                 group.must_leave.load(std::memory_order_relaxed);
  task.work.assign(Work::signal, pending);
}

void set_blocked(Task& task, uint64_t mask) {
  ThreadGroup& group = task.group();
  mask &= ~kUnblockable;
  uint64_t orphaned = 0;
  {
    LockGuard guard(task.group().signal_lock);
    uint64_t old = task.signals.blocked.exchange(mask, std::memory_order_relaxed);
    orphaned = group.queue.pending() & mask & ~old;
    recalculate_pending_locked(task);
  }
  if (orphaned == 0 || group.thread_count == 1) return;
  // This thread was perhaps the one chosen for a signal that it now blocks.
  LockGuard tree(g_tree_lock);
  for_each_thread_locked(group, [&](Task& t) {
    if (&t != &task && orphaned & ~t.signals.blocked.load(std::memory_order_relaxed)) signal_wake(t);
  });
}

void set_temporary_mask(Task& task, uint64_t mask) {
  if (!task.work.has(Work::restore_mask)) {
    task.signals.saved_mask = task.signals.blocked.load(std::memory_order_relaxed);
    task.work.set(Work::restore_mask);
  }
  set_blocked(task, mask);
}

namespace {

int take_locked(Task& task, uint64_t mask, SigInfo& info) REQUIRES(task.group().signal_lock) {
  ThreadGroup& group = task.group();
  SignalQueue* queue = &task.signals.queue;
  int s = SignalQueue::first_of(queue->pending() & mask);
  if (s == 0) {
    queue = &group.queue;
    s = SignalQueue::first_of(queue->pending() & mask);
  }
  if (s == 0) return 0;
  info = queue->take(s);
  if (info.code == sig_code::timer) group.timers.note_taken(info);
  recalculate_pending_locked(task);
  return s;
}

// A process whose group nobody outside of it in its session watches over is orphaned: terminal stops of it
// would never end (POSIX).
bool orphaned_group_locked(int32_t pgid) REQUIRES(g_tree_lock) {
  for (ThreadGroup& g : all_groups())
    if (g.pgid == pgid && !g.zombie && g.parent && g.parent->pgid != pgid && g.parent->sid == g.sid)
      return false;
  return true;
}

// False: SIGCONT or SIGKILL has come since the signal was taken.
bool begin_group_stop_locked(Task& task, int signal) REQUIRES(g_tree_lock)
    REQUIRES(task.group().signal_lock) {
  ThreadGroup& group = task.group();
  if (group.exiting || (is_traced(task) && !task.ptrace.stop_dequeued)) return false;
  if ((group.queue.pending() | task.signals.queue.pending()) & (sig_bit(sig::cont) | sig_bit(sig::kill)))
    return false;
  // Tracees take part each time, having perhaps gone on since.
  for_each_thread_locked(group, [](Task& t) { t.ptrace.stop_pending = is_traced(t) && !t.dead; });
  if (group.stopped) return true;
  group.stopped = true;
  group.stop_signal = signal;
  group.stop_pending_report = true;
  group.continued_pending_report = false;
  return true;
}

void stop_process(Task& task, int signal) {
  ThreadGroup& group = task.group();
  LockGuard tree(g_tree_lock);
  if (signal != sig::stop && orphaned_group_locked(group.pgid)) return;
  bool again = false;
  {
    LockGuard guard(task.group().signal_lock);
    again = group.stopped;
    if (!begin_group_stop_locked(task, signal)) return;
  }
  for_each_thread_locked(group, [&](Task& t) { signal_wake(t); });
  // To a parent that traces it this would be the same stop twice.
  bool parent_traces = is_traced(task) && !ptraced_by_other_locked(task, group.parent);
  if (!again && !parent_traces) notify_parent_locked(group, sig_code::cld_stopped, signal);
}

// Sleeps while the process is stopped.
void wait_while_stopped(Task& task) {
  ThreadGroup& group = task.group();
  ParkWaiter waiter;
  group.continue_wait.add(waiter);
  for (;;) {
    {
      LockGuard guard(task.group().signal_lock);
      if (!group.stopped || is_traced(task) || fatal_signal_pending_locked(task)) break;
    }
    task.sched.park_event();
  }
  group.continue_wait.remove(waiter);
}

[[noreturn]] void die_of(Task& task, const SigInfo& info) {
  if (info.signo == sig::segv || info.signo == sig::ill || info.signo == sig::bus || info.signo == sig::fpe) {
    auto comm = task.comm();
    log_info("{}[{}]: signal {} code {} at ip {:x} sp {:x} address {:x}", comm.text, task.tid(), info.signo,
             info.code, task.regs().rip, task.regs().rsp, info.fault.address);
  }
  exit_group(task, dumps_core(info.signo) ? dump_core(task, info) : death_status(info.signo));
}

// Whether the registers hold a system call's result, of this trap or by a tracer's doing.
bool holds_result(const arch::UserRegs& regs) { return static_cast<int64_t>(regs.orig_rax) >= 0; }

// What a system call's result becomes when a handler runs.
void interrupt_result(Task& task, const SigAction& action) {
  arch::UserRegs& regs = task.regs();
  auto error = static_cast<Errno>(-static_cast<int64_t>(regs.rax));
  switch (error) {
    case Errno::restartsys:
      if (action.flags & sa::restart) break;
      regs.rax = static_cast<uint64_t>(-static_cast<int64_t>(Errno::intr));
      return;
    case Errno::restartnohand:
    case Errno::restart_restartblock:
      regs.rax = static_cast<uint64_t>(-static_cast<int64_t>(Errno::intr));
      return;
    case Errno::restartnointr:
      break;
    default:
      return;
  }
  regs.rax = regs.orig_rax;
  regs.rip -= 2;  // the syscall instruction again
}

// What a result that asks for a restart becomes when no signal is to be delivered.
void fix_restart(Task& task) {
  arch::UserRegs& regs = task.regs();
  auto error = static_cast<Errno>(-static_cast<int64_t>(regs.rax));
  constexpr uint64_t kRestartSyscall = 219;
  switch (error) {
    case Errno::restartsys:
    case Errno::restartnohand:
    case Errno::restartnointr:
      regs.rax = regs.orig_rax;
      regs.rip -= 2;
      return;
    case Errno::restart_restartblock:
      regs.rax = kRestartSyscall;
      regs.rip -= 2;
      return;
    default:
      return;
  }
}

void run_handler(Task& task, const SigAction& action, const SigInfo& info) {
  if (holds_result(task.regs())) interrupt_result(task, action);
  uint64_t blocked = task.signals.blocked.load(std::memory_order_relaxed);
  uint64_t to_restore = task.work.has(Work::restore_mask) ? task.signals.saved_mask : blocked;
  task.work.clear(Work::restore_mask);
  const bool stepping = ptrace_stop_stepping(task);
  if (!rseq_before_signal(task) || !push_signal_frame(task, action, info, to_restore)) {
    // The stack is of no use: if this was SIGSEGV itself, nobody can handle it.
    if (info.signo == sig::segv) task.group().actions->exchange(sig::segv, SigAction{});
    SigInfo fault(sig::segv, sig_code::kernel);
    force_signal(task, fault);
    return;
  }
  uint64_t mask = blocked | action.mask;
  if (!(action.flags & sa::nodefer)) mask |= sig_bit(info.signo);
  set_blocked(task, mask);
  if (stepping) ptrace_step_into_handler(task);
}

enum class Next : uint8_t { nothing, signal, leave, stop, trap };

// What is to be done first; a signal is taken out of its queue.
Next look(Task& task, SigInfo& info) {
  ThreadGroup& group = task.group();
  LockGuard guard(task.group().signal_lock);
  if (group.must_leave.load(std::memory_order_relaxed) && group.exec_task != &task) {
    // The reason to leave is taken; another SIGKILL may end what is done on the way.
    task.signals.queue.discard(sig_bit(sig::kill));
    return Next::leave;
  }
  if (!fatal_signal_pending_locked(task)) {
    if (ptrace_trap_pending_locked(task)) return Next::trap;
    if (group.stopped && !is_traced(task)) return Next::stop;
  }
  // SIGKILL goes first: for another signal a dying task would not stop for its tracer, but put it back.
  if (take_locked(task, sig_bit(sig::kill), info) != 0 ||
      take_locked(task, ~task.signals.blocked.load(std::memory_order_relaxed), info) != 0)
    return Next::signal;
  recalculate_pending_locked(task);
  return Next::nothing;
}

SigAction take_action(Task& task, int signal) {
  LockGuard guard(task.group().signal_lock);
  SignalActions& actions = *task.group().actions;
  SigAction action = actions.get(signal);
  if (action.flags & sa::resethand && action.handler > kSigIgn) actions.exchange(signal, SigAction{});
  return action;
}

void act_on(Task& task, const SigInfo& info) {
  ThreadGroup& group = task.group();
  const SigAction action = take_action(task, info.signo);
  if (action.handler == kSigIgn && info.signo != sig::kill) return;
  if (action.handler > kSigIgn) return run_handler(task, action, info);
  switch (default_action(info.signo)) {
    case DefaultAction::ignore:
    case DefaultAction::resume:
      return;
    case DefaultAction::stop:
      // What an init may withstand was held back when it was sent, but where a tracer was to see it.
      if (group.own_pid != 1 || info.signo == sig::stop || info.code == abi::sig_code::kernel)
        stop_process(task, info.signo);
      return;
    case DefaultAction::terminate:
      if (group.own_pid == 1 && info.code <= 0 && info.signo != sig::kill) return;
      die_of(task, info);
  }
}

// One signal, or one stop. False: nothing is left.
bool deliver_one(Task& task) {
  SigInfo info;
  switch (look(task, info)) {
    case Next::nothing:
      return false;
    case Next::leave:
      exit_task(task, task.group().exit_code);
    case Next::stop:
      wait_while_stopped(task);
      return true;
    case Next::trap:
      ptrace_trap(task);
      return true;
    case Next::signal:
      break;
  }
  if (info.signo != sig::kill && is_traced(task) && !ptrace_signal(task, info)) return true;
  act_on(task, info);
  return true;
}

}  // namespace

int take_signal(Task& task, uint64_t mask, SigInfo& info) {
  LockGuard guard(task.group().signal_lock);
  return take_locked(task, mask, info);
}

void deliver_signals(Task& task) {
  while (task.signal_pending())
    if (!deliver_one(task)) break;
  if (holds_result(task.regs())) fix_restart(task);
  if (task.work.has(Work::restore_mask)) {
    task.work.clear(Work::restore_mask);
    set_blocked(task, task.signals.saved_mask);
  }
}

namespace {
void leave_all_locked(ThreadGroup& group, int32_t status) REQUIRES(g_tree_lock) {
  group.exiting = true;
  group.exit_code = status;
  group.stopped = false;
  group.must_leave.store(true, std::memory_order_seq_cst);
  for_each_thread_locked(group, [](Task& t) { signal_wake(t); });
  group.continue_wait.wake_all();
}
}  // namespace

void begin_group_exit(ThreadGroup& group, int32_t status) {
  LockGuard tree(g_tree_lock);
  LockGuard guard(group.signal_lock);
  if (!group.exiting) leave_all_locked(group, status);
}

bool begin_group_exit_locked(ThreadGroup& group, int32_t status) {
  LockGuard guard(group.signal_lock);
  if (group.must_leave.load(std::memory_order_relaxed)) return false;
  leave_all_locked(group, status);
  return true;
}

}  // namespace runsc::kernel
