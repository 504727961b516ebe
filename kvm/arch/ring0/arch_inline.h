// Ring 0 side of the seam: what must be inline.
#pragma once

#include <cstdint>

#include "kvm/arch/ring0/layout.h"

namespace runsc::arch {

// SAFETY: the monitor maps RAM below BootInfo::ram_ready there, direct_map_extend() the rest.
inline void* phys_to_virt(uint64_t phys) { return reinterpret_cast<void*>(ring0::kDirectMap + phys); }
inline uint64_t virt_to_phys(const void* direct_map_address) {
  return reinterpret_cast<uint64_t>(direct_map_address) - ring0::kDirectMap;
}

}  // namespace runsc::arch
