// A CPU from its first C++ instruction to the kernel's entry: descriptor tables, system call MSRs, per-CPU
// block.
#include "kernel/base/check.h"
#include "kernel/main.h"
#include "kvm/arch/common/user_regs.h"
#include "kvm/arch/ring0/boot_protocol.h"
#include "kvm/arch/ring0/per_cpu.h"
#include "kvm/arch/ring0/stack_area.h"

extern "C" {
extern const char runsc_vectors[];
void runsc_syscall_entry();
void runsc_compat_entry();
uint32_t runsc_cpu_features = 0;
// Stack pointers of the CPUs, by number; null until they and everything else that entry.S's others need
// exist.
uint64_t* volatile runsc_cpu_stacks = nullptr;
}

namespace runsc::arch::ring0 {

uint64_t boot_root = 0;

namespace {

constexpr unsigned kVectors = 33;
constexpr uint64_t kStubSize = 16;
constexpr uint16_t kTssSelector = 0x40;
constexpr size_t kCpuStackSize = 32 << 10;

constexpr uint32_t kMsrStar = 0xc0000081, kMsrLstar = 0xc0000082, kMsrCstar = 0xc0000083,
                   kMsrSfmask = 0xc0000084, kMsrGsBase = 0xc0000101, kMsrKernelGsBase = 0xc0000102,
                   kMsrTscAux = 0xc0000103;

struct Gate {
  uint64_t low, high;
};

// CPU 0's lie in the image, those of the others in memory taken from BootInfo::free_start on.
constinit PerCpu first_cpu{};
constinit PerCpu* cpu_blocks[hostcall::kMaxCpus] = {&first_cpu};
constinit uint64_t cpu_stacks[hostcall::kMaxCpus] = {};
alignas(16) constinit Gate idt[kVectors] = {};
constinit hostcall::BootInfo info{};

Ist ist_of(unsigned vector) {
  switch (vector) {
    case 1:
      return Ist::debug;
    case 2:
      return Ist::nmi;
    case 8:
      return Ist::double_fault;
    case 18:
      return Ist::machine_check;
    default:
      return Ist::none;
  }
}

void fill_idt() {
  for (unsigned v = 0; v < kVectors; ++v) {
    const uint64_t address = reinterpret_cast<uint64_t>(runsc_vectors) + v * kStubSize;
    const bool user_may_raise = v == 3 || v == 4;  // INT3, INTO
    const uint64_t type = user_may_raise ? 0xee : 0x8e;
    idt[v] = {(address & 0xffff) | uint64_t{kKernelCs} << 16 | static_cast<uint64_t>(ist_of(v)) << 32 |
                  type << 40 | (address >> 16 & 0xffff) << 48,
              address >> 32};
  }
}

void fill_tss(PerCpu& cpu) {
  cpu.tss.rsp0 = reinterpret_cast<uint64_t>(cpu.trap_stack + sizeof cpu.trap_stack);
  cpu.tss.io_map = sizeof(Tss);
  for (size_t i = 1; i < static_cast<size_t>(Ist::count); ++i) {
    std::byte* top = cpu.ist_stacks[i - 1] + kIstStackSize - 16;
    // The block stands above the frame, for an exception that cannot trust GS (trap.S).
    *reinterpret_cast<PerCpu**>(top) = &cpu;
    cpu.tss.ist[i - 1] = reinterpret_cast<uint64_t>(top);
  }
}

void fill_gdt(PerCpu& cpu) {
  // No 32-bit code segment: user code is 64-bit for ever.
  cpu.gdt[kKernelCs / 8] = 0x00af9b000000ffff;
  cpu.gdt[kKernelSs / 8] = 0x00cf93000000ffff;
  cpu.gdt[kUserSs / 8] = 0x00cff3000000ffff;
  cpu.gdt[kUserCs / 8] = 0x00affb000000ffff;
  const uint64_t base = reinterpret_cast<uint64_t>(&cpu.tss);
  cpu.gdt[kTssSelector / 8] =
      (sizeof(Tss) - 1) | (base & 0xffffff) << 16 | uint64_t{0x89} << 40 | (base >> 24 & 0xff) << 56;
  cpu.gdt[kTssSelector / 8 + 1] = base >> 32;
}

void load_tables(PerCpu& cpu) {
  struct [[gnu::packed]] Pointer {
    uint16_t limit;
    uint64_t base;
  };
  const Pointer gdtr{sizeof cpu.gdt - 1, reinterpret_cast<uint64_t>(cpu.gdt)};
  const Pointer idtr{sizeof idt - 1, reinterpret_cast<uint64_t>(idt)};
  asm volatile("lgdt %0" ::"m"(gdtr));
  asm volatile("lidt %0" ::"m"(idtr));
  asm volatile("ltr %w0" ::"r"(kTssSelector));
  // CS and SS hold the same selectors already (boot_protocol.h).
}

void start_cpu(PerCpu& cpu, unsigned id) {
  cpu.self = &cpu;
  cpu.local.id = id;
  cpu.frame = static_cast<hostcall::Frame*>(phys_to_virt(info.frames_phys)) + id;
  fill_tss(cpu);
  fill_gdt(cpu);
  load_tables(cpu);
  write_msr(kMsrGsBase, reinterpret_cast<uint64_t>(&cpu));
  write_msr(kMsrKernelGsBase, 0);
  write_msr(kMsrStar, uint64_t{0x23} << 48 | uint64_t{kKernelCs} << 32);
  write_msr(kMsrLstar, reinterpret_cast<uint64_t>(&runsc_syscall_entry));
  write_msr(kMsrCstar, reinterpret_cast<uint64_t>(&runsc_compat_entry));
  write_msr(kMsrSfmask, kSyscallFlagMask);
  if (info.cpu_features & hostcall::kFeatureRdtscp) write_msr(kMsrTscAux, id);
}

// Page-aligned memory below the direct map's end, zeroed by the monitor.
void* take_boot_memory(size_t size) {
  info.free_start = (info.free_start + 4095) & ~uint64_t{4095};
  void* p = phys_to_virt(info.free_start);
  info.free_start += size;
  CHECK(info.free_start <= info.ram_ready, "not enough memory to start the CPUs");
  return p;
}

}  // namespace

PerCpu& cpu(unsigned id) { return *cpu_blocks[id]; }

}  // namespace runsc::arch::ring0

