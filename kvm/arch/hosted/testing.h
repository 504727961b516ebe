// Unit tests of rooms above: the hosted seam over plain memory, without KVM. Copies, locks, kalloc, stacks
// and contexts work; hostcalls answer ENOSYS; run_user does not work.
#pragma once

#include <cstdint>

#include "kvm/hostcall/boot_info.h"

namespace runsc::arch::hosted {

// RAM of `bytes`, zeroed, and a file window of `window_bytes` behind it at kWindowBase. Replaces what an
// earlier call made. Its BootInfo has ram_ready == ram_limit and free_start past the shared page and the
// frames.
const hostcall::BootInfo& start_test_machine(uint64_t bytes, uint64_t window_bytes = 1 << 20);
// Serves hostcalls of tests; null: ENOSYS again.
void serve_test_machine(void (*serve)(void* context, unsigned cpu, hostcall::Frame& frame), void* context);

}  // namespace runsc::arch::hosted
