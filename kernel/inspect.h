// Who may look into whose process, or lay hands on it (ptrace(2), "Ptrace access mode checking": reading and
// attaching differ for security modules only, and there are none).
#pragma once

#include "kernel/task.h"

namespace runsc::kernel {

// What PR_GET_DUMPABLE tells of a process: 1 is for anybody who may. Kept with it, since only together do
// they say who may look: how deep the user namespace is in which it was executed, of those above its own.
int32_t dumpable(const ThreadGroup& group);
void set_dumpable(ThreadGroup& group, int32_t value);
// By execve(2), which settles both.
void set_dumpable(ThreadGroup& group, int32_t value, uint32_t namespace_level);

// FSCREDS: access through a file system (/proc). REALCREDS: through a system call.
enum class InspectAs : uint8_t { fs_creds, real_creds };
// May the current task have access to the target?
bool may_inspect(const Task& target, InspectAs as);

}  // namespace runsc::kernel
