// Who may look into whose process (ptrace(2), "Ptrace access mode checking", the reading modes).
#pragma once

#include "kernel/task.h"

namespace runsc::kernel {

// FSCREDS: access through a file system (/proc). REALCREDS: through a system call.
enum class InspectAs : uint8_t { fs_creds, real_creds };
// May the current task read of the target?
bool may_inspect(const Task& target, InspectAs as);

}  // namespace runsc::kernel
