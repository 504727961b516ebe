// What both sides must make of registers that user code (or sigreturn(2)) chose before the CPU sees them.
#pragma once

#include <cstdint>

#include "kvm/arch/seam.h"

namespace runsc::arch {

inline constexpr uint64_t kFlagTf = 1 << 8, kFlagIf = 1 << 9, kFlagDf = 1 << 10, kFlagIopl = 3 << 12,
                          kFlagNt = 1 << 14, kFlagRf = 1 << 16, kFlagAc = 1 << 18;
// CF PF AF ZF SF TF DF OF NT RF AC ID: all that user code can change or single-stepping needs (SDM volume 1,
// 3.4.3). IOPL, VM, VIF and VIP stay 0, IF and the fixed bit 1.
inline constexpr uint64_t kUserFlags =
    0x1 | 0x4 | 0x10 | 0x40 | 0x80 | kFlagTf | kFlagDf | 0x800 | kFlagNt | kFlagRf | kFlagAc | 1 << 21;
constexpr uint64_t sanitize_flags(uint64_t flags) { return (flags & kUserFlags) | kFlagIf | 2; }

// SYSCALL clears these in ring 0 (MSR SFMASK): TF IF DF IOPL NT RF AC.
inline constexpr uint64_t kSyscallFlagMask =
    kFlagTf | kFlagIf | kFlagDf | kFlagIopl | kFlagNt | kFlagRf | kFlagAc;

constexpr bool is_canonical(uint64_t address) {
  return static_cast<uint64_t>(static_cast<int64_t>(address << 16) >> 16) == address;
}

// User code at `rip` is never entered outside the user half (SYSRET and IRET would fault in ring 0): this is
// the trap that the instruction fetch there gives instead.
constexpr Trap trap_of_bad_rip(uint64_t rip) {
  if (!is_canonical(rip)) return {TrapKind::exception, 13, 0, 0};
  return {TrapKind::page_fault, 14, 0x14, rip};
}

// What INT n, the bytes CD n at `rip`, does in user mode, where only the gates of #BP and #OF are open to it
// (SDM volume 3, 6.12.1.2): #GP with the vector in the error code, or the trap behind the instruction.
constexpr Trap trap_of_int(uint8_t n, uint64_t& rip) {
  constexpr uint8_t kBreakpoint = 3, kOverflow = 4, kProtection = 13;
  constexpr uint32_t kInIdt = 2;
  if (n != kBreakpoint && n != kOverflow) return {TrapKind::exception, kProtection, n * 8u + kInIdt, 0};
  rip += 2;
  return {TrapKind::exception, n, 0, 0};
}

constexpr bool has_error_code(unsigned vector) {
  return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 ||
         vector == 30;
}

}  // namespace runsc::arch
