// How the monitor starts the ring 0 sentry and talks to its CPUs. Shared by kvm/monitor and kvm/arch/ring0;
// the prose is in README.md.
#pragma once

#include <cstdint>

#include "kvm/arch/ring0/layout.h"
#include "kvm/hostcall/boot_info.h"

namespace runsc::arch::ring0 {

// ---- Memory at start

// sentry.elf is linked at kImage; byte kImage + n of it lies at guest-physical kImagePhys + n.
inline constexpr uint64_t kImagePhys = uint64_t{1} << 20;

// The boot page table (four levels, its address in CR3; all tables inside RAM below BootInfo::free_start)
// maps, all supervisor and global:
//   - the segments of sentry.elf by 4 KiB pages with the permissions of their program headers (never W and
//   X);
//   - guest-physical [0, ram_limit) and [kWindowBase, kWindowBase + kWindowSize) at kDirectMap + address,
//   writable, NX,
//     by 1 GiB pages where CPUID has them, else 2 MiB pages. Rounding up past ram_limit is fine: what has no
//     memory slot is never touched.
// Nothing else; the lower half is empty. The sentry adds one top-level entry of its own (kStackArea).
inline constexpr uint64_t kPtePresent = 1, kPteWrite = 2, kPteUser = 4, kPteAccessed = 32, kPteDirty = 64,
                          kPteLarge = 128, kPteGlobal = 256, kPteNx = uint64_t{1} << 63;

// ---- A CPU at its first instruction (all CPUs start alike, in any order, CPU 0 too)
//
//   RIP = e_entry of sentry.elf    RDI = guest-physical address of BootInfo    RSI = number of the CPU
//   RFLAGS = 2, RSP anything, CR3 = boot page table, CR0, CR4, EFER, XCR0 as below,
//   CS = kKernelCs (64-bit code, DPL 0), SS = kKernelSs (data, DPL 0), DS ES FS GS null, GDT, IDT, TR
//   anything.
// The sentry sets everything else (GDT, IDT, TSS, system call MSRs, GS base) by itself.
inline constexpr uint16_t kKernelCs = 0x10, kKernelSs = 0x18, kUserSs = 0x2b, kUserCs = 0x33;

// PE MP ET NE WP AM PG
inline constexpr uint64_t kBootCr0 = 0x80050033;
// LME LMA NXE SCE
inline constexpr uint64_t kBootEfer = 0xd01;
// PAE PGE OSFXSR OSXMMEXCPT, OSXSAVE (the sentry needs XSAVE), and what BootInfo::cpu_features offers.
constexpr uint64_t boot_cr4(uint32_t cpu_features) {
  uint64_t cr4 = 1 << 5 | 1 << 7 | 1 << 9 | 1 << 10 | 1 << 18;
  if (cpu_features & hostcall::kFeatureFsgsbase) cr4 |= 1 << 16;
  if (cpu_features & hostcall::kFeatureSmep) cr4 |= 1 << 20;
  if (cpu_features & hostcall::kFeatureSmap) cr4 |= 1 << 21;
  if (cpu_features & hostcall::kFeatureUmip) cr4 |= 1 << 11;
  return cr4;
}

// ---- What the monitor injects

// External interrupt (KVM_INTERRUPT) that pulls a CPU out of user code: CpuWake, a due timer_deadline_tsc, or
// events_pending. The kernel runs with IF = 0, so a kick that finds IF = 0 is kept (request_interrupt_window)
// and delivered when user code runs next; it may be one too many, never one too few.
inline constexpr uint8_t kKickVector = 0x20;
// Exception #MC, no error code, at the instruction on which KVM_RUN answered EFAULT: a page of the file
// window whose host page cannot be had.
inline constexpr uint8_t kBusFaultVector = 18;

}  // namespace runsc::arch::ring0
