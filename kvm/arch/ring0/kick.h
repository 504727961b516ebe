// Internal to this folder.
#pragma once

#include <cstdint>

namespace runsc::arch::ring0 {

// Has the monitor pull CPUs out of user code or idling. Leaves this CPU's hostcall frame as it was: allowed
// while a reply is being read.
void kick_cpus(uint64_t mask);

}  // namespace runsc::arch::ring0
