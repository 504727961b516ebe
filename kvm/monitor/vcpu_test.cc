#include "kvm/monitor/vcpu.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <cstring>
#include <thread>

#include "kvm/monitor/testing/test_guest.h"
#include "kvm/monitor/tsc.h"

namespace runsc::monitor {
namespace {

using testing::TestGuest;
using testing::Trap;

TEST_CASE("ring 3 runs and traps", "[monitor][vcpu]") {
  TestGuest guest;
  auto vcpu = guest.make_vcpu();
  guest.put_code({0x48, 0x01, 0xd8, 0xcc});  // add %rbx, %rax; int3
  kvm_regs regs{};
  regs.rax = 40;
  regs.rbx = 2;
  guest.enter_user(*vcpu, regs);
  Trap trap = guest.run_to_trap(*vcpu);
  CHECK(trap.vector == 3);
  CHECK(trap.regs.rax == 42);
  CHECK(trap.rip == testing::kUserBase + 4);
}

TEST_CASE("a kick before KVM_RUN keeps the vCPU out until it is cleared", "[monitor][vcpu]") {
  TestGuest guest;
  auto vcpu = guest.make_vcpu();
  guest.put_code({0xcc});
  guest.enter_user(*vcpu);
  vcpu->kick();
  CHECK(vcpu->run().value() == Vcpu::RunResult::interrupted);
  CHECK(vcpu->run().value() == Vcpu::RunResult::interrupted);
  vcpu->clear_kick();
  CHECK(guest.run_to_trap(*vcpu).vector == 3);
}

TEST_CASE("a kick pulls a loop out of ring 3, however it races with entry", "[monitor][vcpu]") {
  TestGuest guest;
  auto vcpu = guest.make_vcpu();
  guest.put_code({0xeb, 0xfe});  // jmp .
  guest.enter_user(*vcpu);
  constexpr int kRounds = 300;
  std::atomic<int> sent{0};
  std::atomic<int> taken{0};
  std::thread kicker([&] {
    for (int i = 1; i <= kRounds; ++i) {
      if (i % 3 == 0) std::this_thread::yield();
      sent = i;
      vcpu->kick();
      while (taken.load() != i) std::this_thread::yield();
    }
  });
  int seen = 0;
  while (seen < kRounds) {
    vcpu->clear_kick();
    if (int now = sent.load(); now != seen) {
      seen = now;
      taken = now;
      continue;
    }
    REQUIRE(vcpu->run().value() == Vcpu::RunResult::interrupted);
  }
  kicker.join();
  CHECK(vcpu->regs().value().rip == testing::kUserBase);
}

TEST_CASE("the guest's time stamp counter is the host's", "[monitor][vcpu][tsc]") {
  TestGuest guest;
  // rdtsc; shl $32, %rdx; or %rdx, %rax; int3
  guest.put_code({0x0f, 0x31, 0x48, 0xc1, 0xe2, 0x20, 0x48, 0x09, 0xd0, 0xcc});
  for (unsigned i = 0; i < 3; ++i) {
    auto vcpu = guest.make_vcpu(i % 2);
    for (int round = 0; round < 3; ++round) {
      guest.enter_user(*vcpu);
      std::uint64_t before = read_tsc();
      Trap trap = guest.run_to_trap(*vcpu);
      std::uint64_t after = read_tsc();
      REQUIRE(trap.vector == 3);
      std::uint64_t guest_tsc = trap.regs.rax - static_cast<std::uint64_t>(vcpu->tsc_offset());
      CHECK(guest_tsc >= before);
      CHECK(guest_tsc <= after);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

TEST_CASE("the counter's frequency agrees with the host's clock", "[monitor][tsc]") {
  TestGuest guest;
  auto vcpu = guest.make_vcpu();
  auto kvm = KvmSystem::open();
  REQUIRE(kvm);
  std::uint64_t hz = tsc_frequency(*kvm, vcpu->fd()).value();
  ClockAnchor a = read_clock_anchor();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  ClockAnchor b = read_clock_anchor();
  double measured =
      static_cast<double>(b.tsc - a.tsc) * 1e9 / static_cast<double>(b.monotonic_ns - a.monotonic_ns);
  CHECK(measured / static_cast<double>(hz) == Approx(1.0).epsilon(0.01));
}

TEST_CASE("vector state goes in and out through the XSAVE area", "[monitor][vcpu]") {
  TestGuest guest;
  auto vcpu = guest.make_vcpu();
  guest.put_code({0x0f, 0x58, 0xc0, 0xcc});  // addps %xmm0, %xmm0; int3
  auto kvm = KvmSystem::open();
  REQUIRE(kvm);
  std::vector<std::byte> area(kvm->xsave_size());
  guest.enter_user(*vcpu);
  REQUIRE(vcpu->get_xsave(area));
  const float ones[4] = {1, 2, 3, 4};
  std::memcpy(area.data() + 160, ones, sizeof ones);  // XMM0 in the legacy area (SDM volume 1, 10.5.1)
  area[512] |= std::byte{2};                          // XSTATE_BV: SSE is not in its initial state
  REQUIRE(vcpu->set_xsave(area));
  CHECK(guest.run_to_trap(*vcpu).vector == 3);
  REQUIRE(vcpu->get_xsave(area));
  float doubled[4];
  std::memcpy(doubled, area.data() + 160, sizeof doubled);
  CHECK(doubled[0] == 2);
  CHECK(doubled[3] == 8);
}

TEST_CASE("an injected exception is delivered before the next instruction", "[monitor][vcpu]") {
  TestGuest guest;
  auto vcpu = guest.make_vcpu();
  guest.put_code({0xeb, 0xfe});
  guest.enter_user(*vcpu);
  REQUIRE(vcpu->inject_exception(13, 0x1234));
  Trap trap = guest.run_to_trap(*vcpu);
  CHECK(trap.vector == 13);
  CHECK(trap.rip == testing::kUserBase);
  CHECK(guest.words(trap.regs.rsp - testing::kKernelBase)[0] == 0x1234);
}

}  // namespace
}  // namespace runsc::monitor
