// Host only. Starts a sandbox process for one container, and stays with it in the foreground or leaves it.
#pragma once

#include <optional>
#include <string>

#include "oci/cmd/options.h"
#include "oci/host/error.h"
#include "oci/sandbox/preserved_fds.h"
#include "oci/sandbox/state_dir.h"
#include "oci/spec/spec.h"

namespace runsc::oci {

struct LaunchRequest {
  std::string id;
  std::string bundle;                  // directory that relative paths of config.json count from
  std::string spec_text;               // config.json, as it was read once
  Spec spec;                           // the same, parsed
  std::string pid_file;                // empty: none
  std::string console_socket;          // empty: the terminal is the caller's
  std::optional<std::string> sandbox;  // the container whose sandbox it joins: pod.h
  PreservedFds preserved;              // what else the container has open
};

// The exit status that the command ends with: the container's own, or 128 and the number of the signal that
// killed it, as runc has it. One thread only; signals that the container should get are blocked and taken
// meanwhile.
Expected<int> launch_and_wait(const Options& options, const LaunchRequest& request);
// Leaves the container created: everything is there, its init waits for `start`. The sandbox process is then
// nobody's child, and ends with the container's exit status.
Expected<void> launch_created(const Options& options, const LaunchRequest& request);
// What `start` does: with the hooks around it. `state` is locked. The texts are warnings for the user.
Expected<std::vector<std::string>> start_created(const StateDir& state);

}  // namespace runsc::oci
