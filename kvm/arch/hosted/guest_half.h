// The guest's upper half in hosted mode: one exit instruction per vector, and a stack per vCPU for the CPU to
// push exception frames on. Everything in it is supervisor memory; no code there ever goes on past its exit.
#pragma once

#include <cstdint>

#include "kvm/hostcall/boot_info.h"
#include "kvm/monitor/vm.h"

namespace runsc::arch::hosted {

inline constexpr uint64_t kUpperBase = 0xffff800000000000;
inline constexpr unsigned kUpperIndex = 256;  // in the top page table

inline constexpr uint16_t kKernelCs = 0x10, kUserSs = 0x2b, kUserCs = 0x33;

// Stub of vector v: OUT to kTrapPort + v; the system call entry is one more. The port names the trap: RIP at
// the exit may or may not have passed the OUT.
inline constexpr uint16_t kTrapPort = 0x80;
inline constexpr unsigned kVectors = 32;
inline constexpr unsigned kSyscallStub = 32;
inline constexpr uint64_t kStubSize = 16;
inline constexpr uint64_t kStubs = kUpperBase;
inline constexpr uint64_t kSyscallEntry = kStubs + kSyscallStub * kStubSize;
// Where SYSCALL arrives without leaving ring 3 the fetch at the entry faults: a supervisor page.
inline constexpr uint64_t kTables = kUpperBase + 0x1000;  // GDT, IDT
inline constexpr uint64_t kCpuBlocks = kUpperBase + 0x10000;

// Per vCPU: TSS, then the stack of its exceptions.
struct CpuBlock {
  uint8_t tss[104];
  uint8_t pad[104];
  // What the CPU pushes (SDM volume 3, 6.14.2), ending at RSP0.
  uint64_t error, rip, cs, rflags, rsp, ss;
};
static_assert(sizeof(CpuBlock) == 256);
inline constexpr unsigned kMaxVcpus = 1024;

// Lays it out from `phys` on; returns its end. Only pages that are used are touched.
uint64_t build_guest_half(monitor::GuestMemory& memory, uint64_t phys);
CpuBlock& cpu_block(unsigned vcpu);
// The top-level entry that every space shares.
uint64_t upper_entry();

// Registers of a vCPU that never ran: ring 3, its TSS and the shared tables.
monitor::Expected<void> init_vcpu(monitor::Vcpu& vcpu, unsigned number, const monitor::CpuidModel& cpuid);

}  // namespace runsc::arch::hosted
