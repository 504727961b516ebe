// A seam for unit tests of mm, without a machine: what must be inline.
#pragma once

#include <cstddef>
#include <cstdint>

namespace runsc::arch {

namespace fake {
inline std::byte* memory_base = nullptr;
}  // namespace fake

inline void* phys_to_virt(uint64_t phys) { return fake::memory_base + phys; }
inline uint64_t virt_to_phys(const void* p) {
  return static_cast<uint64_t>(static_cast<const std::byte*>(p) - fake::memory_base);
}

}  // namespace runsc::arch
