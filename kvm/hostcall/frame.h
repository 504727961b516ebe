// The one way from sentry to monitor. A request is written into this CPU's Frame, the doorbell is rung (port
// write in ring 0, function call when hosted), the reply stands in the same Frame afterwards. Both builds use
// the same layout and the monitor runs the same parser for both: it copies the frame to private memory first.
#pragma once

#include <cstddef>
#include <cstdint>

namespace runsc::hostcall {

inline constexpr uint16_t kDoorbellPort = 0x40;   // OUT imm8/DX, any value: serve this CPU's frame
inline constexpr uint32_t kFrameSize = 3 * 4096;  // page aligned in guest memory, one per CPU
inline constexpr uint32_t kBodySize = kFrameSize - 16;

struct Frame {
  uint32_t number;  // hostcall::Number
  int32_t error;    // reply: 0 or an Errno value
  uint32_t reserved[2];
  alignas(16) std::byte body[kBodySize];  // Request, then Reply
};
static_assert(sizeof(Frame) == kFrameSize);

// An open host file of this sandbox: an index into the monitor's table. Donated files come first, in the
// order in which oci/ donated them.
using Handle = uint32_t;
inline constexpr Handle kNoHandle = ~0u;

// A range of guest-physical memory; must lie in RAM (never in the file window) where the monitor reads or
// writes.
struct PhysRange {
  uint64_t phys;
  uint64_t size;
};

}  // namespace runsc::hostcall
