// ptrace(2): see table_admin.cc. The requests about registers stand in a file of their own.
#pragma once

#include "kernel/syscalls/syscall.h"

namespace runsc::kernel {

Result<int64_t> sys_ptrace(Task& task, int64_t request, int64_t pid, uint64_t address, uint64_t data);

// ptrace_registers.cc. All: the tracee is stopped, or ESRCH; EIO, EFAULT.
Result<void> ptrace_peek_user(Task& task, Task& tracee, uint64_t offset, uint64_t out);
Result<void> ptrace_poke_user(Task& task, Task& tracee, uint64_t offset, uint64_t value);
Result<void> ptrace_get_regs(Task& task, Task& tracee, uint64_t out);
Result<void> ptrace_set_regs(Task& task, Task& tracee, uint64_t in);
Result<void> ptrace_get_fpregs(Task& task, Task& tracee, uint64_t out);
Result<void> ptrace_set_fpregs(Task& task, Task& tracee, uint64_t in);
enum class RegisterSet : uint8_t { get, set };
// `iovec`: in the tracer; its length becomes what was moved. EINVAL: no such set, or no whole words.
Result<void> ptrace_register_set(Task& task, Task& tracee, uint32_t type, uint64_t iovec, RegisterSet what);

}  // namespace runsc::kernel
