// Where tasks stop for their tracer (ptrace(2), "Stopped states").
#include "fs/user_namespace.h"
#include "kernel/notify.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/signal/signal.h"

namespace runsc::kernel {

using namespace abi;

namespace {

constexpr uint64_t kTrapFlag = 0x100;
constexpr int kSysgoodBit = 0x80;
constexpr uint64_t kMessageSyscallEntry = 1, kMessageSyscallExit = 2;

// What a stop shows, and whether it is one of job control.
struct Stop {
  int code;                 // for wait(2), without the 0x7f
  int why;                  // CLD_*
  SigInfo* info = nullptr;  // as the tracer leaves it, afterwards
  uint64_t message = 0;
};

constexpr int stop_code(int signal, PtraceEvent event) { return signal | static_cast<int>(event) << 8; }

// False: nobody is there to stop for, or no time left.
bool begin_stop(Task& task, const Stop& stop) {
  LockGuard tree(g_tree_lock);
  PtraceState& p = task.ptrace;
  if (!p.tracer) return false;
  {
    LockGuard guard(task.group().signal_lock);
    if (fatal_signal_pending_locked(task)) return false;
    p.code = stop.code;
    p.message = stop.message;
    p.has_info = stop.info != nullptr;
    if (stop.info) p.info = *stop.info;
    // Any stop answers an interrupt, and one of job control what it was for.
    p.trap_pending = false;
    if (stop.why == sig_code::cld_stopped) p.stop_pending = false;
    if (stop.code >> 8 == static_cast<int>(PtraceEvent::stop)) p.notify_pending = false;
    p.trapping = false;
    p.stopped = true;
  }
  ptrace_notify_tracer_locked(
      task, stop.why, stop.why == sig_code::cld_stopped ? task.group().stop_signal : stop.code & 0x7f);
  return true;
}

// Serves errands until the tracer lets the task go on, or something fatal comes.
void stay_stopped(Task& task) {
  PtraceState& p = task.ptrace;
  for (;;) {
    TraceeErrand* errand = nullptr;
    {
      LockGuard guard(task.group().signal_lock);
      errand = std::exchange(p.errand, nullptr);
      if (!errand && (!p.stopped || fatal_signal_pending_locked(task))) return;
    }
    if (errand) {
      errand->run(task, errand->argument);
      errand->served = true;
      Task& asker = errand->asker;
      errand->over.store(true, std::memory_order_release);
      asker.sched.unpark();
      continue;
    }
    task.sched.park_event();
  }
}

int end_stop(Task& task, const Stop& stop) {
  PtraceState& p = task.ptrace;
  int code = 0;
  {
    LockGuard guard(task.group().signal_lock);
    if (TraceeErrand* errand = std::exchange(p.errand, nullptr)) {
      Task& asker = errand->asker;
      errand->over.store(true, std::memory_order_release);
      asker.sched.unpark();
    }
    if (stop.info) *stop.info = p.info;
    p.stopped = p.listening = false;
    p.has_info = false;
    p.message = 0;
    code = std::exchange(p.code, 0);
    recalculate_pending_locked(task);
  }
  // Nobody else touches these from here on.
  arch::UserRegs& regs = task.regs();
  if (p.step && !(regs.rflags & kTrapFlag)) {
    regs.rflags |= kTrapFlag;
    p.forced_trap = true;
  } else if (!p.step && p.forced_trap) {
    regs.rflags &= ~kTrapFlag;
    p.forced_trap = false;
  }
  return code;
}

// The signal to go on with; `otherwise` when there was no stop.
int ptrace_stop(Task& task, const Stop& stop, int otherwise = 0) {
  if (!begin_stop(task, stop)) return otherwise;
  stay_stopped(task);
  return end_stop(task, stop);
}

// Stops that show a siginfo of their own making.
int notify_stop(Task& task, int signal, int code, int why, uint64_t message) {
  SigInfo info(signal, code);
  info.rt.pid = task.own_tid();
  info.rt.uid = fs::shown_uid(task.creds(), task.creds().uid);
  return ptrace_stop(task, {code, why, &info, message});
}

// Back into the queue as it came out of it.
void requeue(Task& task, const SigInfo& info) {
  auto entry = make<QueuedSignal>();
  if (entry) entry->info = info;
  LockGuard guard(task.group().signal_lock);
  task.signals.queue.add(info.signo, entry.release());
  recalculate_pending_locked(task);
}

void syscall_stop(Task& task, uint64_t message) {
  int code = sig::trap | (task.ptrace.options & ptrace_option::sysgood ? kSysgoodBit : 0);
  int signal = notify_stop(task, sig::trap, code, sig_code::cld_trapped, message);
  if (signal != 0 && signal_valid(signal))
    (void)queue_signal(task, false, SigInfo(signal, sig_code::kernel), Origin::kernel);
}

bool is_dying(Task& task) {
  LockGuard guard(task.group().signal_lock);
  return fatal_signal_pending_locked(task);
}

}  // namespace

bool fatal_signal_pending_locked(const Task& task) {
  ThreadGroup& group = task.group();
  if ((task.signals.queue.pending() | group.queue.pending()) & sig_bit(sig::kill)) return true;
  return !task.ptrace.leaving && group.must_leave.load(std::memory_order_relaxed) && group.exec_task != &task;
}

bool ptrace_trap_pending_locked(const Task& task) {
  const PtraceState& p = task.ptrace;
  return p.tracer && (p.stop_pending || p.trap_pending || p.notify_pending);
}

void ptrace_trap(Task& task) {
  int signal = 0;
  bool seized = false;
  {
    LockGuard guard(task.group().signal_lock);
    if (!ptrace_trap_pending_locked(task)) return;
    seized = task.ptrace.seized;
    signal = task.group().stopped ? task.group().stop_signal : sig::trap;
    if (!seized && !task.ptrace.stop_pending) {
      task.ptrace.trap_pending = task.ptrace.notify_pending = false;
      return recalculate_pending_locked(task);
    }
  }
  if (seized)
    (void)notify_stop(task, signal, stop_code(signal, PtraceEvent::stop), sig_code::cld_stopped, 0);
  else
    (void)ptrace_stop(task, {signal, sig_code::cld_stopped});
}

bool ptrace_signal(Task& task, SigInfo& info) {
  {
    LockGuard guard(task.group().signal_lock);
    task.ptrace.stop_dequeued = true;
  }
  int signal = ptrace_stop(task, {info.signo, sig_code::cld_trapped, &info}, info.signo);
  if (signal == 0) return false;
  if (signal != info.signo) {
    info = SigInfo(signal, sig_code::user);
    LockGuard tree(g_tree_lock);
    if (Task* tracer = task.ptrace.tracer) {
      info.rt.pid = number_in_locked(task.pid_namespace(), tracer->pid());
      info.rt.uid = fs::shown_uid(task.creds(), tracer->creds_ref()->uid);
    }
  }
  bool blocked = task.signals.blocked.load(std::memory_order_relaxed) & sig_bit(signal);
  if (!blocked && !is_dying(task)) return true;
  requeue(task, info);
  return false;
}

bool ptrace_wants(const Task& task, PtraceEvent event) {
  return task.ptrace.options & uint32_t{1} << static_cast<int>(event);
}

void ptrace_event(Task& task, PtraceEvent event, uint64_t message) {
  if (ptrace_wants(task, event)) {
    (void)notify_stop(task, sig::trap, stop_code(sig::trap, event), sig_code::cld_trapped, message);
  } else if (event == PtraceEvent::exec && is_traced(task) && !task.ptrace.seized) {
    SigInfo info(sig::trap, sig_code::user);
    info.rt.pid = task.own_pid();
    info.rt.uid = fs::shown_uid(task.creds(), task.creds().uid);
    (void)queue_signal(task, false, info, Origin::kernel);
  }
}

int32_t number_for_tracer(Task& traced, int32_t id) {
  LockGuard tree(g_tree_lock);
  const Task* tracer = traced.ptrace.tracer;
  return tracer ? number_in_locked(tracer->pid_namespace(), id) : id;
}

bool ptrace_syscall_enter(Task& task) {
  arch::UserRegs& regs = task.regs();
  regs.rax = static_cast<uint64_t>(-static_cast<int64_t>(Errno::nosys));
  bool emulate = task.ptrace.emulate;
  if (is_traced(task)) syscall_stop(task, kMessageSyscallEntry);
  // A number of -1 is the tracer's way to skip the call.
  return !emulate && !is_dying(task) && static_cast<int32_t>(regs.orig_rax) != -1;
}

void ptrace_syscall_exit(Task& task) {
  if (task.ptrace.emulate) return;
  if (task.work.has(Work::ptrace_step)) {
    SigInfo info(sig::trap, sig_code::trap_brkpt);
    info.fault.address = task.regs().rip;
    return force_signal(task, info);
  }
  if (is_traced(task)) syscall_stop(task, kMessageSyscallExit);
}

bool ptrace_stop_stepping(Task& task) {
  PtraceState& p = task.ptrace;
  if (!p.step) return false;
  p.step = false;
  task.work.clear(Work::ptrace_step);
  if (p.forced_trap) task.regs().rflags &= ~kTrapFlag;
  p.forced_trap = false;
  return true;
}

void ptrace_step_into_handler(Task& task) {
  if (is_traced(task)) (void)notify_stop(task, sig::trap, sig::trap, sig_code::cld_trapped, 0);
}

void ptrace_exit(Task& task, int32_t status) {
  bool awaited = false;
  {
    LockGuard guard(task.group().signal_lock);
    task.ptrace.leaving = true;
    awaited = std::exchange(task.ptrace.trapping, false);
  }
  if (!is_traced(task)) return;
  ptrace_event(task, PtraceEvent::exit, static_cast<uint32_t>(status));
  if (!awaited) return;
  LockGuard tree(g_tree_lock);
  if (Task* tracer = task.ptrace.tracer) tracer->group().child_wait.wake_all();
}

}  // namespace runsc::kernel
