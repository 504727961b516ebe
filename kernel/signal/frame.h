// The arithmetic of signal frames, apart from memory: what unit tests look at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/abi/signal.h"
#include "mm/user_ptr.h"

namespace runsc::kernel {

using mm::UserPtr;

inline constexpr size_t kSwBytesOffset = 464;

struct FrameLayout {
  uint64_t fpstate;  // address of the XSAVE image
  uint64_t frame;    // of RtSigFrame, the handler's stack pointer
};
FrameLayout frame_layout(uint64_t stack_top, uint64_t xsave_size);

// Writes the software-reserved words and the closing magic; `image` is xsave_size + 4 bytes.
void fill_xstate_marks(std::span<std::byte> image, uint64_t xcr0, uint32_t xsave_size);
// The si_code of a floating-point exception of the current task.
int current_fpe_code(class Task& task, bool x87);
// How many bytes of a user's image to believe in: 512 when it has no valid extended part.
size_t extended_state_size(const abi::FpxSwBytes& sw, uint32_t xsave_size);
// FPE_* of a floating-point exception, from an XSAVE image: of x87 (#MF) or SSE (#XM).
int fpe_code(std::span<const std::byte> image, bool x87);
// Keeps only `features` in XSTATE_BV.
void mask_xstate_header(std::span<std::byte> image, uint64_t features);

}  // namespace runsc::kernel
