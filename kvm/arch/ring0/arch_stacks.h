// What a kernel stack costs in memory, for who pays for tasks.
#pragma once

#include <cstdint>

namespace runsc::arch {

inline constexpr int64_t kStackBytes = 32 << 10;

}  // namespace runsc::arch
