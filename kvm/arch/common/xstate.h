// The XSAVE area in standard format (SDM volume 1, 13.4), as user code hands it to sigreturn(2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/base/result.h"

namespace runsc::arch {

inline constexpr size_t kXsaveLegacySize = 512;
inline constexpr size_t kXsaveHeaderSize = 64;
inline constexpr size_t kXsaveMinSize = kXsaveLegacySize + kXsaveHeaderSize;
inline constexpr size_t kXsaveMxcsr = 24;
inline constexpr uint32_t kMxcsrMask = 0xffff;

// Whether XRSTOR would take it: EINVAL for components outside xcr0, a compacted format, reserved header bytes
// or MXCSR bits, or a short area.
Result<void> xstate_validate(std::span<const std::byte> area, uint64_t xcr0, size_t size);
// The state of a new program: FNINIT, MXCSR 0x1f80, everything else in its initial configuration.
void xstate_reset(std::span<std::byte> area);

}  // namespace runsc::arch
