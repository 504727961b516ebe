// The clocks: the TSC anchored to the host's clocks (clock_gettime(2)).
#pragma once

#include <cstdint>

#include "kvm/hostcall/boot_info.h"

namespace runsc::kernel {

// Nanoseconds of CLOCK_MONOTONIC (and CLOCK_BOOTTIME): the host's, as in other containers, because programs
// subtract from it and do not expect a machine that booted a moment ago. Never goes backwards. Any context.
uint64_t monotonic_ns();
// Nanoseconds since 1970 (CLOCK_REALTIME).
int64_t realtime_ns();
// The TSC value at which the monotonic clock shows `ns`; ~0 for kNoDeadline.
uint64_t tsc_of_monotonic(uint64_t ns);
// A span of TSC ticks in nanoseconds, by the nominal frequency.
uint64_t tsc_to_ns(uint64_t ticks);
uint64_t ns_to_tsc(uint64_t ns);

void clock_init(const hostcall::BootInfo& boot);
// Asks the host for a new anchor if the last is some seconds old. Does a hostcall: no spinlocks held.
void clock_refresh();

// What the vDSO reads (kernel/vdso/vvar.h); written under a sequence count.
struct VvarData;
void clock_publish_to(VvarData* page);

}  // namespace runsc::kernel
