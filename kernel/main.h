// Where the seam enters the kernel.
#pragma once

#include "kvm/hostcall/boot_info.h"

namespace runsc::kernel {

// CPU 0: sets everything up, starts the container's init, then schedules.
[[noreturn]] void kernel_main(const hostcall::BootInfo& boot);
// The other CPUs: wait for CPU 0's set-up, then schedule.
[[noreturn]] void kernel_cpu_main(unsigned cpu);

}  // namespace runsc::kernel
