// What a kernel stack costs in memory, for who pays for tasks. What is not touched of one takes no memory;
// few are kept.
#pragma once

#include <cstdint>

namespace runsc::arch {

inline constexpr int64_t kStackBytes = 16 << 10;

}  // namespace runsc::arch
