// What kernel/base needs of the CPU that runs it; defined by the seam (kvm/arch), or by the scheduler where
// said.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/base/lock_rank.h"

namespace runsc {

// The spinlocks that this CPU (host thread) holds, for the order check of debug builds.
struct LockStack {
  static constexpr size_t kMax = 16;
  uint8_t depth = 0;
  LockRank ranks[kMax] = {};
};
LockStack& current_lock_stack();

// One round of busy waiting; `round` counts up from 0. Hosted builds give the host CPU away after some
// rounds.
void spin_relax(uint32_t round);

}  // namespace runsc
