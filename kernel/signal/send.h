// Sending signals from inside the kernel and from system calls (signal(7)).
#pragma once

#include <cstdint>

#include "kernel/abi/signal.h"
#include "kernel/base/result.h"
#include "kernel/task.h"

namespace runsc::kernel {

// From the kernel itself: no permission checks. Locks held: rank < process_tree.
void send_signal_to_task(Task& task, const abi::SigInfo& info);
void send_signal_to_group(ThreadGroup& group, const abi::SigInfo& info);
// SI_KERNEL signal to every process of a process group (terminals). False: there is none.
bool signal_process_group(int32_t pgid, int signal);
// SI_KERNEL signal to the process with this pid. False: there is none.
bool signal_process(int32_t pid, int signal);
// A fault of the current task: delivered even if blocked or ignored (then it kills).
void force_signal(Task& task, const abi::SigInfo& info);

}  // namespace runsc::kernel
