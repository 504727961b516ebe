// Host only. The sandbox process: from a fresh exec to the container's end.
#pragma once

#include <string>

#include "oci/cmd/options.h"
#include "oci/host/error.h"

namespace runsc::oci {

// Descriptors that the launcher puts in place for the sandbox process; nothing else above 2 survives into it.
inline constexpr int kSpecFd = 3;      // text of config.json
inline constexpr int kReportFd = 4;    // pipe to the launcher: sandbox/report.h
inline constexpr int kStateFd = 5;     // directory of the container's state: where the new root is mounted
inline constexpr int kDebugLogFd = 6;  // or closed

struct BootRequest {
  Options options;
  bool debug_log = false;  // kDebugLogFd is open
  bool console =
      false;  // stdin is a pseudo-terminal of the container's own, to become the controlling terminal
};

// Runs the container and reports to kReportFd; an error has been reported when this returns it.
Expected<void> boot(const BootRequest& request);

}  // namespace runsc::oci
