// Host only. Descriptors that the caller hands into the container: those of socket activation
// (sd_listen_fds(3)) and those of --preserve-fds.
#pragma once

#include <string>
#include <vector>

#include "oci/host/error.h"

namespace runsc::oci {

struct PreservedFds {
  std::vector<int> fds;    // borrowed; in the container they are 3, 4, ...
  unsigned listening = 0;  // of them by socket activation
};

// As runc has it: what LISTEN_FDS promises comes first, if LISTEN_PID is this process, then `count` more.
// Before this process opens anything of its own. Refuses one that is not open, and what the sandbox could not
// use: directories, devices, listening sockets.
Expected<PreservedFds> preserved_fds(unsigned count);

// What tells the container's process of those of socket activation.
std::vector<std::string> listening_environment(unsigned count);

// As many as may be.
inline constexpr unsigned kMaxPreservedFds = 128;

}  // namespace runsc::oci
