#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstring>
#include <thread>

#include "kvm/arch/common/user_regs.h"
#include "kvm/arch/hosted/guest_half.h"
#include "kvm/arch/hosted/vcpu_pool.h"
#include "kvm/arch/hosted/vm_fixture.h"

using namespace runsc;
using namespace runsc::arch;
using namespace runsc::arch::hosted;

#define NEEDS_KVM() \
  if (!TestVm::available()) return

namespace {
using Code = std::vector<uint8_t>;
const Code kSyscallLoop = {0x0f, 0x05, 0xeb, 0xfc};  // 1: syscall; jmp 1b
}  // namespace

TEST_CASE("run_user returns at a system call and goes on behind it") {
  NEEDS_KVM();
  TestVm& vm = TestVm::use();
  TestSpace space(vm);
  space.map_bytes(kCode, kSyscallLoop);
  TestTask task(space);
  task.regs.rax = 39;
  task.regs.rdi = 1, task.regs.r8 = 8, task.regs.r15 = 15, task.regs.rbp = 77;
  for (int i = 0; i < 3; ++i) {
    Trap t = task.run();
    REQUIRE(t.kind == TrapKind::syscall);
    CHECK(task.regs.rip == kCode + 2);
    CHECK(task.regs.rcx == kCode + 2);
    CHECK((task.regs.r11 & 0x202) == 0x202);
    CHECK(task.regs.rflags == task.regs.r11);
    CHECK(task.regs.rsp == kStackTop);
    CHECK(task.regs.orig_rax == 39);
    CHECK(task.regs.rax == 39);
    CHECK(task.regs.rdi == 1);
    CHECK(task.regs.r8 == 8);
    CHECK(task.regs.r15 == 15);
    CHECK(task.regs.rbp == 77);
  }
}

TEST_CASE("run_user tells page faults, and a new translation is seen") {
  NEEDS_KVM();
  TestVm& vm = TestVm::use();
  TestSpace space(vm);
  space.map_bytes(kCode, Code{0x8a, 0x06, 0x88, 0x07, 0xcc});  // mov (%rsi),%al; mov %al,(%rdi); int3
  TestTask task(space);
  task.regs.rsi = kData + 5, task.regs.rdi = kData + 9;
  Trap t = task.run();
  REQUIRE(t.kind == TrapKind::page_fault);
  CHECK(t.address == kData + 5);
  CHECK(t.error == 4);
  CHECK(task.regs.rip == kCode);
  CHECK(task.regs.orig_rax == ~uint64_t{0});
  uint64_t page = vm.page();
  space.map(kData, page, Map::read);
  std::memset(phys_to_virt(page), 'x', 4096);
  t = task.run();
  REQUIRE(t.kind == TrapKind::page_fault);
  CHECK(t.address == kData + 9);
  CHECK(t.error == 7);
  CHECK((task.regs.rax & 0xff) == 'x');
  space.map(kData, page, Map::write);
  t = task.run();
  CHECK(t.kind == TrapKind::exception);
  CHECK(t.vector == 3);
  CHECK(task.regs.rip == kCode + 5);
}

