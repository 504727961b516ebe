// Host only. Hooks of config.json that run on the host.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "oci/host/error.h"
#include "oci/spec/spec.h"

namespace runsc::oci {

// One after another, each with `state` on its standard input. The first that fails ends it: its error says
// which and shows what it wrote. `inside`: a process whose namespaces they run in; 0: those of the caller. A
// hook dies with the caller.
Expected<void> run_hooks(const char* kind, const std::vector<Hook>& hooks, const std::string& state,
                         pid_t inside = 0);
// Whether they fail or not: what went wrong.
std::vector<std::string> run_all_hooks(const char* kind, const std::vector<Hook>& hooks,
                                       const std::string& state);

// What a hook wrote to a file, from its start, for an error.
std::string first_output(int output);

}  // namespace runsc::oci
