#include "kvm/arch/hosted/guest_half.h"

#include <cstring>
#include <span>

#include "kvm/arch/common/user_regs.h"

namespace runsc::arch::hosted {

namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kPresent = 1, kWrite = 2, kAccessed = 32, kDirty = 64, kNx = uint64_t{1} << 63;
constexpr unsigned kCpuBlockPages = kMaxVcpus * sizeof(CpuBlock) / kPage;
constexpr uint64_t kGdtOffset = 0, kIdtOffset = 0x800;
constexpr uint16_t kTssSelector = 0x40;

struct GuestHalf {
  uint64_t upper_entry = 0;
  CpuBlock* blocks = nullptr;
} half;

// SAFETY: `phys` is RAM that boot owns.
uint64_t* words(monitor::GuestMemory& memory, uint64_t phys) {
  return reinterpret_cast<uint64_t*>(memory.at(phys));
}

void write_stubs(std::byte* page) {
  for (unsigned v = 0; v <= kSyscallStub; ++v) {
    const uint8_t code[] = {0xe6, static_cast<uint8_t>(kTrapPort + v), 0xf4};  // OUT imm8, AL; HLT
    std::memcpy(page + v * kStubSize, code, sizeof code);
  }
}

void write_tables(std::byte* page) {
  // All descriptors accessed already: the page is read-only to the guest. No 32-bit code segment: user code
  // is 64-bit for ever.
  uint64_t gdt[16] = {};
  gdt[kKernelCs / 8] = 0x00af9b000000ffff;
  gdt[kKernelCs / 8 + 1] = 0x00cf93000000ffff;
  gdt[kUserSs / 8] = 0x00cff3000000ffff;
  gdt[kUserCs / 8] = 0x00affb000000ffff;
  std::memcpy(page + kGdtOffset, gdt, sizeof gdt);
  for (unsigned v = 0; v < kVectors; ++v) {
    uint64_t address = kStubs + v * kStubSize;
    bool user_may_raise = v == 3 || v == 4;  // INT3, INTO
    uint64_t type = user_may_raise ? 0xee : 0x8e;
    uint64_t gate[2] = {
        (address & 0xffff) | uint64_t{kKernelCs} << 16 | type << 40 | (address >> 16 & 0xffff) << 48,
        address >> 32};
    std::memcpy(page + kIdtOffset + v * sizeof gate, gate, sizeof gate);
  }
}

}  // namespace

uint64_t build_guest_half(monitor::GuestMemory& memory, uint64_t phys) {
  phys = (phys + kPage - 1) & ~(kPage - 1);
  const uint64_t pdpt = phys, pd = phys + kPage, pt = phys + 2 * kPage, stubs = phys + 3 * kPage,
                 tables = phys + 4 * kPage, blocks = phys + 5 * kPage;
  words(memory, pdpt)[0] = pd | kPresent | kWrite | kAccessed;
  words(memory, pd)[0] = pt | kPresent | kWrite | kAccessed;
  uint64_t* pte = words(memory, pt);
  pte[(kStubs - kUpperBase) / kPage] = stubs | kPresent | kAccessed;
  pte[(kTables - kUpperBase) / kPage] = tables | kPresent | kAccessed | kNx;
  for (unsigned i = 0; i < kCpuBlockPages; ++i)
    pte[(kCpuBlocks - kUpperBase) / kPage + i] =
        (blocks + i * kPage) | kPresent | kWrite | kAccessed | kDirty | kNx;
  write_stubs(memory.at(stubs));
  write_tables(memory.at(tables));
  half.upper_entry = pdpt | kPresent | kWrite | kAccessed;
  half.blocks = reinterpret_cast<CpuBlock*>(memory.at(blocks));
  return blocks + kCpuBlockPages * kPage;
}

CpuBlock& cpu_block(unsigned vcpu) { return half.blocks[vcpu]; }

uint64_t upper_entry() { return half.upper_entry; }

namespace {

kvm_segment segment(uint16_t selector, uint8_t type, uint8_t dpl, bool code) {
  kvm_segment s{};
  s.selector = selector;
  s.limit = 0xffffffff;
  s.type = type;
  s.present = 1;
  s.dpl = dpl;
  s.s = 1;
  s.l = code;
  s.db = !code;
  s.g = 1;
  return s;
}

constexpr uint32_t kMsrStar = 0xc0000081, kMsrLstar = 0xc0000082, kMsrCstar = 0xc0000083,
                   kMsrSfmask = 0xc0000084;

}  // namespace

monitor::Expected<void> init_vcpu(monitor::Vcpu& vcpu, unsigned number, const monitor::CpuidModel& cpuid) {
  const uint64_t block = kCpuBlocks + number * sizeof(CpuBlock);
  CpuBlock& mine = cpu_block(number);
  const uint64_t rsp0 = block + sizeof(CpuBlock);
  std::memcpy(mine.tss + 4, &rsp0, sizeof rsp0);
  const uint16_t no_io_map = sizeof mine.tss;
  std::memcpy(mine.tss + 102, &no_io_map, sizeof no_io_map);

  kvm_sregs s = MON_TRY(vcpu.sregs());
  s.cr0 = 0x80050033;                 // PE MP ET NE WP AM PG
  s.cr4 = 1 << 5 | 1 << 9 | 1 << 10;  // PAE OSFXSR OSXMMEXCPT
  if (cpuid.has_xsave()) s.cr4 |= 1 << 18;
  if (cpuid.has_fsgsbase()) s.cr4 |= 1 << 16;
  if (cpuid.has_umip()) s.cr4 |= 1 << 11;
  s.efer = 0xd01;  // LME LMA NXE SCE
  s.cs = segment(kUserCs, 11, 3, true);
  s.ss = segment(kUserSs, 3, 3, false);
  s.ds = s.es = s.fs = s.gs = segment(0, 3, 3, false);
  s.tr = {};
  s.tr.base = block;
  s.tr.limit = sizeof mine.tss - 1;
  s.tr.type = 11;
  s.tr.present = 1;
  s.tr.selector = kTssSelector;
  s.ldt = {};
  s.ldt.unusable = 1;
  s.gdt.base = kTables + kGdtOffset;
  s.gdt.limit = 16 * 8 - 1;
  s.idt.base = kTables + kIdtOffset;
  s.idt.limit = kVectors * 16 - 1;
  MON_TRY(vcpu.set_sregs(s));

  auto msr = [](uint32_t index, uint64_t value) {
    kvm_msr_entry e{};
    e.index = index;
    e.data = value;
    return e;
  };
  const kvm_msr_entry msrs[] = {
      msr(kMsrStar, uint64_t{0x23} << 48 | uint64_t{kKernelCs} << 32),
      msr(kMsrLstar, kSyscallEntry),
      msr(kMsrCstar, kSyscallEntry),
      msr(kMsrSfmask, kSyscallFlagMask),
  };
  MON_TRY(vcpu.set_msrs(msrs));
  kvm_run& run = vcpu.run_page();
  run.kvm_valid_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
  run.s.regs.sregs = s;
  return {};
}

}  // namespace runsc::arch::hosted
