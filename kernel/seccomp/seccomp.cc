#include "kernel/seccomp/seccomp.h"

#include "kernel/base/log.h"
#include "kernel/core/core_dump.h"
#include "kernel/exit.h"
#include "kernel/pid.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/signal/send.h"
#include "kernel/task.h"
#include "kernel/thread_group.h"

namespace runsc::kernel {

namespace {

using namespace abi;

constexpr uint32_t kAuditArchX86_64 = 0xc000003e;
constexpr int kSysSeccomp = 1;  // si_code

SigInfo sigsys(const arch::UserRegs& regs, uint32_t number, uint32_t data) {
  SigInfo info(sig::sys, kSysSeccomp);
  info.error = static_cast<int32_t>(data);
  info.sigsys = {regs.rip, static_cast<int32_t>(number), kAuditArchX86_64};
  return info;
}

SeccompAnswer check_strict(Task& task, uint32_t number) {
  constexpr uint32_t kRead = 0, kWrite = 1, kRtSigreturn = 15, kExit = 60;
  if (number == kRead || number == kWrite || number == kRtSigreturn || number == kExit)
    return SeccompAnswer::allow;
  exit_task(task, death_status(sig::kill));
}

bool is_alone(Task& task) {
  unsigned n = 0;
  LockGuard guard(g_tree_lock);
  for_each_thread_locked(task.group(), [&](Task& t) { n += !t.dead; });
  return n <= 1;
}

// SECCOMP_RET_TRACE: without a tracer that wants it, ENOSYS.
SeccompAnswer ask_tracer(Task& task, arch::UserRegs& regs, uint32_t data) {
  regs.rax = -static_cast<uint64_t>(Errno::nosys);
  if (!ptrace_wants(task, PtraceEvent::seccomp)) return SeccompAnswer::refuse;
  ptrace_event(task, PtraceEvent::seccomp, data);
  {
    LockGuard guard(task.group().signal_lock);
    if (fatal_signal_pending_locked(task)) return SeccompAnswer::refuse;
  }
  if (static_cast<int32_t>(regs.orig_rax) < 0) return SeccompAnswer::refuse;
  return seccomp_check(task, regs, SeccompPass::after_trace);
}

}  // namespace

SeccompAnswer seccomp_check(Task& task, arch::UserRegs& regs, SeccompPass pass) {
  if (task.seccomp.mode() == SeccompMode::disabled) return SeccompAnswer::allow;
  auto number = static_cast<uint32_t>(regs.orig_rax);
  if (task.seccomp.mode() == SeccompMode::strict) return check_strict(task, number);
  uint32_t answer;
  {
    Ref<SeccompFilter> filter = task.seccomp.filter();
    if (!filter) return SeccompAnswer::allow;
    const SeccompData data = {static_cast<int32_t>(number),
                              kAuditArchX86_64,
                              regs.rip,
                              {regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9}};
    answer = filter->run(data);
  }
  uint32_t data = answer & ~seccomp_action::mask;
  switch (answer & seccomp_action::mask) {
    case seccomp_action::allow:
      return SeccompAnswer::allow;
    case seccomp_action::log:
      log_info("seccomp: process {} made system call {}", task.pid(), number);
      return SeccompAnswer::allow;
    case seccomp_action::error: {
      constexpr uint32_t kMaxErrno = 4095;
      regs.rax = -uint64_t{data < kMaxErrno ? data : kMaxErrno};
      return SeccompAnswer::refuse;
    }
    case seccomp_action::trap:
      regs.rax = regs.orig_rax;
      force_signal(task, sigsys(regs, number, data));
      return SeccompAnswer::signal;
    case seccomp_action::trace:
      return pass == SeccompPass::first ? ask_tracer(task, regs, data) : SeccompAnswer::allow;
    case seccomp_action::notify:  // there is no listener
      regs.rax = -static_cast<uint64_t>(Errno::nosys);
      return SeccompAnswer::refuse;
    case seccomp_action::kill_thread:
      if (!is_alone(task)) exit_task(task, death_status(sig::sys));
      [[fallthrough]];
    default:
      regs.rax = regs.orig_rax;  // as a dump shows them
      exit_group(task, dump_core(task, sigsys(regs, number, data)));
  }
}

void seccomp_inherit(const Task& parent, Task& child) {
  if (parent.seccomp.mode() == SeccompMode::disabled) return;
  child.seccomp.set(parent.seccomp.mode(), parent.seccomp.filter());
  child.seccomp.no_new_privs.store(parent.seccomp.no_new_privs.load());
  child.work.set(Work::seccomp);
}

}  // namespace runsc::kernel
