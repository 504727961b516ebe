// Ring 0 side of the seam: what memory management must know of its prices.
#pragma once

namespace runsc::arch {

// A fault is a direct trap.
inline constexpr bool kTrapsAreDear = false;
// The sentry's own stores to page tables are the guest's stores: shoot-downs are all that is needed.
inline constexpr bool kTablesAreShadowed = false;

}  // namespace runsc::arch
