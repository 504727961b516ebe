// Time and chance for unit tests of the network: the same at every run.
#include "net/services.h"

namespace runsc::net {

namespace {
uint64_t g_state = 0x9e3779b97f4a7c15;
}

uint64_t monotonic_ns() { return 1'000'000'000; }
int64_t realtime_ns() { return 1'700'000'000'000'000'000; }
uint64_t random_u64() {
  g_state ^= g_state << 13;
  g_state ^= g_state >> 7;
  g_state ^= g_state << 17;
  return g_state;
}
uint32_t random_u32() { return static_cast<uint32_t>(random_u64() >> 16); }

}  // namespace runsc::net
