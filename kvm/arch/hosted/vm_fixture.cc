#include "kvm/arch/hosted/vm_fixture.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "kvm/arch/hosted/boot.h"

namespace runsc::arch::hosted {

bool TestVm::available() { return access("/dev/kvm", R_OK | W_OK) == 0; }

TestVm::TestVm() {
  auto kvm = monitor::KvmSystem::open();
  REQUIRE(kvm);
  kvm_ = std::make_unique<monitor::KvmSystem>(std::move(*kvm));
  auto vm = monitor::Vm::create(*kvm_, 64 << 20, 2);
  REQUIRE(vm);
  vm_ = std::move(*vm);
  REQUIRE(vm_->memory().ensure(64 << 20));
  info_.magic = hostcall::kBootMagic;
  info_.cpus = 2;
  info_.ram_limit = info_.ram_ready = 64 << 20;
  info_.shared_phys = 0x1000;
  info_.frames_phys = 0x4000;
  info_.free_start = info_.frames_phys + 2 * sizeof(hostcall::Frame);
  info_.tsc_hz = 1000000000;
  info_.xcr0 = vm_->cpuid().xcr0();
  info_.xsave_size = vm_->cpuid().xsave_bytes();
  auto booted = boot({*vm_, info_, nullptr, nullptr});
  REQUIRE(booted);
  booted_ = sandbox;
  base_ = direct_map_base;
  next_page_ = info_.free_start;
}

TestVm& TestVm::use() {
  static TestVm* vm = new TestVm;  // its vCPUs are in the pool for ever
  sandbox = vm->booted_;
  direct_map_base = vm->base_;
  return *vm;
}

uint64_t TestVm::page() {
  uint64_t p = next_page_;
  next_page_ += 4096;
  REQUIRE(next_page_ <= info_.ram_ready);
  return p;
}

TestSpace::TestSpace(TestVm& vm) : vm_(vm) {
  space_.root_phys = vm.page();
  user_space_init(space_);
}

uint64_t& TestSpace::pte(uint64_t address) {
  uint64_t table = space_.root_phys;
  for (int shift = 39;; shift -= 9) {
    uint64_t& e = static_cast<uint64_t*>(phys_to_virt(table))[address >> shift & 511];
    if (shift == 12) return e;
    if (e == 0) e = vm_.page() | 7;
    table = e & 0x000ffffffffff000;
  }
}

void TestSpace::map(uint64_t address, uint64_t phys, Map how) {
  LockGuard guard(space_.pte_lock);
  std::atomic_ref<uint64_t>(pte(address)).store(phys | static_cast<uint64_t>(how));
}

void TestSpace::unmap(uint64_t address, bool shootdown) {
  uint64_t old;
  {
    LockGuard guard(space_.pte_lock);
    old = std::atomic_ref<uint64_t>(pte(address)).exchange(0);
  }
  if (!shootdown) return;
  TlbBatch batch;
  batch.add(address, old & 0x000ffffffffff000, 4096);
  tlb_shootdown(space_, batch);
}

uint64_t TestSpace::map_bytes(uint64_t address, std::span<const uint8_t> bytes) {
  uint64_t phys = vm_.page();
  std::memcpy(phys_to_virt(phys), bytes.data(), bytes.size());
  map(address, phys);
  return phys;
}

TestTask::TestTask(TestSpace& space) : space_(space) {
  auto created = user_state_create();
  REQUIRE(created);
  state = *created;
  user_switch(nullptr, state, &space.space());
  regs.rip = kCode;
  regs.rsp = kStackTop;
}

TestTask::~TestTask() {
  user_switch(state, nullptr, nullptr);
  user_state_destroy(state);
}

}  // namespace runsc::arch::hosted
