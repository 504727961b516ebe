// From a queue to a handler, or to what happens without one.
#include "kernel/base/log.h"
#include "kernel/blocking.h"
#include "kernel/exit.h"
#include "kernel/notify.h"
#include "kernel/pid.h"
#include "kernel/rseq.h"
#include "kernel/signal/signal.h"

namespace runsc::kernel {

using namespace abi;

void recalculate_pending_locked(Task& task) {
  ThreadGroup& group = task.group();
  uint64_t waiting = task.signals.queue.pending() | group.queue.pending();
  bool pending = (waiting & ~task.signals.blocked.load(std::memory_order_relaxed)) != 0 || group.stopped ||
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

void stop_process(Task& task, int signal) {
  ThreadGroup& group = task.group();
  LockGuard tree(g_tree_lock);
  if (signal != sig::stop && orphaned_group_locked(group.pgid)) return;
  {
    LockGuard guard(task.group().signal_lock);
    if (group.exiting || group.stopped) return;
    // SIGCONT or SIGKILL may have come since the signal was taken.
    if ((group.queue.pending() | task.signals.queue.pending()) & (sig_bit(sig::cont) | sig_bit(sig::kill)))
      return;
    group.stopped = true;
    group.stop_signal = signal;
    group.stop_pending_report = true;
    group.continued_pending_report = false;
  }
  for_each_thread_locked(group, [&](Task& t) { signal_wake(t); });
  notify_parent_locked(group, sig_code::cld_stopped, signal);
}

// Sleeps while the process is stopped.
void wait_while_stopped(Task& task) {
  ThreadGroup& group = task.group();
  ParkWaiter waiter;
  group.continue_wait.add(waiter);
  for (;;) {
    {
      LockGuard guard(task.group().signal_lock);
      uint64_t pending = task.signals.queue.pending() | group.queue.pending();
      if (!group.stopped || group.must_leave.load(std::memory_order_relaxed) || pending & sig_bit(sig::kill))
        break;
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
  exit_group(task, death_status(info.signo));
}

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

void run_handler(Task& task, const SigAction& action, const SigInfo& info, bool in_syscall) {
  if (in_syscall) interrupt_result(task, action);
  uint64_t blocked = task.signals.blocked.load(std::memory_order_relaxed);
  uint64_t to_restore = task.work.has(Work::restore_mask) ? task.signals.saved_mask : blocked;
  task.work.clear(Work::restore_mask);
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
}

// One signal. False: none is left.
bool deliver_one(Task& task, bool& in_syscall) {
  ThreadGroup& group = task.group();
  SigInfo info;
  SigAction action;
  bool stopped = false;
  {
    LockGuard guard(task.group().signal_lock);
    if (group.must_leave.load(std::memory_order_relaxed) && group.exec_task != &task) {
      stopped = false;
      info.signo = -1;
    } else if (group.stopped &&
               !((task.signals.queue.pending() | group.queue.pending()) & sig_bit(sig::kill))) {
      stopped = true;
    } else {
      int s = take_locked(task, ~task.signals.blocked.load(std::memory_order_relaxed), info);
      if (s == 0) {
        recalculate_pending_locked(task);
        return false;
      }
      info.signo = s;
      action = group.actions->get(s);
      if (action.flags & sa::resethand && action.handler > kSigIgn) group.actions->exchange(s, SigAction{});
    }
  }
  if (info.signo == -1) exit_task(task, group.exit_code);
  if (stopped) {
    wait_while_stopped(task);
    return true;
  }
  if (action.handler == kSigIgn && info.signo != sig::kill) return true;
  if (action.handler > kSigIgn) {
    run_handler(task, action, info, in_syscall);
    in_syscall = false;
    return true;
  }
  switch (default_action(info.signo)) {
    case DefaultAction::ignore:
    case DefaultAction::resume:
      return true;
    case DefaultAction::stop:
      if (group.pid != 1 || info.code == abi::sig_code::kernel) stop_process(task, info.signo);
      return true;
    case DefaultAction::terminate:
      if (group.pid == 1 && info.code <= 0) return true;  // init is protected from those inside
      die_of(task, info);
  }
  return true;
}

}  // namespace

int take_signal(Task& task, uint64_t mask, SigInfo& info) {
  LockGuard guard(task.group().signal_lock);
  return take_locked(task, mask, info);
}

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

void deliver_signals(Task& task, bool in_syscall) {
  while (task.signal_pending())
    if (!deliver_one(task, in_syscall)) break;
  if (in_syscall) fix_restart(task);
  if (task.work.has(Work::restore_mask)) {
    task.work.clear(Work::restore_mask);
    set_blocked(task, task.signals.saved_mask);
  }
}

void begin_group_exit(ThreadGroup& group, int32_t status) {
  {
    LockGuard tree(g_tree_lock);
    LockGuard guard(group.signal_lock);
    if (group.exiting) return;
    group.exiting = true;
    group.exit_code = status;
    group.stopped = false;
    group.must_leave.store(true, std::memory_order_seq_cst);
    for_each_thread_locked(group, [](Task& t) { signal_wake(t); });
  }
  group.continue_wait.wake_all();
}

}  // namespace runsc::kernel
