// Host only. A process that joins a running container: what `exec` does once it knows what to run.
#pragma once

#include <string>
#include <vector>

#include "oci/host/error.h"
#include "oci/sandbox/state_dir.h"
#include "oci/spec/spec.h"

namespace runsc::oci {

struct JoinRequest {
  std::string directory;  // the sandbox's state
  std::string container;  // its id
  std::string process;    // its JSON
  bool terminal = false;
  WindowSize size;
  std::string console_socket;  // empty: the caller's terminal
  std::string pid_file;        // empty: none
  std::vector<int> preserved;  // what else it has open, from 3 on
};

// With the caller's streams; returns its exit status, or 128 and the number of the signal that killed it.
Expected<int> join_and_wait(const JoinRequest& request);
// Leaves it running: a process that is nobody's child, whose pid goes into the file, ends as it does, hands
// signals on to it, and takes it along when it is killed.
Expected<void> join_detached(const JoinRequest& request);

}  // namespace runsc::oci
