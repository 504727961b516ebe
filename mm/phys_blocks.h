// What the page allocator tells of itself, for /proc.
#pragma once

#include <cstdint>
#include <span>

#include "mm/phys.h"

namespace runsc::mm {

// Free blocks by order; what is not asked from the host yet counts as blocks of the largest.
void phys_free_blocks(std::span<uint64_t, kMaxOrder + 1> blocks);
// Pages that applications do not get.
uint64_t phys_reserve();

}  // namespace runsc::mm
