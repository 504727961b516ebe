// Host only. startContainer hooks: programs of the container, run inside it as its init will be.
#pragma once

#include "oci/host/error.h"
#include "oci/sandbox/state_dir.h"
#include "oci/spec/spec.h"

namespace runsc::oci {

// Of a created container, one after another, with its state on their standard input. The first that fails
// ends it.
Expected<void> run_start_hooks(const StateDir& dir, const ContainerState& state, const Spec& spec);

}  // namespace runsc::oci
