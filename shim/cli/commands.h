// Host only. What the program does, by its action.
#pragma once

#include "oci/host/error.h"
#include "shim/cli/arguments.h"

namespace runsc::shim {

// Descriptors of a serving shim.
inline constexpr int kListenerFd = 3;
inline constexpr int kReadyFd = 4;  // closed without a byte: the shim could not start

// Prints the address of the shim that serves the container in the current folder, after starting it if need
// be.
oci::Expected<void> start_shim(const Arguments& arguments);
// Clears away what a shim that is gone left of a container; prints a DeleteResponse.
oci::Expected<void> delete_container(const Arguments& arguments);
// The shim itself, until it is told to shut down.
oci::Expected<void> serve_tasks(const Arguments& arguments);
// Prints a RuntimeInfo.
oci::Expected<void> print_info();

// Options as containerd gives them on stdin: an Any, or nothing.
oci::Expected<std::string> read_stdin();

}  // namespace runsc::shim
