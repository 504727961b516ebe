// Host only. Where processes are in the host's cgroups.
#pragma once

#include <sys/types.h>

#include <string>

#include "oci/host/error.h"

namespace runsc::shim {

// Whether the host has the unified hierarchy alone.
bool is_cgroup2_host();

// The folder of the cgroup that a process is in, for a controller of version 1 (an empty name: version 2's).
oci::Expected<std::string> cgroup_folder(pid_t pid, const std::string& controller);

// Moves this process into a cgroup, named from the root of the hierarchies; it is made if it is not there.
oci::Expected<void> join_cgroup(const std::string& path);

}  // namespace runsc::shim
