// Host only.
#pragma once

#include <sys/types.h>

#include <string>

#include "oci/host/error.h"

namespace runsc::oci {

// Appears whole: whoever waits for the file reads a number. An empty path is none.
Expected<void> write_pid_file(const std::string& path, pid_t pid);

}  // namespace runsc::oci
