// Host only. The cgroup hierarchies that the host has mounted.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "oci/host/error.h"

namespace runsc::oci {

struct Hierarchy {
  std::string mount_point;
  std::string own;  // where this process is, "/..." beneath the mount point
  bool unified = false;
};

// Those with controllers, and v2 where it is the only one or has controllers; with the places of another
// process.
Expected<std::vector<Hierarchy>> find_hierarchies(std::optional<pid_t> pid = std::nullopt);
// The same from the texts of /proc/self/mountinfo and /proc/self/cgroup.
std::vector<Hierarchy> read_hierarchies(const std::string& mountinfo, const std::string& cgroup);

}  // namespace runsc::oci