TEST_CASE("run_user tells exceptions") {
  NEEDS_KVM();
  struct Case {
    Code code;
    uint8_t vector;
    uint32_t error;
    uint64_t flags;
  };
  const Case cases[] = {
      {{0x0f, 0x0b}, 6, 0, 0},               // ud2
      {{0x31, 0xc9, 0xf7, 0xf1}, 0, 0, 0},   // xor %ecx,%ecx; div %ecx
      {{0xf4}, 13, 0, 0},                    // hlt
      {{0xfa}, 13, 0, 0},                    // cli
      {{0xe6, 0x80}, 13, 0, 0},              // out: no port is the user's
      {{0xcd, 0x80}, 13, 0x80 * 8 + 2, 0},   // int $0x80
      {{0xcd, 0x0e}, 13, 0x0e * 8 + 2, 0},   // int $14
      {{0xcd, 0x03}, 3, 0, 0},               // int $3: open to the user
      {{0xcd, 0x04}, 4, 0, 0},               // int $4
      {{0xcc}, 3, 0, 0},                     // int3
      {{0x90, 0x90}, 1, 0, kFlagTf},         // single step
      {{0x48, 0x8b, 0x06}, 13, 0, 0},        // mov (%rsi),%rax, not canonical
      {{0x8e, 0xe8}, 13, 0x10, 0},           // mov %eax,%gs with the kernel's selector
      {{0x8b, 0x04, 0x24}, 17, 0, kFlagAc},  // mov (%rsp),%eax, misaligned
  };
  TestVm& vm = TestVm::use();
  for (const Case& c : cases) {
    TestSpace space(vm);
    space.map_bytes(kCode, c.code);
    space.map(kStackTop & ~uint64_t{4095}, vm.page());
    TestTask task(space);
    task.regs.rsi = uint64_t{1} << 60;
    task.regs.rax = 0x10;
    task.regs.rsp = kStackTop + 1;
    task.regs.rflags = c.flags;
    Trap t = task.run();
    INFO("vector " << int{c.vector} << ", got " << int{t.vector} << " error " << t.error);
    // Not every emulated CPU checks alignment.
    if (c.vector == 17 && t.kind != TrapKind::exception) continue;
    CHECK(t.kind == TrapKind::exception);
    CHECK(t.vector == c.vector);
    // QEMU has another error code for INT n than the manual.
    if (c.code[0] == 0xcd && c.vector == 13)
      CHECK((t.error & 2) == 2);
    else
      CHECK(t.error == c.error);
    if (c.vector == 3 || c.vector == 4) CHECK(task.regs.rip == kCode + c.code.size());
    if (c.vector == 13) CHECK(task.regs.rip == kCode);
  }
}

TEST_CASE("registers that would break ring 0 never reach it") {
  NEEDS_KVM();
  TestVm& vm = TestVm::use();
  TestSpace space(vm);
  space.map_bytes(kCode, kSyscallLoop);
  TestTask task(space);
  task.regs.rip = uint64_t{1} << 50;
  Trap t = task.run();
  CHECK(t.kind == TrapKind::exception);
  CHECK(t.vector == 13);
  task.regs.rip = kUpperBase;
  t = task.run();
  CHECK(t.kind == TrapKind::page_fault);
  CHECK(t.address == kUpperBase);
  task.regs.rip = kCode;
  task.regs.rflags = ~uint64_t{0} & ~kFlagTf;
  t = task.run();
  CHECK(t.kind == TrapKind::syscall);
  CHECK((task.regs.rflags & (kFlagIopl | uint64_t{1} << 17 | kFlagIf)) == kFlagIf);
  // The stack pointer may hold anything.
  task.regs.rsp = uint64_t{1} << 63 | 5;
  t = task.run();
  CHECK(t.kind == TrapKind::syscall);
  CHECK(task.regs.rsp == (uint64_t{1} << 63 | 5));
}

TEST_CASE("a jump to the system call entry is a system call from wherever rcx says") {
  NEEDS_KVM();
  TestVm& vm = TestVm::use();
  TestSpace space(vm);
  space.map_bytes(kCode, Code{0xff, 0xe0});  // jmp *%rax
  TestTask task(space);
  task.regs.rax = kSyscallEntry;
  task.regs.rcx = ~uint64_t{0};
  Trap t = task.run();
  CHECK((t.kind == TrapKind::syscall || t.kind == TrapKind::page_fault));
  if (t.kind == TrapKind::syscall) {
    t = task.run();  // rip is ~0 now
    CHECK(t.kind == TrapKind::page_fault);
  }
}

