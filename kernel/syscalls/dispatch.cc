#include "kernel/syscalls/dispatch.h"

#include "kernel/base/log.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/seccomp/seccomp.h"
#include "kernel/syscalls/strace.h"

namespace runsc::kernel {

constinit SyscallFunction detail::syscall_functions[kSyscallLimit + 1] = {};

namespace {

constinit const SyscallRow* g_rows[kSyscallLimit] = {};
constinit std::atomic<uint8_t> g_reported[kSyscallLimit] = {};

uint32_t number_of(const arch::UserRegs& regs) { return static_cast<uint32_t>(regs.orig_rax); }

SyscallResult unknown(Task&, const arch::UserRegs& regs) {
  uint32_t number = number_of(regs);
  if (number < kSyscallLimit && g_reported[number].exchange(1, std::memory_order_relaxed) == 0)
    log_info("system call {} ({}) is not implemented", number,
             g_rows[number] ? g_rows[number]->name : "unknown");
  return {Flow::value, -static_cast<int64_t>(Errno::nosys)};
}

void add(std::span<const SyscallRow> rows) {
  for (const SyscallRow& row : rows) {
    if (row.number >= kSyscallLimit) continue;
    g_rows[row.number] = &row;
    detail::syscall_functions[row.number] = row.function ? row.function : &unknown;
  }
}

}  // namespace

SyscallResult detail::call_watched(Task& task, arch::UserRegs& r) {
  // First, for the tracer may change what is called.
  if (task.work.has(Work::ptrace_syscall) && !ptrace_syscall_enter(task))
    return {Flow::value, static_cast<int64_t>(r.rax)};
  uint32_t number = number_of(r);
  const uint64_t args[6] = {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9};
  const SyscallRow* row = syscall_row(number);
  bool traced = task.work.has(Work::trace);
  if (traced) strace_enter(task, row, number, args);
  SyscallResult result{Flow::registers, 0};
  if (auto answer = seccomp_check(task, r, SeccompPass::first); answer == SeccompAnswer::allow)
    result = syscall_functions[syscall_index(r)](task, r);
  else if (answer == SeccompAnswer::refuse)
    result = {Flow::value, static_cast<int64_t>(r.rax)};
  if (traced) strace_leave(task, row, number, args, result);
  return result;
}

void detail::leave_watched(Task& task) { ptrace_syscall_exit(task); }

void syscall_table_init() {
  for (SyscallFunction& f : detail::syscall_functions) f = &unknown;
  add(absent_rows());
  add(task_rows());
  add(memory_rows());
  add(signal_rows());
  add(time_rows());
  add(file_rows());
  add(event_rows());
  add(admin_rows());
  add(ipc_rows());
  add(socket_rows());
}

const SyscallRow* syscall_row(unsigned number) { return number < kSyscallLimit ? g_rows[number] : nullptr; }

}  // namespace runsc::kernel