namespace runsc::arch {

unsigned cpu_count() { return ring0::info.cpus; }
hostcall::Shared& shared() { return *static_cast<hostcall::Shared*>(phys_to_virt(ring0::info.shared_phys)); }
const hostcall::BootInfo& boot_info() { return ring0::info; }

}  // namespace runsc::arch

using namespace runsc;
using namespace runsc::arch;
using namespace runsc::arch::ring0;

extern "C" [[noreturn]] void runsc_boot_main(uint64_t boot_info_phys) {
  info = *static_cast<const hostcall::BootInfo*>(phys_to_virt(boot_info_phys));
  runsc_cpu_features = info.cpu_features;
  asm volatile("movq %%cr3, %0" : "=r"(boot_root));
  fill_idt();
  first_cpu.state = &shared().cpu[0].state;
  start_cpu(first_cpu, 0);
  CHECK(info.magic == hostcall::kBootMagic && info.cpus >= 1 && info.cpus <= hostcall::kMaxCpus,
        "the monitor and the sentry are not of one build");
  stack_area_init();
  for (unsigned id = 1; id < info.cpus; ++id) {
    cpu_blocks[id] = static_cast<PerCpu*>(take_boot_memory(sizeof(PerCpu)));
    cpu_blocks[id]->state = &shared().cpu[id].state;  // others may wake it before it runs
    cpu_stacks[id] = reinterpret_cast<uint64_t>(take_boot_memory(kCpuStackSize)) + kCpuStackSize;
  }
  // Last, and in order behind all of the above: entry.S of the others looks at it.
  std::atomic_thread_fence(std::memory_order_release);
  runsc_cpu_stacks = cpu_stacks;
  kernel::kernel_main(info);
}

extern "C" [[noreturn]] void runsc_cpu_main(unsigned id) {
  start_cpu(*cpu_blocks[id], id);
  kernel::kernel_cpu_main(id);
}
