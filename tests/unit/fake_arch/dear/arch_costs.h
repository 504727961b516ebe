// The fake seam as hosted mode is.
#pragma once

namespace runsc::arch {
inline constexpr bool kTrapsAreDear = true;
inline constexpr bool kTablesAreShadowed = true;
}  // namespace runsc::arch
