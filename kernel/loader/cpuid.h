// What the auxiliary vector says about the CPU.
#pragma once

#include <cstdint>

namespace runsc::kernel {

// CPUID leaf 1, EDX: AT_HWCAP of x86.
uint32_t cpuid_1_edx();
// User code may use RDFSBASE and its kin (AT_HWCAP2 bit 1).
bool fsgsbase_usable();

}  // namespace runsc::kernel
