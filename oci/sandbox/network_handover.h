// Host only. The network of a container that was created and is to be started.
#pragma once

#include <string>
#include <vector>

#include "oci/host/error.h"
#include "oci/sandbox/state_dir.h"

namespace runsc::oci {

// The interfaces that the network namespace of the created sandbox has by now go to it, where it waits for
// them. Warnings for the user. The calling process, of one thread, is in its own namespace again on return.
Expected<std::vector<std::string>> hand_network_over(const StateDir& dir, const ContainerState& state);

}  // namespace runsc::oci
