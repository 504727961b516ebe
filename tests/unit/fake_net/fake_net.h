// Time for unit tests of the network: it stands still until a test lets it go on.
#pragma once

#include <cstdint>

namespace runsc::net::testing {

inline constexpr uint64_t kMs = 1'000'000, kSecond = 1'000'000'000;
// Timers that are due fire, in their order, and time goes on to `ns` from now.
void run_for(uint64_t ns);
// How many timers are armed.
size_t armed_timers();

}  // namespace runsc::net::testing
