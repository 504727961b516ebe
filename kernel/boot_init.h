// The container's init: from its description to a running process.
#pragma once

#include "kernel/base/result.h"
#include "kvm/hostcall/boot_info.h"

namespace runsc::kernel {

// Makes the task with pid 1, which then builds the mounts, opens the standard streams and executes. ENOMEM.
Result<void> start_init_task(const hostcall::BootInfo& boot);

}  // namespace runsc::kernel
