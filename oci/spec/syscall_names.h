// Host only. The system calls of x86-64 by the names that config.json has for them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace runsc::oci {

// Nothing: no call of x86-64, or one that is too new.
std::optional<uint32_t> system_call_number(std::string_view name);

}  // namespace runsc::oci
