// Host only. What a whole sandbox may use of the host, from what config.json says of its first container and,
// where that is a pod's, what the engine annotates of the pod.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "oci/host/error.h"
#include "oci/spec/spec.h"

namespace runsc::oci {

// For the cgroups of the sandbox process: linux.resources, and in its place what containerd's CRI says of the
// pod (io.kubernetes.cri.sandbox-memory, -cpu-quota, -cpu-period, -cpu-shares), in whose first container the
// others run too.
Expected<Resources> sandbox_resources(const Spec& spec);

// What the sentry may have in use so that neither `limit`, which the cgroup has beside what the sandbox needs
// for itself, nor a limit of a cgroup around this process makes the host kill it. None: there is no limit.
std::optional<uint64_t> sandbox_memory(std::optional<int64_t> limit);
// The same for a process of which the least limit around it is known.
std::optional<uint64_t> sandbox_memory(std::optional<int64_t> limit, std::optional<uint64_t> around);
// The least memory limit of the cgroups that a process, or this one, is in.
std::optional<uint64_t> memory_limit_around(std::optional<pid_t> pid);
// The same of those around a sandbox's own (CgroupSet::paths()).
std::optional<uint64_t> memory_limit_above(const std::vector<std::string>& cgroups);

}  // namespace runsc::oci
