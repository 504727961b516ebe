// Ring 0 side of the seam: what must be inline.
#pragma once

#include <cstdint>

#include "kvm/arch/ring0/layout.h"

namespace runsc::arch {

// SAFETY: the boot page table maps RAM and window there (boot_protocol.h).
inline void* phys_to_virt(uint64_t phys) { return reinterpret_cast<void*>(ring0::kDirectMap + phys); }
inline uint64_t virt_to_phys(const void* direct_map_address) {
  return reinterpret_cast<uint64_t>(direct_map_address) - ring0::kDirectMap;
}

// First thing in the per-CPU block, behind what the assembly uses (per_cpu.h).
inline constexpr uint64_t kCpuLocalOffset = 64;

inline CpuLocal& cpu_local() {
  // Volatile: after a context switch the CPU may be another one.
  uint64_t self;
  asm volatile("movq %%gs:0, %0" : "=r"(self));
  return *reinterpret_cast<CpuLocal*>(self + kCpuLocalOffset);
}

inline uint64_t tsc() {
  uint32_t low, high;
  asm volatile("rdtsc" : "=a"(low), "=d"(high));
  return uint64_t{high} << 32 | low;
}

}  // namespace runsc::arch
