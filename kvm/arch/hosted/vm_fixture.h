// Tests of the seam on a real VM: pages, address spaces and code of their own, without the kernel above.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "kvm/arch/hosted/machine.h"
#include "kvm/arch/seam.h"
#include "kvm/monitor/vm.h"

namespace runsc::arch::hosted {

// One VM for the process; use() makes it the seam's machine again after unit tests that had another.
class TestVm {
 public:
  static bool available();  // false: no KVM here
  static TestVm& use();

  uint64_t page();  // a fresh zeroed page of RAM
  monitor::GuestMemory& memory() { return vm_->memory(); }

 private:
  TestVm();
  std::unique_ptr<monitor::KvmSystem> kvm_;
  std::unique_ptr<monitor::Vm> vm_;
  hostcall::BootInfo info_{};
  Sandbox booted_;
  std::byte* base_ = nullptr;
  uint64_t next_page_ = 0;
};

enum class Map : uint64_t { read = 5, write = 7 };

class TestSpace {
 public:
  explicit TestSpace(TestVm& vm);
  UserSpace& space() { return space_; }
  uint64_t& pte(uint64_t address);
  void map(uint64_t address, uint64_t phys, Map how = Map::write);
  // Removes the translation; without_shootdown: for showing that it matters.
  void unmap(uint64_t address, bool shootdown = true);
  // Maps a fresh page with these bytes.
  uint64_t map_bytes(uint64_t address, std::span<const uint8_t> bytes);

 private:
  TestVm& vm_;
  UserSpace space_;
};

// A state that is switched in on this thread for its life.
class TestTask {
 public:
  explicit TestTask(TestSpace& space);
  ~TestTask();
  Trap run() { return run_user(*state, space_.space(), regs); }
  UserState* state;
  UserRegs regs{};

 private:
  TestSpace& space_;
};

inline constexpr uint64_t kCode = 0x400000, kData = 0x500000, kStackTop = 0x600ff0;

}  // namespace runsc::arch::hosted
