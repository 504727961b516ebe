// Host only. The jail's table turned into a seccomp filter, and its installation.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "oci/host/error.h"
#include "oci/jail/rules.h"

namespace runsc::oci {

// The filter for a process whose pid is `own_process`: the architecture is checked, then each rule in turn;
// nothing matching kills the process.
Expected<std::vector<sock_filter>> build_filter(std::span<const Rule> rules, uint32_t own_process);

// Sets no_new_privs and applies the jail to every thread of this process, from now on and for what it starts.
Expected<void> close_jail();

// The table as text, for `runsc debug --seccomp`.
std::string describe_jail();

}  // namespace runsc::oci
