// Who may signal whom (kill(2)).
#pragma once

#include "kernel/signal/send.h"
#include "kernel/thread_group.h"

namespace runsc::kernel {

// A siginfo that says who sent it.
abi::SigInfo user_signal_info(const Task& sender, int signal, int code);
// EPERM unless the sender may signal the target; signal 0 only asks.
Result<void> check_signal_permission(const Task& sender, const Task& target, int signal);
// Permission, then delivery to the process / the thread.
Result<void> signal_group_checked(Task& sender, ThreadGroup& group, const abi::SigInfo& info);
Result<void> signal_task_checked(Task& sender, Task& target, const abi::SigInfo& info);

}  // namespace runsc::kernel
