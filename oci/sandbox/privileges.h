// Host only. What the sandbox process gives up before the container's first instruction. The seccomp filter
// is in jail/; this is everything else.
#pragma once

#include <cstdint>

#include "oci/host/error.h"

namespace runsc::oci {

// The capabilities that the monitor keeps, as a bit set: those that creating and changing files for the
// container's users in writable bind mounts takes, and no other. privileges.cc says why for each.
uint64_t kept_capabilities();

// Limits that the process sets for itself: no core files (they would hold the container's memory), all the
// file descriptors it may have, no debugger of the same user.
Expected<void> limit_process();

// Drops every capability but the kept ones from all sets, and the supplementary groups. Only the calling
// thread's: call it while there is one thread, which is checked beforehand by require_single_thread().
Expected<void> drop_privileges();
// Needs /proc.
Expected<void> require_single_thread();

}  // namespace runsc::oci
