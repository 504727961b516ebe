// What the init of a container does before its program runs.
#pragma once

#include "kernel/container.h"
#include "kernel/control/process_start.h"
#include "kernel/namespaces.h"

namespace runsc::kernel {

struct Prepared {
  ContainerSpec spec;
  Program program;
};

// Names, mounts, streams and the program of the container that `bytes` describe (container_spec.h), for its
// init `task`, which goes to a mount namespace of its own.
Started<Prepared> set_up_container(Task& task, std::span<const std::byte> bytes);

}  // namespace runsc::kernel
