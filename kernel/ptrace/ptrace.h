// ptrace(2) inside the kernel: where tasks stop for their tracer, and what a tracer may ask.
#pragma once

#include <type_traits>

#include "kernel/pid.h"
#include "kernel/task.h"
#include "kernel/thread_group.h"

namespace runsc::kernel {

inline bool is_traced(const Task& task) { return task.ptrace.tracer != nullptr; }

// ---- stop.cc: of the current task, without locks.

// SIGKILL waits, or the process ends: no stop keeps the task.
bool fatal_signal_pending_locked(const Task& task) REQUIRES(task.group().signal_lock);
// Is there a job control stop, an interrupt or a notice to stop for?
bool ptrace_trap_pending_locked(const Task& task) REQUIRES(task.group().signal_lock);
// Stops for it.
void ptrace_trap(Task& task);
// Signal-delivery-stop. What the tracer made of the signal stands in `info`; false: it took it away.
bool ptrace_signal(Task& task, abi::SigInfo& info);
// A stop for an event that the tracer asked for by option.
bool ptrace_wants(const Task& task, PtraceEvent event);
void ptrace_event(Task& task, PtraceEvent event, uint64_t message);
// Syscall-entry-stop. False: the call is not to be made; rax stands as it shall be.
bool ptrace_syscall_enter(Task& task);
// Syscall-exit-stop, or the trap of a step over the call.
void ptrace_syscall_exit(Task& task);
// Before a handler's frame is built: takes the trap flag back. True: the handler's first instruction ends a
// step, which ptrace_step_into_handler() tells.
bool ptrace_stop_stepping(Task& task);
void ptrace_step_into_handler(Task& task);
// Before anything of the task is gone: the event of its exit. `status`: a wait status.
void ptrace_exit(Task& task, int32_t status);

// What the tracer calls it, in an event: 0 if it does not see it.
int32_t number_for_tracer(Task& traced, int32_t id);

// ---- link.cc

// The current task becomes traced by its parent. EPERM.
Result<void> ptrace_traceme(Task& task);
// EIO for arguments, EPERM.
Result<void> ptrace_attach(Task& me, Task& target, bool seize, uint32_t options);
// A new task of a traced one, before it runs; under the locks of its birth.
void ptrace_inherit_locked(Task& parent, Task& child) REQUIRES(g_tree_lock);
// Lets go of the task, which goes on. Locks held: the tree.
void ptrace_unlink_locked(Task& tracee) REQUIRES(g_tree_lock);
// The same, by a tracer that ends.
void ptrace_abandon_locked(Task& tracee) REQUIRES(g_tree_lock);
// A child of the process `parent` that is traced by another process: its end is told there first.
bool ptraced_by_other_locked(const Task& task, const ThreadGroup* parent) REQUIRES(g_tree_lock);
// SIGCHLD to the tracer's process and the end of its wait(2). `code`: CLD_*.
void ptrace_notify_tracer_locked(Task& tracee, int code, int status) REQUIRES(g_tree_lock);

// Job control changed: a seized task that listens stops anew, one that runs stops soon. The process's
// signal_lock is held.
void ptrace_notice_locked(Task& tracee);
// The end of a task: what it traces goes on without it, or dies (PTRACE_O_EXITKILL). Tracees that are dead
// already are handed to f(Task&), unlinked.
template <class F>
void ptrace_leave_tracees_locked(Task& tracer, F&& f) REQUIRES(g_tree_lock) {
  while (Task* t = tracer.ptrace.tracees) {
    ptrace_abandon_locked(*t);
    if (t->dead) f(*t);
  }
}

// Runs f() in the stopped tracee's own context. ESRCH: it is not stopped any more.
Result<void> ptrace_errand(Task& me, Task& tracee, void (*run)(Task&, void*), void* argument);
template <class F>
Result<void> in_tracee(Task& me, Task& tracee, F&& f) {
  using Call = std::remove_reference_t<F>;
  return ptrace_errand(
      me, tracee, [](Task& t, void* call) { (*static_cast<Call*>(call))(t); }, &f);
}

}  // namespace runsc::kernel
