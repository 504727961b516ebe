#include "kvm/monitor/mode_probe.h"

#include <catch2/catch.hpp>
#include <chrono>

namespace runsc::monitor {
namespace {

TEST_CASE("the probe answers quickly and says why", "[monitor][mode]") {
  auto kvm = KvmSystem::open();
  REQUIRE(kvm);
  auto start = std::chrono::steady_clock::now();
  auto choice = choose_mode(*kvm);
  auto took = std::chrono::steady_clock::now() - start;
  REQUIRE(choice);
  INFO(choice->reason);
  CHECK(choice->reason.starts_with(choice->ring0 ? "ring0: " : "hosted: "));
  // Bounded even on a loaded or emulated machine.
  CHECK(took < std::chrono::seconds(2));
}

TEST_CASE("the choice follows the measured speed", "[monitor][mode]") {
  auto kvm = KvmSystem::open();
  REQUIRE(kvm);
  if (needs_page_table_isolation(*kvm)) return;
  auto speed = measure_ring0(*kvm);
  REQUIRE(speed);
  CHECK(choose_mode(*kvm)->ring0 == (speed->picoseconds_per_instruction <= kSlowestRing0Picoseconds));
}

}  // namespace
}  // namespace runsc::monitor
