// --strace: system calls in words, to the debug log.
#pragma once

#include "kernel/syscalls/syscall.h"

namespace runsc::kernel {

bool strace_enabled();
void strace_enable();
void strace_enter(Task& task, const SyscallRow* row, uint64_t number, const uint64_t (&args)[6]);
void strace_leave(Task& task, const SyscallRow* row, uint64_t number, const uint64_t (&args)[6],
                  const SyscallResult& result);

}  // namespace runsc::kernel
