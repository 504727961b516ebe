// What stands between a task and the straight way from user code to a system call and back: one word, looked
// at once on the way in and once on the way out.
#pragma once

#include <atomic>
#include <cstdint>

namespace runsc::kernel {

enum class Work : uint32_t {
  // On the way out.
  signal = 1 << 0,        // a signal waits that the task would take now, or its process stops or ends
  restore_mask = 1 << 1,  // TaskSignals::saved_mask comes back once signals are delivered
  cpu_time = 1 << 2,      // perhaps somebody watches the CPU time of the process (watch_cpu_time())
  ptrace_step = 1 << 3,   // a system call ends the tracer's single step
  freeze = 1 << 4,        // the container is paused
  memory = 1 << 5,        // it took memory when its container, or the sandbox, had none left (kernel/oom.h)
  copy = 1 << 6,          // a copy from or to user memory found no memory
  // On the way in.
  trace = 1 << 16,    // --strace
  seccomp = 1 << 17,  // the task has a seccomp mode
  // Both ways.
  ptrace_syscall = 1 << 18,  // PTRACE_SYSCALL, PTRACE_SYSEMU
};

constexpr uint32_t operator|(Work a, Work b) { return static_cast<uint32_t>(a) | static_cast<uint32_t>(b); }
constexpr uint32_t operator|(uint32_t a, Work b) { return a | static_cast<uint32_t>(b); }

// At the end of a system call.
inline constexpr uint32_t kSyscallExitWork = Work::ptrace_syscall | Work::ptrace_step;
inline constexpr uint32_t kExitWork = kSyscallExitWork | Work::signal | Work::restore_mask | Work::cpu_time |
                                      Work::freeze | Work::memory | Work::copy;
inline constexpr uint32_t kEntryWork = Work::trace | Work::seccomp | Work::ptrace_syscall;

// Anybody may change it. Who sets a bit for a task that may run in user code wakes or kicks it afterwards.
class WorkFlags {
 public:
  explicit WorkFlags(uint32_t bits) : bits_(bits) {}

  bool any(uint32_t mask) const { return bits_.load(std::memory_order_acquire) & mask; }
  bool has(Work work) const { return any(static_cast<uint32_t>(work)); }
  // Full fences: a setter then looks whether the task runs, a task that runs then looks for work.
  void set(Work work) { bits_.fetch_or(static_cast<uint32_t>(work), std::memory_order_seq_cst); }
  void clear(Work work) { bits_.fetch_and(~static_cast<uint32_t>(work), std::memory_order_seq_cst); }
  void assign(Work work, bool on) { on ? set(work) : clear(work); }

 private:
  std::atomic<uint32_t> bits_;
};

}  // namespace runsc::kernel
