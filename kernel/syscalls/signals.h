// System calls of signals: see table_signals.cc.
#pragma once

#include "kernel/syscalls/syscall.h"

namespace runsc::kernel {

Result<void> sys_rt_sigaction(Task& task, int signal, uint64_t action, uint64_t old, uint64_t set_size);
Result<void> sys_rt_sigprocmask(Task& task, int how, uint64_t set, uint64_t old, uint64_t set_size);
Result<Flow> sys_rt_sigreturn(Task& task);
Result<void> sys_rt_sigpending(Task& task, uint64_t set, uint64_t set_size);
Result<int> sys_rt_sigtimedwait(Task& task, uint64_t set, uint64_t info, uint64_t timeout, uint64_t set_size);
Result<void> sys_rt_sigqueueinfo(Task& task, int pid, int signal, uint64_t info);
Result<void> sys_rt_tgsigqueueinfo(Task& task, int pid, int tid, int signal, uint64_t info);
Result<void> sys_rt_sigsuspend(Task& task, uint64_t set, uint64_t set_size);
Result<void> sys_sigaltstack(Task& task, uint64_t stack, uint64_t old);
Result<void> sys_kill(Task& task, int pid, int signal);
Result<void> sys_tkill(Task& task, int tid, int signal);
Result<void> sys_tgkill(Task& task, int pid, int tid, int signal);
Result<void> sys_pause(Task& task);

}  // namespace runsc::kernel
