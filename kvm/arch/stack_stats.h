// What stacks of ended tasks are kept for the next ones.
#pragma once

#include <cstdint>

namespace runsc::arch {

// Bytes of kernel stacks that nobody uses: their places in the address space stay theirs. 0 where they are
// given back.
uint64_t stack_kept_bytes();

}  // namespace runsc::arch
