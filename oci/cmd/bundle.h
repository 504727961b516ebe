// Host only. What `run` and `create` have in common: their flags and the bundle.
#pragma once

#include <span>
#include <string>

#include "oci/cmd/options.h"
#include "oci/sandbox/launcher.h"

namespace runsc::oci {

// Reads flags, ID and config.json; `detach` is null for commands without that flag. Errors name what is
// wrong.
Expected<LaunchRequest> read_launch_request(const Options& options, std::span<const std::string> args,
                                            const char* verb, bool* detach);

}  // namespace runsc::oci
