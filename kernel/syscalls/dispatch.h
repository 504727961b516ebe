// From the registers of a trap to a system call and back.
#pragma once

#include "kernel/async_io.h"
#include "kernel/syscalls/syscall.h"
#include "kernel/syscalls/tables.h"

namespace runsc::kernel {

namespace detail {
// By number; what is not implemented, and the last, which is for all numbers past the end, answer ENOSYS.
extern SyscallFunction syscall_functions[kSyscallLimit + 1];
// With --strace, with seccomp.
SyscallResult call_watched(Task& task, arch::UserRegs& regs);
// What the tracer hears of a call whose end no result shows.
void leave_watched(Task& task);
}  // namespace detail

// The place of the number that the registers ask for in syscall_functions, without a branch that the CPU
// could guess wrong. Linux takes the low 32 bits of rax for the number.
inline uint64_t syscall_index(const arch::UserRegs& regs) {
  uint64_t index = static_cast<uint32_t>(regs.orig_rax);
  // SAFETY: no memory.
  asm("cmpq %[limit], %[index]\n\tcmovaq %[limit], %[index]"
      : [index] "+r"(index)
      : [limit] "r"(uint64_t{kSyscallLimit})
      : "cc");
  return index;
}

// Serves the call that the registers ask for; false when they hold no result to look at (execve,
// rt_sigreturn).
inline bool dispatch_syscall(Task& task) {
  arch::UserRegs& regs = task.regs();
  SyscallResult result;
  if (task.work.any(kEntryWork)) [[unlikely]]
    result = detail::call_watched(task, regs);
  else
    result = detail::syscall_functions[syscall_index(regs)](task, regs);
  send_async_signals_if_any();
  if (result.flow != Flow::value) [[unlikely]] {
    if (task.work.any(kSyscallExitWork)) detail::leave_watched(task);
    return false;
  }
  regs.rax = static_cast<uint64_t>(result.value);
  return true;
}

}  // namespace runsc::kernel
