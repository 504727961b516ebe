// What a kernel stack costs in memory, for who pays for tasks. They never leave their area (stack.cc).
#pragma once

#include <cstdint>

namespace runsc::arch {

inline constexpr int64_t kStackBytes = 32 << 10;
inline constexpr bool kStacksStay = true;  // when they are free

}  // namespace runsc::arch
