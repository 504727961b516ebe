// Signals inside the kernel: queueing with conditions, masks, delivery on the way to user mode.
#pragma once

#include "kernel/signal/send.h"
#include "kernel/thread_group.h"

namespace runsc::kernel {

enum class DefaultAction : uint8_t { ignore, terminate, stop, resume };
DefaultAction default_action(int signal);
constexpr bool signal_valid(int s) { return s >= 1 && s <= abi::sig::max; }
inline constexpr uint64_t kUnblockable = abi::sig_bit(abi::sig::kill) | abi::sig_bit(abi::sig::stop);
inline constexpr uint64_t kStopSignals = abi::sig_bit(abi::sig::stop) | abi::sig_bit(abi::sig::tstp) |
                                         abi::sig_bit(abi::sig::ttin) | abi::sig_bit(abi::sig::ttou);

// outside: of the namespace of who is signalled: its init does not withstand.
enum class Origin : uint8_t { user, kernel, outside };
// Queues for a task (`to_group` false) or its process. EAGAIN: the queue is full and the signal must not be
// lost (sigqueue(3)). Locks held: rank < signal; not the tree lock when the signal may continue a process.
Result<void> queue_signal(Task& task, bool to_group, const abi::SigInfo& info, Origin origin);
Result<void> queue_signal_to_group(ThreadGroup& group, const abi::SigInfo& info, Origin origin);
Result<void> queue_signal_tree_locked(ThreadGroup& group, Task* task, const abi::SigInfo& info, Origin origin)
    REQUIRES(g_tree_lock);
// A POSIX timer's preallocated entry. False: it is queued already.
bool queue_preallocated(ThreadGroup& group, Task* task, QueuedSignal& entry);

// The current task's mask.
void set_blocked(Task& task, uint64_t mask);
// Until the next signal was handled, `mask` blocks; then what blocks now.
void set_temporary_mask(Task& task, uint64_t mask);
// Marks that the task has to look at its signals; wakes or interrupts it.
void signal_wake(Task& task);
// Takes one signal out of `mask` that waits for the task or its process, blocked or not: 0 if none.
int take_signal(Task& task, uint64_t mask, abi::SigInfo& info);
// After the mask or the queues changed: does anything wait for the current task?
void recalculate_pending_locked(Task& task) REQUIRES(task.group().signal_lock);

// On the way to user mode. A system call's result that asks for a restart becomes one, or EINTR: that the
// registers hold one is told by orig_rax, which a tracer may have set.
void deliver_signals(Task& task);

// signal/frame.cc: builds the frame of a handler on the user stack; EFAULT.
Result<void> push_signal_frame(Task& task, const abi::SigAction& action, const abi::SigInfo& info,
                               uint64_t mask_to_restore);
// rt_sigreturn(2). EFAULT, EINVAL: the task dies of SIGSEGV.
Result<void> pop_signal_frame(Task& task);
// sigaltstack(2): is `sp` on the task's alternate stack?
bool on_alt_stack(const Task& task, uint64_t sp);

// Makes every thread of the group leave; `status` is the wait status. The first caller's status counts.
void begin_group_exit(ThreadGroup& group, int32_t status);
// False: they leave already, for whatever reason.
bool begin_group_exit_locked(ThreadGroup& group, int32_t status) REQUIRES(g_tree_lock);

}  // namespace runsc::kernel
