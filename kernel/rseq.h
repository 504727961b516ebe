// Restartable sequences (rseq(2)): the CPU's number in user memory, and sequences of instructions that are
// given up when the thread is moved, preempted or gets a signal.
#pragma once

#include <cstdint>

#include "kernel/base/result.h"

namespace runsc::kernel {

class Task;

inline constexpr uint32_t kRseqSize = 32, kRseqFeatureSize = 28, kRseqAlign = 32;

// The system call. EINVAL, EPERM, EBUSY, EFAULT.
Result<void> rseq_register(Task& task, uint64_t address, uint32_t size, uint32_t signature);
Result<void> rseq_unregister(Task& task, uint64_t address, uint32_t size, uint32_t signature);

// Before user mode, after the current task was on and off its CPU: aborts the sequence it was in and stores
// the CPU's number. What user memory holds may be wrong: then SIGSEGV.
void rseq_resume(Task& task);
// Before a signal frame: the handler must find the sequence aborted.
// False: user memory is wrong.
bool rseq_before_signal(Task& task);

}  // namespace runsc::kernel
