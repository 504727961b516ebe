// Host only. For a command that stands on the host for a process in a sandbox.
#pragma once

#include <unistd.h>

#include "oci/control/client.h"
#include "oci/host/error.h"
#include "oci/host/unique_fd.h"

namespace runsc::oci {

// The signals that are for the process, from now on to be read here: signalfd(2).
Expected<UniqueFd> take_catchable_signals();
// Hands signals on until the process ends: its wait status. `terminal`: whose size it has; -1: none. An error
// if `lifeline` ends before it says otherwise; -1: none.
Expected<int> accompany(ControlClient& client, int signals, int terminal, int lifeline = -1);
// Of a wait status, as shells have it.
int exit_status_of(int wait_status);
// Lets go of the caller's streams, up to the descriptor `last`.
void close_standard_streams(int last = STDERR_FILENO);

}  // namespace runsc::oci
