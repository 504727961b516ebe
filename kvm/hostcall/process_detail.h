// What the value of CommandKind::processes (control_calls.h) may be beside 0.
#pragma once

#include <cstdint>

namespace runsc::hostcall {

// Not a line for each process, but what each thread does, as text for people (kernel/control/stacks.cc).
inline constexpr uint32_t kEachThread = 1;

}  // namespace runsc::hostcall
