// Waiting for children (wait(2), waitid(2)).
#pragma once

#include "kernel/task.h"
#include "kernel/thread_group.h"

namespace runsc::kernel {

namespace wait_flag {
inline constexpr uint32_t nohang = 1, untraced = 2, stopped = 2, exited = 4, continued = 8,
                          nowait = 0x1000000, nothread = 0x20000000, all = 0x40000000, clone = 0x80000000;
}

struct WaitRequest {
  enum class Who : uint8_t { any, pid, group, pidfd } who = Who::any;
  int32_t id = 0;
  uint32_t flags = 0;                  // wait_flag
  const ThreadGroup* exact = nullptr;  // pidfd
};

struct WaitOutcome {
  int32_t pid = 0;  // as who waits sees it; 0: none ready (WNOHANG)
  int32_t status = 0;
  uint32_t uid = 0;
  int code = 0;  // CLD_*
  ResourceUsage usage;
};

// ECHILD: nothing to wait for. ERESTARTSYS.
Result<WaitOutcome> wait_for_child(Task& task, const WaitRequest& request);

}  // namespace runsc::kernel
