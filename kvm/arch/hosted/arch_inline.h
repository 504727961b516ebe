// Hosted side of the seam: what must be inline.
#pragma once

#include <cstddef>
#include <cstdint>

namespace runsc::arch {

namespace hosted {
// Where guest-physical address 0 stands in this process; set once at boot, before the first CPU runs.
inline std::byte* direct_map_base = nullptr;
}  // namespace hosted

inline void* phys_to_virt(uint64_t phys) { return hosted::direct_map_base + phys; }
inline uint64_t virt_to_phys(const void* direct_map_address) {
  return static_cast<uint64_t>(static_cast<const std::byte*>(direct_map_address) - hosted::direct_map_base);
}

}  // namespace runsc::arch