TEST_CASE("cpu_wake pulls user code out, and none is lost") {
  NEEDS_KVM();
  TestVm& vm = TestVm::use();
  TestSpace space(vm);
  space.map_bytes(kCode, Code{0xeb, 0xfe});  // jmp .
  std::atomic<int> rounds{0};
  std::atomic<bool> waiting{true};
  std::thread cpu([&] {
    bind_thread(1);
    TestTask task(space);
    while (rounds < 200) {
      waiting.wait(false);
      Trap t = task.run();
      if (t.kind != TrapKind::interrupt || task.regs.rip != kCode) break;
      waiting = false;
      waiting.notify_all();
      ++rounds;
    }
  });
  for (int i = 0; i < 200; ++i) {
    if (i % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(i * 7));
    cpu_wake(1);
    waiting.wait(true);
    waiting = true;
    waiting.notify_all();
  }
  cpu_wake(1);
  cpu.join();
  CHECK(rounds == 200);
}

TEST_CASE("cpu_idle ends at a wake, at its deadline, or at once for a wake before it") {
  NEEDS_KVM();
  TestVm::use();
  std::thread cpu([&] {
    bind_thread(1);
    cpu_wake(1);
    cpu_idle(~uint64_t{0});
    uint64_t before = tsc();
    cpu_idle(before + 20000000);
    CHECK(tsc() >= before + 20000000);
  });
  cpu.join();
  std::thread sleeper([&] {
    bind_thread(1);
    cpu_idle(~uint64_t{0});
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  cpu_wake(1);
  sleeper.join();
}

// The rule of shadow paging: a PTE that the host clears stays live until the old page is shot down. Also
// reaches a vCPU that runs meanwhile.
TEST_CASE("tlb_shootdown takes a translation away from a vCPU that uses it") {
  NEEDS_KVM();
  TestVm& vm = TestVm::use();
  TestSpace space(vm);
  // 1: mov (%rsi),%al; mov %al,(%rdi); incq 8(%rdi); jmp 1b
  space.map_bytes(kCode, Code{0x8a, 0x06, 0x88, 0x07, 0x48, 0xff, 0x47, 0x08, 0xeb, 0xf6});
  uint64_t out = vm.page();
  space.map(kStackTop & ~uint64_t{4095}, out);
  uint64_t a = vm.page(), b = vm.page();
  std::memset(phys_to_virt(a), 'A', 4096);
  std::memset(phys_to_virt(b), 'B', 4096);
  space.map(kData, a);
  auto* seen = static_cast<volatile char*>(phys_to_virt(out));
  auto* count =
      static_cast<std::atomic<uint64_t>*>(static_cast<void*>(static_cast<char*>(phys_to_virt(out)) + 8));
  std::atomic<int> faults{0};
  std::atomic<bool> stop{false};
  std::thread cpu([&] {
    bind_thread(1);
    TestTask task(space);
    task.regs.rsi = kData;
    task.regs.rdi = kStackTop & ~uint64_t{4095};
    while (!stop) {
      Trap t = task.run();
      if (t.kind == TrapKind::page_fault) ++faults;
    }
  });
  auto settle = [&] {
    uint64_t now = count->load();
    while (count->load() < now + 100) std::this_thread::yield();
  };
  settle();
  CHECK(*seen == 'A');
  for (int i = 0; i < 50; ++i) {
    int before = faults;
    space.unmap(kData);
    while (faults == before) std::this_thread::yield();  // a stale translation would leave us here for ever
    space.map(kData, i % 2 ? a : b);
    settle();
    CHECK(*seen == (i % 2 ? 'A' : 'B'));
  }
  // And a batch of more than fits.
  TlbBatch batch;
  for (uint64_t i = 0; i < 3 * TlbBatch::kMax; ++i) batch.add(kData + i * 8192, a + i * 8192, 4096);
  std::atomic_ref<uint64_t>(space.pte(kData)).store(0);
  int before = faults;
  tlb_shootdown(space.space(), batch);
  CHECK(batch.empty());
  while (faults == before) std::this_thread::yield();
  flush_retired_tables();
  stop = true;
  cpu_wake(1);
  cpu.join();
}

TEST_CASE("a file that shrinks under the window is a bus error, not the end") {
  NEEDS_KVM();
  TestVm& vm = TestVm::use();
  int fd = memfd_create("shrinking", 0);
  REQUIRE(ftruncate(fd, 8192) == 0);
  auto window = vm.memory().window_map(fd, 0, 8192, true);
  REQUIRE(window);
  TestSpace space(vm);
  space.map_bytes(kCode, Code{0x8a, 0x06, 0xcc});
  space.map(kData, *window + 4096);
  TestTask task(space);
  task.regs.rsi = kData;
  REQUIRE(task.run().vector == 3);
  char byte = 1;
  CHECK(copy_from_window(&byte, *window + 4096, 1));
  CHECK(copy_from_user(space.space(), &byte, kData, 1) == 1);
  REQUIRE(ftruncate(fd, 4096) == 0);
  CHECK(copy_from_window(&byte, *window + 4096, 1).error() == Errno::io);
  char bytes[4200];
  CHECK(copy_from_window(bytes, *window + 4000, sizeof bytes).error() == Errno::io);
  CHECK(copy_from_user(space.space(), &byte, kData, 1) == 0);
  CHECK(zero_user(space.space(), kData, 1) == 0);
  uint32_t word = 0;
  CHECK(!user_load32(space.space(), kData, word));
  CHECK(!user_cmpxchg32(space.space(), kData, 0, 1, word));
  task.regs.rip = kCode;
  CHECK(task.run().kind == TrapKind::bus_error);
  CHECK(task.regs.rip == kCode);
  REQUIRE(ftruncate(fd, 8192) == 0);
  CHECK(task.run().vector == 3);
  REQUIRE(vm.memory().window_unmap(*window));
  close(fd);
}

TEST_CASE("vector state and segment bases belong to the task, across vCPUs, fork and reset") {
  NEEDS_KVM();
  TestVm& vm = TestVm::use();
  TestSpace space(vm);
  // movq %rax,%xmm3; syscall; movq %xmm3,%rbx; mov %fs:0,%rdx; syscall
  space.map_bytes(kCode, Code{0x66, 0x48, 0x0f, 0x6e, 0xd8, 0x0f, 0x05, 0x66, 0x48, 0x0f, 0x7e, 0xdb,
                              0x64, 0x48, 0x8b, 0x14, 0x25, 0,    0,    0,    0,    0x0f, 0x05});
  uint64_t data = vm.page();
  space.map(kData, data);
  constexpr int kTasks = 8;
  for (int i = 0; i < 64; ++i) static_cast<uint64_t*>(phys_to_virt(data))[i] = 1000 + i;
  UserState* states[kTasks + 2];
  UserRegs regs[kTasks + 2] = {};
  UserState* current = nullptr;
  auto run = [&](int i) {
    user_switch(current, states[i], &space.space());
    current = states[i];
    return run_user(*states[i], space.space(), regs[i]).kind;
  };
  pool_limit_for_test(3);
  for (int i = 0; i < kTasks; ++i) {
    states[i] = *user_state_create();
    set_fs_base(*states[i], kData + 8 * i);
    regs[i].rip = kCode, regs[i].rsp = kStackTop, regs[i].rax = 77 + i;
    CHECK(run(i) == TrapKind::syscall);
  }
  states[kTasks] = *user_state_create();
  REQUIRE(user_state_copy(*states[kTasks], *current));
  regs[kTasks] = regs[kTasks - 1];
  states[kTasks + 1] = *user_state_create();
  regs[kTasks + 1] = regs[kTasks - 1];
  set_fs_base(*states[kTasks + 1], kData);
  for (int i = 0; i < kTasks; ++i) {
    CHECK(run(i) == TrapKind::syscall);
    CHECK(regs[i].rbx == 77u + i);
    CHECK(regs[i].rdx == 1000u + i);
    CHECK(fs_base(*states[i]) == kData + 8 * i);
  }
  CHECK(run(kTasks) == TrapKind::syscall);
  CHECK(regs[kTasks].rbx == 77u + kTasks - 1);
  CHECK(regs[kTasks].rdx == 1000u + kTasks - 1);
  CHECK(run(kTasks + 1) == TrapKind::syscall);  // a new state: nothing of those before it
  CHECK(regs[kTasks + 1].rbx == 0);
  user_state_reset(*states[kTasks]);
  set_fs_base(*states[kTasks], kData);
  regs[kTasks].rip = kCode + 7;
  CHECK(run(kTasks) == TrapKind::syscall);
  CHECK(regs[kTasks].rbx == 0);

  user_switch(current, nullptr, nullptr);
  for (UserState* s : states) user_state_destroy(s);
  pool_limit_for_test(kMaxVcpus);
}

TEST_CASE("a saved vector state can be changed and loaded, but not with a bad header") {
  NEEDS_KVM();
  TestVm& vm = TestVm::use();
  TestSpace space(vm);
  // movq %rax,%xmm3; syscall; movq %xmm3,%rbx; syscall
  space.map_bytes(kCode,
                  Code{0x66, 0x48, 0x0f, 0x6e, 0xd8, 0x0f, 0x05, 0x66, 0x48, 0x0f, 0x7e, 0xdb, 0x0f, 0x05});
  TestTask task(space);
  task.regs.rax = 77;
  REQUIRE(task.run().kind == TrapKind::syscall);
  std::vector<std::byte> area(boot_info().xsave_size);
  xstate_save(*task.state, area);
  std::byte* xmm3 = area.data() + 160 + 3 * 16;
  CHECK(std::memcmp(xmm3, "M\0\0\0\0\0\0\0", 8) == 0);  // 77
  *xmm3 = std::byte{5};
  REQUIRE(xstate_load(*task.state, area));
  CHECK(task.run().kind == TrapKind::syscall);
  CHECK(task.regs.rbx == 5);
  area[512 + 8] = std::byte{1};
  CHECK(xstate_load(*task.state, area).error() == Errno::inval);
}

TEST_CASE("the price of a trap", "[.][bench]") {
  TestVm& vm = TestVm::use();
  TestSpace space(vm);
  space.map_bytes(kCode, kSyscallLoop);
  TestTask task(space);
  constexpr int kRounds = 20000;
  auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kRounds; ++i) task.run();
  std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - start;
  WARN(spent.count() / kRounds << " us a trap");
}

TEST_CASE("the price of a shoot-down", "[.][bench]") {
  TestVm& vm = TestVm::use();
  TestSpace space(vm);
  // 1: mov (%rsi),%al; add $4096,%rsi; dec %rcx; jnz 1b; int3
  space.map_bytes(kCode,
                  Code{0x8a, 0x06, 0x48, 0x81, 0xc6, 0, 0x10, 0, 0, 0x48, 0xff, 0xc9, 0x75, 0xf2, 0xcc});
  constexpr int kPages = 4096;
  for (int i = 0; i < kPages; ++i)
    (void)space.pte(kData + i * 4096);  // the tables first, so that pages adjoin
  uint64_t first = vm.page();
  space.map(kData, first);
  for (int i = 1; i < kPages; ++i) space.map(kData + i * 4096, vm.page());
  std::memset(phys_to_virt(first), 0, kPages * 4096);
  TestTask task(space);
  auto touch = [&](int pages) {
    task.regs.rip = kCode, task.regs.rsi = kData, task.regs.rcx = pages;
    auto start = std::chrono::steady_clock::now();
    Trap t = task.run();
    std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - start;
    REQUIRE(t.vector == 3);
    return spent.count();
  };
  for (int pages : {1, 8, 64, 512, 4096}) {
    double refill = 0, drop = 0;
    touch(pages);
    double warm = touch(pages);
    for (int i = 0; i < 5; ++i) {
      TlbBatch batch;
      batch.add(kData, first, uint64_t(pages) * 4096);
      auto start = std::chrono::steady_clock::now();
      tlb_shootdown(space.space(), batch);
      drop += std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count() / 5;
      refill += touch(pages) / 5;
    }
    WARN(pages << " pages: drop " << drop << " us, touching them again " << refill << " us, warm " << warm
               << " us");
  }
}
