// The fake seam as ring 0 is.
#pragma once

namespace runsc::arch {
inline constexpr bool kTrapsAreDear = false;
inline constexpr bool kTablesAreShadowed = false;
}  // namespace runsc::arch
