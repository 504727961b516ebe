// Host only. Signals that belong to the container's init rather than to the processes around it.
#pragma once

#include <csignal>

namespace runsc::oci {

// What `runsc run` passes on, and the sandbox process hands to the container. SIGWINCH among them stands for
// a new window size.
sigset_t forwarded_signals();

}  // namespace runsc::oci
