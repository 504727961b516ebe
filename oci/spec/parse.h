// Host only. The strict parser of config.json. Known fields of a wrong type or range are refused with their
// JSON path; unknown fields are ignored, as the OCI runtime specification demands.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "oci/host/error.h"
#include "oci/spec/spec.h"

namespace runsc::oci {

inline constexpr size_t kMaxSpecBytes = size_t{16} << 20;
inline constexpr int kMaxSpecDepth = 64;

// `name` (config.json, usually) begins every error. Survives any bytes.
Expected<Process> parse_process_text(std::string_view text, const std::string& name = "process.json");
Expected<Resources> parse_resources_text(std::string_view text, const std::string& name = "resources.json");
Expected<Spec> parse_spec(std::string_view text, const std::string& name = "config.json");

}  // namespace runsc::oci
