// New tasks: clone(2), fork(2), vfork(2).
#pragma once

#include <span>

#include "kernel/base/wait_queue.h"
#include "kernel/task.h"

namespace runsc::kernel {

namespace clone_flag {
inline constexpr uint64_t vm = 0x100, fs = 0x200, files = 0x400, sighand = 0x800, pidfd = 0x1000,
                          ptrace = 0x2000, vfork = 0x4000, parent = 0x8000, thread = 0x10000, newns = 0x20000,
                          sysvsem = 0x40000, settls = 0x80000, parent_settid = 0x100000,
                          child_cleartid = 0x200000, detached = 0x400000, untraced = 0x800000,
                          child_settid = 0x1000000, newcgroup = 0x2000000, newuts = 0x4000000,
                          newipc = 0x8000000, newuser = 0x10000000, newpid = 0x20000000, newnet = 0x40000000,
                          io = 0x80000000, clear_sighand = 0x100000000, into_cgroup = 0x200000000,
                          newtime = 0x80;
inline constexpr uint64_t namespaces = newns | newcgroup | newuts | newipc | newuser | newpid | newnet;
}  // namespace clone_flag

struct CloneRequest {
  uint64_t flags = 0;  // without the exit signal
  int exit_signal = 0;
  uint64_t stack = 0;  // new stack pointer; 0: the same
  uint64_t tls = 0;
  uint64_t parent_tid = 0, child_tid = 0, pidfd = 0;
  std::span<const int32_t> set_tid;  // numbers that the child must have, innermost namespace first
};

// The child's tid, as the parent sees it. EINVAL for flags that contradict each other or ask for namespaces
// that cannot be made; EPERM; EAGAIN; ENOMEM.
Result<int32_t> clone_task(Task& parent, const CloneRequest& request);

// The child of vfork(2) lets its parent go on: it executes or ends.
struct VforkWait : RefCounted<VforkWait> {
  std::atomic<bool> done{false};
  WaitQueue queue;
};
void vfork_done(Task& child);

// A task without user memory that runs `entry`; for the sentry's own work. ENOMEM.
Result<Ref<Task>> start_kernel_thread(std::string_view name, void (*entry)(void*), void* argument);

// The loop of a task with user memory: runs user code and serves its traps (run_task.cc).
[[noreturn]] void run_task(Task& task);

}  // namespace runsc::kernel
