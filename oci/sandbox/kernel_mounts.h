// Host only. Interfaces of the host's kernel (proc, sysfs, cgroup, ...) that a recursive copy of host
// directories drags into the sandbox's mount namespace, taken out again.
#pragma once

#include <string_view>

#include "oci/host/error.h"

namespace runsc::oci {

bool is_kernel_file_system(std::string_view type);

// Detaches every such mount beneath the children of `root`, the root of the namespace's own tree. The
// children themselves stay: a bind mount that names /proc on purpose gets it. Needs /proc.
Expected<void> detach_kernel_mounts(int root);

}  // namespace runsc::oci
