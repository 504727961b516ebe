#include "kernel/loader/cpuid.h"

#include "kvm/arch/seam.h"

namespace runsc::kernel {

uint32_t cpuid_1_edx() {
  uint32_t a = 1, b = 0, c = 0, d = 0;
  // SAFETY: CPUID is allowed in every mode and touches only the named registers.
  asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  return d;
}

bool fsgsbase_usable() { return arch::boot_info().cpu_features & hostcall::kFeatureFsgsbase; }

}  // namespace runsc::kernel
