#include "kvm/arch/seam.h"

namespace runsc::arch {

CpuidRegs user_cpuid(uint32_t leaf, uint32_t subleaf) {
  CpuidRegs r;
  // SAFETY: reads the CPU's identification only.
  asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
  return r;
}

}  // namespace runsc::arch
