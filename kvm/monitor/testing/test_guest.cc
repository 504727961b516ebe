#include "kvm/monitor/testing/test_guest.h"

#include <catch2/catch.hpp>
#include <cstring>

namespace runsc::monitor::testing {
namespace {

constexpr std::uint64_t kGdt = 0x10000;
constexpr std::uint64_t kIdt = 0x11000;
constexpr std::uint64_t kTss = 0x12000;
constexpr std::uint64_t kHandlers = 0x20000;  // one of 16 bytes for each vector
constexpr std::uint64_t kRing0Stack = 0x180000;
constexpr unsigned kVectors = 32;
constexpr std::uint64_t kUserPte = 7;  // present, writable, user

KvmSystem open_kvm() {
  auto kvm = KvmSystem::open();
  if (!kvm) FAIL(kvm.error().message);
  return std::move(*kvm);
}

template <typename T>
T must(Expected<T> value) {
  if (!value) FAIL(value.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*value);
}

kvm_segment flat(std::uint16_t selector, std::uint8_t type, bool code64, std::uint8_t dpl) {
  kvm_segment s{};
  s.selector = selector;
  s.limit = 0xffffffff;
  s.type = type;
  s.present = 1;
  s.dpl = dpl;
  s.s = 1;
  s.l = code64;
  s.db = !code64;
  s.g = 1;
  return s;
}

}  // namespace

TestGuest::TestGuest(std::uint64_t memory_limit, unsigned cpus) : kvm_(open_kvm()) {
  must(Vcpu::install_kick_handler());
  vm_ = must(Vm::create(kvm_, memory_limit, cpus));
  build_tables();
}

void TestGuest::build_tables() {
  words(kPml4)[0] = 0x2000 | kUserPte;
  words(0x2000)[0] = 0x3000 | kUserPte;
  words(0x3000)[kUserBase >> 21] = kUserPageTable | kUserPte;
  user_pte(0) = kCodePhys | kUserPte;
  user_pte(1) = kDataPhys | kUserPte;
  user_pte(0x100) = 0x600000 | kUserPte;  // stack
  words(kPml4)[256] = 0x5003;
  words(0x5000)[0] = 0x6003;
  for (std::uint64_t i = 0; i < 8; ++i) words(0x6000)[i] = i << 21 | 0x83;
  std::uint64_t* gdt = words(kGdt);
  gdt[2] = 0x00af9b000000ffff;  // 0x10: ring 0 code
  gdt[3] = 0x00cf93000000ffff;
  gdt[5] = 0x00cff3000000ffff;  // 0x2b: ring 3 data
  gdt[6] = 0x00affb000000ffff;  // 0x33: ring 3 code
  const std::uint64_t tss = kKernelBase + kTss;
  gdt[8] = 0x67 | (tss & 0xffffff) << 16 | std::uint64_t{0x89} << 40 | (tss >> 24 & 0xff) << 56;
  gdt[9] = tss >> 32;
  const std::uint64_t rsp0 = kKernelBase + kRing0Stack;
  std::memcpy(memory().at(kTss + 4), &rsp0, sizeof rsp0);
  for (std::uint64_t v = 0; v < kVectors; ++v) {
    const std::uint8_t handler[] = {0xe6, kTrapPort, 0xf4};  // out %al, $port; hlt
    std::memcpy(memory().at(kHandlers + v * 16), handler, sizeof handler);
    const std::uint64_t at = kKernelBase + kHandlers + v * 16;
    std::uint64_t* gate = words(kIdt + v * 16);
    gate[0] =
        (at & 0xffff) | std::uint64_t{0x10} << 16 | std::uint64_t{0xee} << 40 | (at >> 16 & 0xffff) << 48;
    gate[1] = at >> 32;
  }
}

void TestGuest::put_code(std::span<const std::uint8_t> code) {
  std::memcpy(memory().at(kCodePhys), code.data(), code.size());
}

std::unique_ptr<Vcpu> TestGuest::make_vcpu(unsigned cpu) { return must(vm_->create_vcpu(cpu)); }

kvm_sregs TestGuest::system_registers(Vcpu& vcpu) {
  kvm_sregs s = must(vcpu.sregs());
  s.cr0 = 0x80050033;
  s.cr3 = kPml4;
  s.cr4 = 1 << 5 | 1 << 9 | 1 << 10;
  if (vm_->cpuid().has_xsave()) s.cr4 |= 1 << 18;
  s.efer = 0xd01;
  s.tr = {};
  s.tr.base = kKernelBase + kTss;
  s.tr.limit = 0x67;
  s.tr.selector = 0x40;
  s.tr.type = 11;
  s.tr.present = 1;
  s.gdt.base = kKernelBase + kGdt;
  s.gdt.limit = 0x4f;
  s.idt.base = kKernelBase + kIdt;
  s.idt.limit = kVectors * 16 - 1;
  s.ldt = {};
  s.ldt.unusable = 1;
  s.ds = s.es = s.fs = s.gs = flat(0x2b, 3, false, 3);
  return s;
}

void TestGuest::enter_user(Vcpu& vcpu, kvm_regs regs) {
  kvm_sregs s = system_registers(vcpu);
  s.cs = flat(0x33, 11, true, 3);
  s.ss = flat(0x2b, 3, false, 3);
  must(vcpu.set_sregs(s));
  regs.rip = kUserBase;
  regs.rsp = kUserStackTop;
  regs.rflags = 0x202;
  if (regs.rsi == 0) regs.rsi = kUserData;
  must(vcpu.set_regs(regs));
}

void TestGuest::enter_kernel(Vcpu& vcpu, std::uint64_t phys, kvm_regs regs) {
  kvm_sregs s = system_registers(vcpu);
  s.cs = flat(0x10, 11, true, 0);
  s.ss = flat(0x18, 3, false, 0);
  must(vcpu.set_sregs(s));
  regs.rip = kKernelBase + phys;
  regs.rsp = kKernelBase + kRing0Stack;
  regs.rflags = 2;
  must(vcpu.set_regs(regs));
}

Trap TestGuest::decode(Vcpu& vcpu) {
  Trap trap;
  trap.regs = must(vcpu.regs());
  trap.cr2 = must(vcpu.sregs()).cr2;
  const kvm_run& run = vcpu.run_page();
  if (run.exit_reason == KVM_EXIT_IO && run.io.port == kTrapPort) {
    // RIP is at the OUT or after it, inside the vector's 16 bytes either way.
    trap.vector = static_cast<int>((trap.regs.rip - kKernelBase - kHandlers) / 16);
    const std::uint64_t* frame = words(trap.regs.rsp - kKernelBase);
    bool has_error = trap.vector == 8 || (trap.vector >= 10 && trap.vector <= 14) || trap.vector == 17;
    trap.rip = frame[has_error ? 1 : 0];
  }
  return trap;
}

Trap TestGuest::run_to_trap(Vcpu& vcpu) {
  Vcpu::RunResult result = must(vcpu.run());
  if (result == Vcpu::RunResult::memory_fault) FAIL("KVM_RUN: EFAULT");
  if (result == Vcpu::RunResult::interrupted) FAIL("KVM_RUN: interrupted");
  return decode(vcpu);
}

}  // namespace runsc::monitor::testing
