// Who may look into whose process, or lay hands on it (ptrace(2), "Ptrace access mode checking": reading and
// attaching differ for security modules only, and there are none).
#pragma once

#include "kernel/task.h"

namespace runsc::kernel {

// FSCREDS: access through a file system (/proc). REALCREDS: through a system call.
enum class InspectAs : uint8_t { fs_creds, real_creds };
// May the current task have access to the target?
bool may_inspect(const Task& target, InspectAs as);

}  // namespace runsc::kernel
