#include "kvm/monitor/mode_probe.h"

#include <cpuid.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "kvm/monitor/vcpu.h"

namespace runsc::monitor {
namespace {

constexpr std::size_t kProbeMemory = 64 << 10;
constexpr std::uint64_t kPml4 = 0x1000, kPdpt = 0x2000, kDirectory = 0x3000, kCode = 0x4000;
constexpr std::uint64_t kLargePage = 0x83;  // present, writable, 2 MiB
constexpr std::uint64_t kTable = 3;         // present, writable
constexpr std::uint8_t kDonePort = 0x10;
// dec %rcx; jnz to it: two instructions a turn. Then out %al, $port.
constexpr std::uint8_t kLoop[] = {0x48, 0xff, 0xc9, 0x75, 0xfb, 0xe6, kDonePort, 0xf4};
constexpr std::uint64_t kTurns = 300;
constexpr int kLeastRounds = 3, kMostRounds = 8;
constexpr std::uint32_t kMsrArchCapabilities = 0x10a;

class ProbeMemory {
 public:
  ProbeMemory()
      : p_(::mmap(nullptr, kProbeMemory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
  ~ProbeMemory() {
    if (valid()) ::munmap(p_, kProbeMemory);
  }
  ProbeMemory(const ProbeMemory&) = delete;
  ProbeMemory& operator=(const ProbeMemory&) = delete;
  bool valid() const { return p_ != MAP_FAILED; }
  std::byte* at(std::uint64_t phys) const { return static_cast<std::byte*>(p_) + phys; }
  void put(std::uint64_t phys, std::uint64_t value) { std::memcpy(at(phys), &value, sizeof value); }

 private:
  void* p_;
};

kvm_segment ring0_segment(std::uint16_t selector, std::uint8_t type, bool code) {
  kvm_segment s{};
  s.selector = selector;
  s.limit = 0xffffffff;
  s.type = type;
  s.present = 1;
  s.s = 1;
  s.l = code;
  s.db = !code;
  s.g = 1;
  return s;
}

Expected<void> start_at_loop(Vcpu& vcpu, std::uint64_t turns) {
  kvm_sregs s = MON_TRY(vcpu.sregs());
  s.cr0 = 0x80000033;  // PE MP ET NE PG
  s.cr3 = kPml4;
  s.cr4 = 1 << 5;  // PAE
  s.efer = 0x500;  // LME LMA
  s.cs = ring0_segment(0x10, 11, true);
  s.ss = s.ds = s.es = s.fs = s.gs = ring0_segment(0x18, 3, false);
  MON_TRY(vcpu.set_sregs(s));
  kvm_regs r{};
  r.rip = kCode;
  r.rsp = kProbeMemory;
  r.rflags = 2;
  r.rcx = turns;
  return vcpu.set_regs(r);
}

Expected<std::uint64_t> time_loop(Vcpu& vcpu, std::uint64_t turns) {
  MON_TRY(start_at_loop(vcpu, turns));
  auto start = std::chrono::steady_clock::now();
  for (;;) {
    Vcpu::RunResult result = MON_TRY(vcpu.run());
    if (result == Vcpu::RunResult::interrupted) continue;
    const kvm_run& run = vcpu.run_page();
    if (result != Vcpu::RunResult::exited || run.exit_reason != KVM_EXIT_IO || run.io.port != kDonePort) {
      return fail(fmt::format("KVM cannot run ring 0 code: exit reason {}", run.exit_reason));
    }
    break;
  }
  auto took = std::chrono::steady_clock::now() - start;
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(took).count());
}

}  // namespace

Expected<Ring0Speed> measure_ring0(const KvmSystem& kvm) {
  UniqueFd vm = MON_TRY(kvm.create_vm());
  ProbeMemory memory;
  if (!memory.valid()) return fail_errno("memory for the ring 0 probe", errno);
  memory.put(kPml4, kPdpt | kTable);
  memory.put(kPdpt, kDirectory | kTable);
  memory.put(kDirectory, kLargePage);
  std::memcpy(memory.at(kCode), kLoop, sizeof kLoop);
  kvm_userspace_memory_region region{};
  region.memory_size = kProbeMemory;
  region.userspace_addr = reinterpret_cast<std::uintptr_t>(memory.at(0));
  if (::ioctl(vm.get(), KVM_SET_USER_MEMORY_REGION, &region) < 0) {
    return fail_errno("KVM memory slot of the ring 0 probe", errno);
  }
  CpuidModel model = CpuidModel::build(kvm.supported_cpuid(), 1);
  auto vcpu = MON_TRY(Vcpu::create(kvm, vm.get(), model, 0, 0));
  // The first run pays for translations.
  MON_TRY(time_loop(*vcpu, 1));
  // Other processes only ever make a time longer: the shortest of each kind are compared, never those of one
  // round, in which the exit alone may have taken longer than all of the loop.
  constexpr std::uint64_t kInstructions = 2 * kTurns;
  std::uint64_t exit_alone = ~std::uint64_t{0}, whole = ~std::uint64_t{0};
  for (int round = 1; round <= kMostRounds; ++round) {
    const std::uint64_t before = whole;
    exit_alone = std::min(exit_alone, MON_TRY(time_loop(*vcpu, 1)));
    whole = std::min(whole, MON_TRY(time_loop(*vcpu, kTurns)));
    if (whole * 1000 / kInstructions <= kSlowestRing0Picoseconds) break;  // fast with the exit, too
    if (round >= kLeastRounds && whole > before - before / 8) break;
  }
  return Ring0Speed{(whole > exit_alone ? whole - exit_alone : 0) * 1000 / kInstructions};
}

bool needs_page_table_isolation(const KvmSystem& kvm) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  __cpuid(0, a, b, c, d);
  constexpr unsigned kAuth = 0x68747541, kHygo = 0x6f677948;  // "AuthenticAMD", "HygonGenuine"
  if (b == kAuth || b == kHygo) return false;
  // Feature MSRs are read from the /dev/kvm descriptor itself.
  MsrList<1> list;
  list.count = 1;
  list.entries[0].index = kMsrArchCapabilities;
  if (::ioctl(kvm.fd(), kGetMsrs, &list) != 1) return true;
  constexpr std::uint64_t kRdclNo = 1;
  return (list.entries[0].data & kRdclNo) == 0;
}

Expected<ModeChoice> choose_mode(const KvmSystem& kvm) {
  if (needs_page_table_isolation(kvm)) {
    return ModeChoice{false, "hosted: this CPU needs page table isolation (RDCL_NO is not set)"};
  }
  if (!CpuidModel::build(kvm.supported_cpuid(), 1).has_xsave()) {
    return ModeChoice{false, "hosted: KVM gives its guests no XSAVE"};
  }
  Ring0Speed speed = MON_TRY(measure_ring0(kvm));
  bool fast = speed.picoseconds_per_instruction <= kSlowestRing0Picoseconds;
  return ModeChoice{
      fast, fmt::format("{}: guest ring 0 takes {}.{:03} ns an instruction", fast ? "ring0" : "hosted",
                        speed.picoseconds_per_instruction / 1000, speed.picoseconds_per_instruction % 1000)};
}

}  // namespace runsc::monitor
