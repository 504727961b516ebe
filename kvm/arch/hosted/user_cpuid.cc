#include "kvm/arch/hosted/machine.h"

namespace runsc::arch {

CpuidRegs user_cpuid(uint32_t leaf, uint32_t subleaf) {
  if (!hosted::sandbox.vm) return {};
  auto entry = hosted::sandbox.vm->cpuid().find(leaf, subleaf);
  if (!entry) return {};
  return {entry->eax, entry->ebx, entry->ecx, entry->edx};
}

}  // namespace runsc::arch
