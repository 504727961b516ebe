// Host only. Containers that share a sandbox: which one a container belongs to, and the process that stands
// on the host for one that came later.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "oci/host/error.h"
#include "oci/host/unique_fd.h"
#include "oci/sandbox/preserved_fds.h"
#include "oci/spec/spec.h"

namespace runsc::oci {

// The id of the container whose sandbox this one joins, by what containerd's CRI and CRI-O annotate; none: it
// has one of its own.
Expected<std::optional<std::string>> pod_of(const Spec& spec);

struct MemberRequest {
  const Spec& spec;
  std::string id;
  std::string bundle;
  std::string sandbox_directory;  // state of the pod's sandbox
  std::string state_directory;    // its own: where its mounts are put together
  int terminal = -1;              // instead of the caller's three streams
  bool console = false;           // that is a pseudo-terminal of its own
  bool detached = false;          // outlives the caller
  std::vector<UniqueFd> cgroups;  // the doors to enter by
  UniqueFd report;                // report.h: ready, then how it ended
  UniqueFd lifeline;              // lifeline.h
  UniqueFd process_lock;          // StateDir::open_process_lock()
  bool create_hooks = false;      // the caller runs hooks when the namespaces are made
  PreservedFds preserved = {};    // what else the container has open
};

// The process: hands signals on, ends as the container's init does and takes the container along if it is
// killed. Its pid.
Expected<pid_t> start_member(MemberRequest request);

}  // namespace runsc::oci
