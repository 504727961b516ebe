// The page that the kernel writes and the vDSO reads. Both builds and the vDSO itself include it.
#pragma once

#include <stdint.h>

namespace runsc::kernel {

// A consistent set when `sequence` is even and the same before and after.
struct VvarData {
  uint32_t sequence;
  uint32_t reserved;
  uint64_t tsc_base;  // monotonic = mono_base + ((tsc - tsc_base) * mult >> 32)
  uint64_t mono_base_ns;
  uint64_t mult;           // ns per tick, 32.32
  int64_t wall_offset_ns;  // realtime = monotonic + this
};

}  // namespace runsc::kernel
