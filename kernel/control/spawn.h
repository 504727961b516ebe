// Processes that the host starts: without a parent, each a session of its own.
#pragma once

#include "kernel/control/containers.h"
#include "kernel/namespaces.h"
#include "kernel/task.h"

namespace runsc::kernel {

// A process that runs `entry` in kernel mode and, when that returns, user code. It belongs to the host by
// `number`, and is the container's init if that is the container's number too; `context` may come later.
// ENOMEM, EAGAIN.
Result<void> spawn_process(uint32_t number, Ref<Container> container, Ref<Namespaces> namespaces,
                           Ref<fs::FsContext> context, void (*entry)(void*), void* argument);

}  // namespace runsc::kernel
