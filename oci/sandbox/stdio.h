// Host only. The container's stdin, stdout and stderr as the sandbox receives them.
#pragma once

#include <vector>

#include "oci/host/error.h"
#include "oci/host/unique_fd.h"

namespace runsc::oci {

// Opens /dev/null where fds 0, 1 or 2 are closed, so that no later open lands there by accident.
Expected<void> fill_standard_fds();

// Closes every descriptor from 3 on but these.
void close_all_but(std::vector<int> kept);

// A descriptor for `fd` that can be made non-blocking without doing so to everybody who shares it: pipes and
// terminals are opened anew, with O_NONBLOCK; files (whose offset is meant to be shared), sockets and what
// refuses are duplicated. Needs /proc.
Expected<UniqueFd> take_stream(int fd);

}  // namespace runsc::oci
