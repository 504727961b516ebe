// The time stamp counter: the clock of sentry and vDSO in both modes.
#pragma once

#include <cstdint>

#include "kvm/monitor/error.h"
#include "kvm/monitor/kvm_system.h"

namespace runsc::monitor {

// RDTSC, ordered after earlier loads (LFENCE; SDM volume 2B, RDTSC).
std::uint64_t read_tsc();

// Ticks per second of the host's counter: what KVM says, else CPUID leaf 0x15, else 0x40000010 of a
// hypervisor below us, else measured against CLOCK_MONOTONIC_RAW for some milliseconds.
Expected<std::uint64_t> tsc_frequency(const KvmSystem& kvm, int vcpu_fd);

// A moment seen by all three clocks at once, as closely as a few tries can put them together.
struct ClockAnchor {
  std::uint64_t tsc;
  std::int64_t realtime_ns;
  std::int64_t monotonic_ns;
};
ClockAnchor read_clock_anchor();

}  // namespace runsc::monitor
