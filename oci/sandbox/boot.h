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
inline constexpr int kControlFd = 7;   // bound datagram socket: oci/control/protocol.h
inline constexpr int kLifelineFd = 8;  // lifeline.h
inline constexpr int kProcessFd = 9;   // StateDir::open_process_lock(): the lock lasts while it is open
inline constexpr int kChildFds = 10;   // and from here on what the container has from 3 on

struct BootRequest {
  Options options;
  std::string id;
  bool debug_log = false;  // kDebugLogFd is open
  // stdin is a pseudo-terminal of the container's own, to become the controlling terminal.
  bool console = false;
  bool wait_for_start = false;  // the container's init waits to be told
  bool detached = false;        // lives on without the launcher, once that says so
  bool create_hooks = false;    // the launcher runs hooks when the namespaces are made
  unsigned preserved = 0;       // descriptors from kChildFds on are the container's
  unsigned listening = 0;       // of them by socket activation (sd_listen_fds(3))
};

// Runs the container and reports to kReportFd; an error has been reported when this returns it.
Expected<void> boot(const BootRequest& request);

}  // namespace runsc::oci
