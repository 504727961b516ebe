// Host only. Names that config.json uses for numbers of the Linux ABI.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace runsc::oci {

// Capabilities up to CAP_CHECKPOINT_RESTORE, capabilities(7).
inline constexpr uint64_t kAllCapabilities = (uint64_t{1} << 41) - 1;

// "CAP_CHOWN" -> 0.
std::optional<int> capability_number(std::string_view name);
// 0 -> "CAP_CHOWN"; null past the last.
const char* capability_name(int number);
// "RLIMIT_CPU" -> RLIMIT_CPU.
std::optional<int> rlimit_number(std::string_view name);

}  // namespace runsc::oci
