#include "kvm/arch/common/user_regs.h"
#include "kvm/arch/ring0/selftest/machine.h"

namespace runsc::selftest {

using arch::Trap;
using arch::TrapKind;

namespace {

constexpr uint8_t kSyscallLoop[] = {0x0f, 0x05, 0xeb, 0xfc};           // 1: syscall; jmp 1b
constexpr uint8_t kReadWriteBreak[] = {0x8a, 0x06, 0x88, 0x07, 0xcc};  // mov (%rsi),%al; mov %al,(%rdi); int3

void test_syscalls() {
  Space space;
  space.map_bytes(kCode, kSyscallLoop);
  Task task(space);
  task.regs.rax = 39;
  task.regs.rbx = 1, task.regs.rdx = 3, task.regs.rsi = 4, task.regs.rdi = 5, task.regs.rbp = 6,
  task.regs.r8 = 8;
  task.regs.r9 = 9, task.regs.r10 = 10, task.regs.r12 = 12, task.regs.r13 = 13, task.regs.r14 = 14,
  task.regs.r15 = 15;
  for (int i = 0; i < 4; ++i) {
    Trap t = task.run();
    const arch::UserRegs& r = task.regs;
    CHECK(t.kind == TrapKind::syscall, "system call");
    CHECK(r.rip == kCode + 2 && r.rcx == r.rip && r.rflags == r.r11 && r.rsp == kStackTop,
          "where it came from");
    CHECK(
        r.rax == 39 && r.orig_rax == 39 && r.rbx == 1 && r.rdx == 3 && r.rsi == 4 && r.rdi == 5 && r.rbp == 6,
        "rax..");
    CHECK(r.r8 == 8 && r.r9 == 9 && r.r10 == 10 && r.r12 == 12 && r.r13 == 13 && r.r14 == 14 && r.r15 == 15,
          "r8..");
    if (i == 2) task.regs.rcx = 0;  // not what SYSRET would restore: leaves by IRET
  }
  task.regs.rsp = uint64_t{1} << 63 | 5;
  CHECK(task.run().kind == TrapKind::syscall && task.regs.rsp == (uint64_t{1} << 63 | 5), "any rsp");
}

void test_faults() {
  Space space;
  space.map_bytes(kCode, kReadWriteBreak);
  Task task(space);
  task.regs.rsi = kData + 5, task.regs.rdi = kData + 9;
  Trap t = task.run();
  CHECK(t.kind == TrapKind::page_fault && t.address == kData + 5 && t.error == 4, "read fault");
  CHECK(task.regs.rip == kCode && task.regs.orig_rax == ~uint64_t{0} && task.regs.rsi == kData + 5,
        "registers");
  uint64_t page = take_page();
  __builtin_memset(arch::phys_to_virt(page), 'x', 4096);
  space.map(kData, page, Map::read);
  t = task.run();
  CHECK(t.kind == TrapKind::page_fault && t.address == kData + 9 && t.error == 7, "write fault");
  CHECK((task.regs.rax & 0xff) == 'x', "what was read");
  space.map(kData, page, Map::write);
  t = task.run();
  CHECK(t.kind == TrapKind::exception && t.vector == 3 && task.regs.rip == kCode + 5, "int3");
  task.regs.rip = kData + 4096;
  t = task.run();
  CHECK(t.kind == TrapKind::page_fault && t.address == kData + 4096 && (t.error & 0x15) == 0x14,
        "fetch fault");
  task.regs.rip = kCode, task.regs.rsi = 0xffffffff80000000;
  t = task.run();
  CHECK(t.kind == TrapKind::page_fault && t.error == 5, "the sentry's memory");
}

void test_exceptions() {
  struct Case {
    uint8_t code[4];
    uint8_t vector;
    uint32_t error;
    uint64_t flags;
  };
  constexpr Case cases[] = {
      {{0x0f, 0x0b}, 6, 0, 0},                     // ud2
      {{0x31, 0xc9, 0xf7, 0xf1}, 0, 0, 0},         // xor %ecx,%ecx; div %ecx
      {{0xf4}, 13, 0, 0},                          // hlt
      {{0xfa}, 13, 0, 0},                          // cli
      {{0xe6, 0x40}, 13, 0, 0},                    // out: the doorbell is not the user's
      {{0xcd, 0x80}, 13, 0x80 * 8 + 2, 0},         // int $0x80
      {{0xcd, 0x0e}, 13, 0x0e * 8 + 2, 0},         // int $14
      {{0x90, 0x90}, 1, 0, arch::kFlagTf},         // single step
      {{0x48, 0x8b, 0x06}, 13, 0, 0},              // mov (%rsi),%rax, not canonical
      {{0x8e, 0xe8}, 13, 0x10, 0},                 // mov %eax,%gs with the kernel's selector
      {{0x8b, 0x04, 0x24}, 17, 0, arch::kFlagAc},  // mov (%rsp),%eax, misaligned
  };
  for (const Case& c : cases) {
    Space space;
    space.map_bytes(kCode, c.code);
    space.map(kStackPage, take_page());
    Task task(space);
    task.regs.rsi = uint64_t{1} << 60;
    task.regs.rax = 0x10;
    task.regs.rsp = kStackTop + 1;
    task.regs.rflags = c.flags;
    Trap t = task.run();
    if (c.vector == 17 && t.kind != TrapKind::exception)
      continue;  // emulated CPUs do not all check alignment
    // INT n: QEMU's error code is not the manual's.
    const bool same_error = t.error == c.error || c.code[0] == 0xcd;
    if (t.vector != c.vector || !same_error)
      say("  wanted {} {:x}, got {} {:x}", c.vector, c.error, t.vector, t.error);
    CHECK(t.kind == TrapKind::exception && t.vector == c.vector && same_error, "exception");
  }
}

void test_hostile_registers() {
  Space space;
  space.map_bytes(kCode, kSyscallLoop);
  Task task(space);
  task.regs.rip = task.regs.rcx = uint64_t{1} << 50;
  Trap t = task.run();
  CHECK(t.kind == TrapKind::exception && t.vector == 13, "not canonical");
  task.regs.rip = task.regs.rcx = 0xffffffff80000000;
  t = task.run();
  CHECK(t.kind == TrapKind::page_fault && t.address == 0xffffffff80000000, "upper half");
  task.regs.rip = task.regs.rcx = kCode;
  task.regs.r11 = task.regs.rflags = ~uint64_t{0} & ~arch::kFlagTf;
  t = task.run();
  CHECK(t.kind == TrapKind::syscall, "all flags");
  CHECK((task.regs.rflags & (arch::kFlagIopl | uint64_t{1} << 17 | arch::kFlagIf)) == arch::kFlagIf,
        "no IOPL, no VM");
  // TF over a system call: the step after it is the user's.
  task.regs.rip = kCode;
  task.regs.rflags = arch::kFlagTf;
  t = task.run();
  CHECK(t.kind == TrapKind::syscall || (t.kind == TrapKind::exception && t.vector == 1), "TF and SYSCALL");
  t = task.run();
  CHECK(t.kind == TrapKind::exception && t.vector == 1, "single step behind SYSCALL");
}

}  // namespace

void test_traps() {
  test_syscalls();
  test_faults();
  test_exceptions();
  test_hostile_registers();
}

void measure() {
  Space space;
  space.map_bytes(kCode, kSyscallLoop);
  Task task(space);
  constexpr int kRounds = 20000;
  task.run();
  uint64_t start = arch::tsc();
  for (int i = 0; i < kRounds; ++i) task.run();
  uint64_t spent = arch::tsc() - start;
  say("a trap: {} ns", spent * 1000 / (arch::boot_info().tsc_hz / 1000000) / kRounds);
}

}  // namespace runsc::selftest
