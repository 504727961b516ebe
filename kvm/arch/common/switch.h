// The stack switch that both sides share (switch.S).
#pragma once

#include <cstdint>

extern "C" {
// Saves the callee-saved registers on the current stack and its pointer in *save, then goes on where `load`
// was saved.
void runsc_switch_stack(uint64_t* save, uint64_t load);
// First return address of a new stack: calls r12(r13), which must not return.
void runsc_context_start();
}

namespace runsc::arch {

// Lays out a new stack so that runsc_switch_stack starts entry(arg) on it; returns the pointer to load.
inline uint64_t prepare_stack(uint64_t top, void (*entry)(void*), void* arg) {
  // SAFETY: `top` is the end of a stack of at least one page that the caller owns.
  auto* sp = reinterpret_cast<uint64_t*>(top & ~uint64_t{15});
  *--sp = 0;  // ends a backtrace
  *--sp = 0;  // keeps the call below aligned to 16
  *--sp = reinterpret_cast<uint64_t>(&runsc_context_start);
  *--sp = 0;                                  // rbp
  *--sp = 0;                                  // rbx
  *--sp = reinterpret_cast<uint64_t>(entry);  // r12
  *--sp = reinterpret_cast<uint64_t>(arg);    // r13
  *--sp = 0;                                  // r14
  *--sp = 0;                                  // r15
  return reinterpret_cast<uint64_t>(sp);
}

}  // namespace runsc::arch
