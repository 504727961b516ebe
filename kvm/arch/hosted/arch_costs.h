// Hosted side of the seam: what memory management must know of its prices.
#pragma once

namespace runsc::arch {

// A fault costs an exit, a shoot-down a call into the host: copy and map more at once to have fewer of them.
inline constexpr bool kTrapsAreDear = true;
// KVM without hardware behind it keeps shadows of page tables, found by the guest frame of the table, and
// does not see our stores: a table page, once linked, must keep its frame until flush_retired_tables().
inline constexpr bool kTablesAreShadowed = true;

}  // namespace runsc::arch
