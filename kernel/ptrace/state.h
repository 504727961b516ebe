// What ptrace(2) keeps of a task: who traces it, how it stands, and whom it traces itself.
#pragma once

#include <atomic>
#include <cstdint>

#include "kernel/abi/signal.h"

namespace runsc::kernel {

class Task;

namespace ptrace_option {
inline constexpr uint32_t sysgood = 1, fork = 1 << 1, vfork = 1 << 2, clone = 1 << 3, exec = 1 << 4,
                          vfork_done = 1 << 5, exit = 1 << 6, seccomp = 1 << 7, exitkill = 1 << 20,
                          all = 0xff | exitkill;
}

// PTRACE_EVENT_*; those up to `seccomp` are asked for by the option of the same bit.
enum class PtraceEvent : int {
  fork = 1,
  vfork = 2,
  clone = 3,
  exec = 4,
  vfork_done = 5,
  exit = 6,
  seccomp = 7,
  stop = 128
};

// Something that only the tracee itself can do, its machine state being where it runs: the asker waits.
struct TraceeErrand {
  void (*run)(Task& tracee, void* argument);
  void* argument;
  Task& asker;
  bool served = false;
  std::atomic<bool> over{false};
};

struct PtraceState {
  // ---- Changed under g_tree_lock and the process's signal_lock: one of them is enough to read.
  Task* tracer = nullptr;
  uint32_t options = 0;
  bool seized = false;
  bool tracer_is_capable = false;  // CAP_SYS_PTRACE when it attached: set-user-ID programs work

  // ---- Under g_tree_lock.
  Task* tracees = nullptr;      // of this task, chained by next_tracee
  Task* next_tracee = nullptr;  // of the same tracer

  // ---- Under the process's signal_lock.
  bool stopped = false;         // in a ptrace-stop
  bool listening = false;       // PTRACE_LISTEN: stopped, but not for requests
  bool stop_pending = false;    // takes part in the group stop that is in force
  bool trap_pending = false;    // PTRACE_INTERRUPT, or a new task of a seized one
  bool notify_pending = false;  // seized: the process was stopped or continued meanwhile
  bool stop_dequeued = false;   // a stop signal was taken, and no SIGCONT came since
  bool trapping = false;        // PTRACE_ATTACH waits for a stopped task to be a ptrace-stopped one
  bool leaving = false;         // on its way out: only a further SIGKILL ends a stop
  int code = 0;                 // stopped: for wait(2), 0 once told; resumed: the signal to go on with
  bool has_info = false;
  abi::SigInfo info;
  uint64_t message = 0;  // PTRACE_GETEVENTMSG
  TraceeErrand* errand = nullptr;

  // ---- The tracer's while the task is stopped, else the task's own.
  bool step = false;         // PTRACE_SINGLESTEP
  bool forced_trap = false;  // RFLAGS.TF is ours, not the program's
  bool emulate = false;      // PTRACE_SYSEMU
};

}  // namespace runsc::kernel
