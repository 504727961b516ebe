// Host only. Hooks of config.json (OCI runtime specification, POSIX-platform hooks).
#pragma once

#include <string>
#include <vector>

#include "oci/host/error.h"
#include "oci/spec/spec.h"

namespace runsc::oci {

// Runs them one after the other in the host's namespaces, with the state on their standard input. The first
// that fails, or takes longer than its timeout and is killed, ends it with an error that says which.
Expected<void> run_hooks(const char* kind, const std::vector<Hook>& hooks, const std::string& state);

}  // namespace runsc::oci
