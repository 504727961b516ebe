// The block that GS points to in ring 0. Internal to this folder.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "kernel/base/cpu_hooks.h"
#include "kvm/arch/ring0/per_cpu_offsets.h"
#include "kvm/arch/seam.h"

// BootInfo::cpu_features, for assembly too.
extern "C" uint32_t runsc_cpu_features;

namespace runsc::arch::ring0 {

struct [[gnu::packed]] Tss {  // SDM volume 3, 8.7
  uint32_t reserved0;
  uint64_t rsp0, rsp1, rsp2;
  uint64_t reserved1;
  uint64_t ist[7];
  uint64_t reserved2;
  uint16_t reserved3;
  uint16_t io_map;
};
static_assert(sizeof(Tss) == 104);

// Interrupt stack table: exceptions that may come while RSP or GS is user code's.
enum class Ist : uint8_t { none, double_fault, nmi, debug, machine_check, count };
inline constexpr size_t kIstStackSize = 4096;

struct PerCpu {
  PerCpu* self;
  uint64_t kernel_rsp;  // of run_user's caller while user code runs
  uint64_t regs_end;    // end of the UserRegs that the next trap stores
  uint64_t scratch;
  // What the monitor sees of this CPU, and the shoot-down protocol too: kernel, user, idle, or kCopying.
  std::atomic<uint32_t>* state;
  std::atomic<uint64_t> tlb_seen;      // generation of `space` that this CPU's TLB is up to date with
  std::atomic<uint32_t> wake_pending;  // a cpu_wake() that no run_user() or cpu_idle() has taken yet
  uint32_t pad[3];

  CpuLocal local;
  LockStack locks;
  UserSpace* space;       // whose root CR3 holds; null: the boot page table
  UserState* vectors_of;  // whose vector state is in the registers
  hostcall::Frame* frame;
  bool panicking;

  alignas(16) Tss tss;
  alignas(16) uint64_t gdt[16];
  alignas(16) std::byte trap_stack[512];  // RSP0: an exception frame is copied off it at once
  alignas(16) std::byte ist_stacks[static_cast<size_t>(Ist::count) - 1][kIstStackSize];
};
static_assert(offsetof(PerCpu, self) == CPU_SELF);
static_assert(offsetof(PerCpu, kernel_rsp) == CPU_KERNEL_RSP);
static_assert(offsetof(PerCpu, regs_end) == CPU_REGS_END);
static_assert(offsetof(PerCpu, scratch) == CPU_SCRATCH);
static_assert(offsetof(PerCpu, state) == CPU_STATE && offsetof(PerCpu, tlb_seen) == CPU_TLB_SEEN &&
              offsetof(PerCpu, wake_pending) == CPU_WAKE_PENDING);
static_assert(offsetof(UserSpace, tlb_generation) == SPACE_TLB_GENERATION);
static_assert(offsetof(PerCpu, local) == kCpuLocalOffset);
static_assert(offsetof(UserRegs, rsp) == REGS_RSP && offsetof(UserRegs, rdi) == REGS_RDI &&
              sizeof(UserRegs) == REGS_SIZE);

// CpuShared::State has kernel, user and idle; this one is between the sentry's CPUs.
inline constexpr uint32_t kCopying = 3;

inline PerCpu& this_cpu() {
  PerCpu* self;
  asm volatile("movq %%gs:0, %0" : "=r"(self));
  return *self;
}
PerCpu& cpu(unsigned id);

// The boot page table; what a CPU without a task runs on.
extern uint64_t boot_root;

inline void write_cr3(uint64_t root) { asm volatile("movq %0, %%cr3" ::"r"(root) : "memory"); }
inline void write_msr(uint32_t index, uint64_t value) {
  asm volatile("wrmsr" ::"c"(index), "a"(static_cast<uint32_t>(value)),
               "d"(static_cast<uint32_t>(value >> 32))
               : "memory");
}
inline uint64_t read_msr(uint32_t index) {
  uint32_t low, high;
  asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
  return uint64_t{high} << 32 | low;
}

// Before the CPU touches user memory (state already says so): catches up with shoot-downs. See tlb.cc.
inline void tlb_catch_up(PerCpu& cpu, UserSpace& space) {
  uint64_t generation = space.tlb_generation.load(std::memory_order_seq_cst);
  if (generation == cpu.tlb_seen.load(std::memory_order_relaxed)) [[likely]]
    return;
  write_cr3(space.root_phys);
  cpu.tlb_seen.store(generation, std::memory_order_release);
}

}  // namespace runsc::arch::ring0
