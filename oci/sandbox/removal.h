// Host only. How a container goes, whatever state it and its records are in.
#pragma once

#include <string>

#include "oci/cmd/options.h"
#include "oci/host/error.h"
#include "oci/sandbox/state_dir.h"

namespace runsc::oci {

// What `delete` does with one container. `force`: kills it first, and one that is not there is no error, nor
// is one whose state.json is missing or says nothing.
Expected<void> remove_container(const Options& options, const std::string& id, bool force);
// What a command left behind that died while its container ran in the foreground, or before there was one.
// False: the name belongs to a container.
bool remove_abandoned(const Options& options, const std::string& id);

// SIGKILL to the process behind the container, and to nobody who got its number since.
void kill_process(const ContainerState& state);
// The rest, once its process is gone: cgroups and poststop hooks. The directory is the caller's.
void clear_away(const Options& options, const StateDir& dir, const ContainerState& state);

}  // namespace runsc::oci
