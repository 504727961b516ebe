// A guest for unit tests: page tables, GDT, IDT and TSS in guest RAM, every exception leaving by OUT to
// kTrapPort.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>

#include "kvm/monitor/vm.h"

namespace runsc::monitor::testing {

inline constexpr std::uint16_t kTrapPort = 0x10;
// Guest-physical layout, all below the first slot's end.
inline constexpr std::uint64_t kPml4 = 0x1000;
inline constexpr std::uint64_t kUserPageTable = 0x4000;  // maps user addresses from kUserBase on
inline constexpr std::uint64_t kCodePhys = 0x400000;
inline constexpr std::uint64_t kDataPhys = 0x500000;
// User addresses: code at kUserBase, one page of data after it, a stack page.
inline constexpr std::uint64_t kUserBase = 0x400000;
inline constexpr std::uint64_t kUserData = kUserBase + 0x1000;
inline constexpr std::uint64_t kUserStackTop = kUserBase + 0x101000;
// The low 16 MiB of RAM for ring 0.
inline constexpr std::uint64_t kKernelBase = 0xffff800000000000;

struct Trap {
  int vector = -1;  // -1: left otherwise
  std::uint64_t rip = 0;
  std::uint64_t cr2 = 0;
  kvm_regs regs{};
};

class TestGuest {
 public:
  // Fails the running test where the machine cannot do it.
  explicit TestGuest(std::uint64_t memory_limit = 64 * kMiB, unsigned cpus = 2);

  Vm& vm() { return *vm_; }
  GuestMemory& memory() { return vm_->memory(); }
  std::uint64_t* words(std::uint64_t phys) { return reinterpret_cast<std::uint64_t*>(memory().at(phys)); }

  // Entry `page` of the user page table: 0 is the code page, 1 the data page.
  std::uint64_t& user_pte(unsigned page) { return words(kUserPageTable)[page]; }
  void put_code(std::initializer_list<std::uint8_t> code) { put_code(std::span(code.begin(), code.size())); }
  void put_code(std::span<const std::uint8_t> code);

  std::unique_ptr<Vcpu> make_vcpu(unsigned cpu = 0);
  // Ring 3 at kUserBase with rsi = kUserData; ring 0 at kernel address kKernelBase + phys.
  void enter_user(Vcpu& vcpu, kvm_regs regs = {});
  void enter_kernel(Vcpu& vcpu, std::uint64_t phys, kvm_regs regs = {});
  // Runs until an exit; a trap is decoded.
  Trap run_to_trap(Vcpu& vcpu);
  Trap decode(Vcpu& vcpu);

 private:
  void build_tables();
  kvm_sregs system_registers(Vcpu& vcpu);

  KvmSystem kvm_;
  std::unique_ptr<Vm> vm_;
};

}  // namespace runsc::monitor::testing
