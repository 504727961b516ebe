// Which mode suits this machine: the sentry in ring 0, or on the host.
#pragma once

#include <cstdint>
#include <string>

#include "kvm/monitor/error.h"
#include "kvm/monitor/kvm_system.h"

namespace runsc::monitor {

// An instruction of guest ring 0 that takes longer is interpreted: hardware needs under a nanosecond, a
// machine that emulates the hardware some nanoseconds, an interpreter some hundreds.
inline constexpr std::uint64_t kSlowestRing0Picoseconds = 50'000;

struct Ring0Speed {
  std::uint64_t picoseconds_per_instruction;
};

// Times a short loop of guest ring 0 in a VM of its own, which is gone on return: some kernels give a VM that
// has run a thread in this process, which must have no other before the jail is closed. Takes 1 to 2 ms where
// ring 0 is interpreted, less elsewhere.
Expected<Ring0Speed> measure_ring0(const KvmSystem& kvm);

// Whether the CPU needs page table isolation against Meltdown (CVE-2017-5754): ring 0 mode, which maps the
// whole sentry beside the application, is not for such CPUs. AMD's are safe; Intel's say so by RDCL_NO in
// IA32_ARCH_CAPABILITIES.
bool needs_page_table_isolation(const KvmSystem& kvm);

struct ModeChoice {
  bool ring0;
  std::string reason;  // one line for the log
};
Expected<ModeChoice> choose_mode(const KvmSystem& kvm);

}  // namespace runsc::monitor
