// Host only. Signals that belong to the container's init rather than to the processes around it.
#pragma once

#include <csignal>

namespace runsc::oci {

// Every signal that can be caught: for a process that has nothing to do but to hand them on. SIGWINCH among
// them stands for a new window size.
sigset_t catchable_signals();
// Those that `runsc run` passes on and the sandbox process takes for the container: without faults, ends of
// children and writes to nobody, which are its own, and without those that wake its virtual CPUs.
sigset_t forwarded_signals();

}  // namespace runsc::oci
