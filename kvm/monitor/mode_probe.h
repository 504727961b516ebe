// Which mode suits this machine: the sentry in ring 0, or on the host.
#pragma once

#include <cstdint>
#include <string>

#include "kvm/monitor/error.h"
#include "kvm/monitor/kvm_system.h"
#include "kvm/monitor/vm.h"

namespace runsc::monitor {

// An instruction of guest ring 0 that takes longer is interpreted: hardware needs under a nanosecond, a
// machine that emulates the hardware some nanoseconds, an interpreter some hundreds.
inline constexpr std::uint64_t kSlowestRing0Picoseconds = 50'000;

struct Ring0Speed {
  std::uint64_t picoseconds_per_instruction;
};

// Times a short loop of guest ring 0, on a vCPU of its own and in pages of guest RAM that are given back. The
// VM must not run yet. Takes 1 to 2 ms where ring 0 is interpreted, less elsewhere. (A VM of its own would
// cost more to take down than all of this: the kernel waits for every reader of its memory slots.)
Expected<Ring0Speed> measure_ring0(Vm& vm);

// Whether the CPU needs page table isolation against Meltdown (CVE-2017-5754): ring 0 mode, which maps the
// whole sentry beside the application, is not for such CPUs. AMD's are safe; Intel's say so by RDCL_NO in
// IA32_ARCH_CAPABILITIES.
bool needs_page_table_isolation(const KvmSystem& kvm);

struct ModeChoice {
  bool ring0;
  std::string reason;  // one line for the log
};
Expected<ModeChoice> choose_mode(Vm& vm);

}  // namespace runsc::monitor
