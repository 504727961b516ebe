// The upper half of every address space in ring0 mode; also read by assembly and by the linker script's
// author.
#pragma once

#include <cstdint>

namespace runsc::arch::ring0 {

// RAM and file window, guest-physical address 0 first.
inline constexpr uint64_t kDirectMap = 0xffff888000000000;
// Kernel stacks with their guard pages (stack.cc).
inline constexpr uint64_t kStackArea = 0xffffc90000000000;
// sentry.elf (sentry.ld).
inline constexpr uint64_t kImage = 0xffffffff80000000;

}  // namespace runsc::arch::ring0
