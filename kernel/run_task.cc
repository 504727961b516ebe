// The life of a task: user code until its next trap, the trap, signals, and again.
#include "kernel/base/log.h"
#include "kernel/clone.h"
#include "kernel/control/freezer.h"
#include "kernel/events.h"
#include "kernel/exit.h"
#include "kernel/oom.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/rseq.h"
#include "kernel/sched/scheduler.h"
#include "kernel/signal/frame.h"
#include "kernel/signal/signal.h"
#include "kernel/syscalls/dispatch.h"
#include "kernel/thread_group.h"
#include "kernel/time/clock.h"
#include "kernel/time/process_timers.h"

namespace runsc::kernel {

using namespace abi;

namespace {

void handle_fault(Task& task, const arch::Trap& trap) {
  task.minor_faults.fetch_add(1, std::memory_order_relaxed);
  mm::FaultResult result = task.mm().fault(trap.address, trap.error);
  switch (result) {
    case mm::FaultResult::ok:
      task.failed_faults = 0;
      return;
    case mm::FaultResult::maperr:
    case mm::FaultResult::accerr:
    case mm::FaultResult::bus_adrerr: {
      constexpr uint64_t kPageFault = 14, kUserMode = 4;
      task.last_fault = {kPageFault, trap.error | kUserMode, trap.address};
      SigInfo info(sig::segv, sig_code::segv_maperr);
      if (result == mm::FaultResult::accerr) info.code = sig_code::segv_accerr;
      if (result == mm::FaultResult::bus_adrerr) info = SigInfo(sig::bus, sig_code::bus_adrerr);
      info.fault.address = trap.address;
      return force_signal(task, info);
    }
    case mm::FaultResult::oom:
      return mend_failed_fault(task);
  }
}

// #DE #DB #BP #OF #BR #UD #NM #TS #NP #SS #GP #MF #AC #XM -> signals, as Linux on x86-64.
SigInfo exception_signal(Task& task, const arch::Trap& trap) {
  SigInfo info(sig::segv, sig_code::kernel);
  uint64_t rip = task.regs().rip;
  task.last_fault.trap = trap.vector;
  task.last_fault.error = trap.error;
  switch (trap.vector) {
    case 0:
      info = SigInfo(sig::fpe, sig_code::fpe_intdiv);
      info.fault.address = rip;
      break;
    case 1:
      info = SigInfo(sig::trap, sig_code::trap_trace);
      info.fault.address = rip;
      break;
    case 3:
      info = SigInfo(sig::trap, sig_code::kernel);
      break;
    case 6:
      info = SigInfo(sig::ill, sig_code::ill_illopn);
      info.fault.address = rip;
      break;
    case 12:
      info = SigInfo(sig::bus, sig_code::kernel);
      break;
    case 16:
    case 19:
      info = SigInfo(sig::fpe, current_fpe_code(task, trap.vector == 16));
      info.fault.address = rip;
      break;
    case 17:
      info = SigInfo(sig::bus, sig_code::bus_adraln);
      info.fault.address = trap.address;
      break;
    default:
      break;
  }
  return info;
}

void handle_bus_error(Task& task, const arch::Trap& trap) {
  SigInfo info(sig::bus, sig_code::bus_adrerr);
  info.fault.address = trap.address;
  force_signal(task, info);
}

// Traps that are no system calls.
[[gnu::noinline]] void handle_trap(Task& task, arch::Trap trap) {
  switch (trap.kind) {
    case arch::TrapKind::syscall:
      return;
    case arch::TrapKind::page_fault:
      return handle_fault(task, trap);
    case arch::TrapKind::exception:
      return force_signal(task, exception_signal(task, trap));
    case arch::TrapKind::bus_error:
      return handle_bus_error(task, trap);
    case arch::TrapKind::interrupt:
      sched_ask_to_look();
      take_host_events();
      return clock_refresh();
  }
}

// Does the result in rax ask for a restart? They are the numbers that never leave the kernel.
bool wants_restart(uint64_t rax) {
  auto e = -static_cast<int64_t>(rax);
  return e >= static_cast<int64_t>(Errno::restartsys) &&
         e <= static_cast<int64_t>(Errno::restart_restartblock);
}

// `in_syscall`: rax holds the result of one.
[[gnu::noinline]] void exit_work(Task& task, bool in_syscall) {
  if (task.work.has(Work::memory)) {
    const bool mended = mend_shortage(task);
    // The call has changed nothing; now there is memory for it.
    if (mended && in_syscall && task.regs().rax == -static_cast<uint64_t>(Errno::nomem))
      task.regs().rax = -static_cast<uint64_t>(Errno::restartnointr);
  }
  if (task.work.has(Work::copy)) {
    task.work.clear(Work::copy);
    mend_failed_fault(task);
    // It found no memory for what it was to copy before it did anything (oom.h).
    if (in_syscall && task.regs().rax == -static_cast<uint64_t>(Errno::fault))
      task.regs().rax = -static_cast<uint64_t>(Errno::restartnointr);
  }
  if (task.work.has(Work::freeze)) wait_for_thaw(task);
  if (in_syscall && task.work.any(kSyscallExitWork)) ptrace_syscall_exit(task);
  if (in_syscall) deliver_signals(task);
  // The mask that comes back may let further signals through.
  while (task.work.any(Work::signal | Work::restore_mask)) deliver_signals(task);
  if (!task.work.has(Work::cpu_time)) return;
  if (cpu_time_is_watched(task.group())) {
    check_cpu_timers(task);
    return sched_ask_to_look();
  }
  task.work.clear(Work::cpu_time);
  // watch_cpu_time() may have set it in between.
  if (cpu_time_is_watched(task.group())) task.work.set(Work::cpu_time);
}

}  // namespace

void run_task(Task& task) {
  bool in_syscall = false;
  uint64_t on_cpu_since = 0;
  for (;;) {
    if (task.work.any(kExitWork) || (in_syscall && wants_restart(task.regs().rax))) [[unlikely]]
      exit_work(task, in_syscall);
    if (sched_must_look()) [[unlikely]] {
      const uint64_t since = sched_look(task.work.has(Work::cpu_time));
      // What came while another task had this CPU must not wait for the next trap.
      if (task.work.any(Work::signal | Work::restore_mask)) [[unlikely]] {
        in_syscall = false;
        continue;
      }
      // Whoever gets a CPU looks first, so nobody comes here only to find out.
      if (since != on_cpu_since) {
        on_cpu_since = since;
        if (task.rseq_address != 0) {
          in_syscall = false;
          rseq_resume(task);
          continue;
        }
      }
    }
    const arch::Trap trap = arch::run_user(task.user_state(), task.mm().user_space(), task.regs());
    if (trap.kind == arch::TrapKind::syscall) [[likely]] {
      in_syscall = dispatch_syscall(task);
    } else {
      in_syscall = false;
      handle_trap(task, trap);
    }
  }
}

}  // namespace runsc::kernel
