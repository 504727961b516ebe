#include "kvm/monitor/mode_probe.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>

namespace runsc::monitor {
namespace {

TEST_CASE("the probe answers quickly and says why", "[monitor][mode]") {
  auto kvm = KvmSystem::open();
  REQUIRE(kvm);
  auto vm = Vm::create(*kvm, 64 * kMiB, 1).value();
  auto start = std::chrono::steady_clock::now();
  auto choice = choose_mode(*vm);
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
  auto vm = Vm::create(*kvm, 64 * kMiB, 1).value();
  auto speed = measure_ring0(*vm);
  REQUIRE(speed);
  CHECK(choose_mode(*vm)->ring0 == (speed->picoseconds_per_instruction <= kSlowestRing0Picoseconds));
  // Nothing of it is left in guest memory.
  const std::byte* start = vm->memory().at(0);
  CHECK(std::all_of(start, start + kFirstSlotSize, [](std::byte b) { return b == std::byte{0}; }));
}

}  // namespace
}  // namespace runsc::monitor
