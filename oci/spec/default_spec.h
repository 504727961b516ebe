// Host only. The config.json that `spec` writes and `do` starts from.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace runsc::oci {

// What runc's `spec` writes: sh on a terminal in ./rootfs, read-only, few capabilities.
nlohmann::ordered_json default_spec(const std::vector<std::string>& args);
// Names of the capabilities in `set`, as config.json has them.
std::vector<std::string> capability_names(uint64_t set);

}  // namespace runsc::oci
