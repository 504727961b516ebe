// Host only. What --version says.
#pragma once

namespace runsc::oci {

inline constexpr const char* kRelease = "release-20261122.0";
// Of the OCI runtime specification.
inline constexpr const char* kSpecVersion = "1.1.0";

}  // namespace runsc::oci
