#include "kvm/arch/ring0/selftest/machine.h"

namespace runsc::selftest {

using arch::Trap;
using arch::TrapKind;

namespace {

// movq %rax,%xmm3; vinsertf128-free: plain SSE. syscall; movq %xmm3,%rbx; mov %fs:0,%rdx; mov %gs:8,%rbp;
// syscall
constexpr uint8_t kVectorCode[] = {0x66, 0x48, 0x0f, 0x6e, 0xd8, 0x0f, 0x05, 0x66, 0x48, 0x0f, 0x7e,
                                   0xdb, 0x64, 0x48, 0x8b, 0x14, 0x25, 0,    0,    0,    0,    0x65,
                                   0x48, 0x8b, 0x2c, 0x25, 8,    0,    0,    0,    0x0f, 0x05};
// wrgsbase %rax; syscall; rdgsbase %rbx; mov %ecx,%ds ; syscall
constexpr uint8_t kGsCode[] = {0xf3, 0x48, 0x0f, 0xae, 0xd8, 0x0f, 0x05,
                               0xf3, 0x48, 0x0f, 0xae, 0xcb, 0x0f, 0x05};

struct Slot {
  arch::UserState* state;
  arch::UserRegs regs{};
};

Slot make_slot(uint64_t rax, uint64_t fs, uint64_t gs) {
  Slot s{*arch::user_state_create()};
  arch::set_fs_base(*s.state, fs);
  arch::set_gs_base(*s.state, gs);
  s.regs.rip = kCode;
  s.regs.rsp = kStackTop;
  s.regs.rax = rax;
  return s;
}

void test_xstate() {
  Space space;
  space.map_bytes(kCode, kVectorCode);
  space.map(kData, take_page());
  Task task(space);
  arch::set_fs_base(*task.state, kData);
  arch::set_gs_base(*task.state, kData);
  task.regs.rax = 77;
  CHECK(task.run().kind == TrapKind::syscall, "first half");
  alignas(64) static std::byte area[8192];
  std::span<std::byte> xstate(area, arch::boot_info().xsave_size);
  arch::xstate_save(*task.state, xstate);
  CHECK(area[160 + 3 * 16] == std::byte{77}, "saved state");
  area[160 + 3 * 16] = std::byte{5};
  CHECK(arch::xstate_load(*task.state, xstate), "xstate_load");
  CHECK(task.run().kind == TrapKind::syscall && task.regs.rbx == 5, "loaded state");
  area[520] = std::byte{1};
  CHECK(arch::xstate_load(*task.state, xstate).error() == Errno::inval, "a bad header");
}

void test_gs_base() {
  if (!(arch::boot_info().cpu_features & hostcall::kFeatureFsgsbase)) return;
  Space space, other;
  space.map_bytes(kCode, kGsCode);
  constexpr uint64_t kBase = 0xffffffff80001000;  // looks like ring 0's
  Slot a = make_slot(kBase, 0, 0), b = make_slot(0, 0, 0);
  arch::user_switch(nullptr, a.state, &space.space);
  CHECK(arch::run_user(*a.state, space.space, a.regs).kind == TrapKind::syscall, "wrgsbase");
  CHECK(arch::gs_base(*a.state) == kBase, "gs_base");
  arch::user_switch(a.state, b.state, &other.space);
  CHECK(arch::gs_base(*b.state) == 0, "another's base");
  arch::user_switch(b.state, a.state, &space.space);
  CHECK(arch::run_user(*a.state, space.space, a.regs).kind == TrapKind::syscall && a.regs.rbx == kBase,
        "rdgsbase");
  arch::user_switch(a.state, nullptr, nullptr);
}

}  // namespace

void test_states() {
  Space space, other;
  space.map_bytes(kCode, kVectorCode);
  other.map_bytes(kCode, kVectorCode);
  uint64_t data = take_page();
  for (uint64_t i = 0; i < 512; ++i) static_cast<uint64_t*>(arch::phys_to_virt(data))[i] = 1000 + i;
  space.map(kData, data);
  other.map(kData, data);

  Slot slots[4] = {make_slot(70, kData, kData), make_slot(71, kData + 8, kData + 16),
                   make_slot(72, kData + 64, kData), make_slot(73, kData + 128, kData + 8)};
  Slot* current = nullptr;
  auto run = [&](Slot& s, Space& where) {
    arch::user_switch(current ? current->state : nullptr, s.state, &where.space);
    current = &s;
    return arch::run_user(*s.state, where.space, s.regs).kind;
  };
  for (size_t i = 0; i < 4; ++i)
    CHECK(run(slots[i], i % 2 ? other : space) == TrapKind::syscall, "first half");
  Slot child = make_slot(0, 0, 0);
  CHECK(arch::user_state_copy(*child.state, *current->state), "copy");
  child.regs = current->regs;
  arch::user_switch(current->state, nullptr, nullptr);
  current = nullptr;
  constexpr uint64_t kFs[] = {1000, 1001, 1008, 1016}, kGs[] = {1001, 1003, 1001, 1002};
  for (size_t i = 0; i < 4; ++i) {
    Slot& s = slots[i];
    CHECK(run(s, i % 2 ? other : space) == TrapKind::syscall, "second half");
    CHECK(s.regs.rbx == 70 + i && s.regs.rdx == kFs[i] && s.regs.rbp == kGs[i], "vector state and bases");
  }
  CHECK(run(child, space) == TrapKind::syscall && child.regs.rbx == 73 && child.regs.rdx == 1016, "a copy");
  arch::user_state_reset(*child.state);
  arch::set_fs_base(*child.state, kData);
  arch::set_gs_base(*child.state, kData);
  child.regs.rip = kCode + 7;
  CHECK(run(child, space) == TrapKind::syscall && child.regs.rbx == 0 && child.regs.rdx == 1000, "reset");

  if (current) arch::user_switch(current->state, nullptr, nullptr);
  for (Slot& s : slots) arch::user_state_destroy(s.state);
  test_xstate();
  test_gs_base();
}

namespace {

struct Fiber {
  arch::Context main, a, b;
  int steps = 0;
};

void fiber_b(void* p) {
  auto& f = *static_cast<Fiber*>(p);
  for (;;) {
    ++f.steps;
    arch::context_switch(f.b, f.a);
  }
}

void fiber_a(void* p) {
  auto& f = *static_cast<Fiber*>(p);
  for (int i = 0; i < 10; ++i) arch::context_switch(f.a, f.b);
  arch::context_switch(f.a, f.main, true);
  PANIC("a dead context ran");
}

}  // namespace

void test_contexts() {
  static Fiber f;
  auto a = arch::stack_alloc(), b = arch::stack_alloc();
  CHECK(a && b && a->base != b->base, "stacks");
  __builtin_memset(a->base, 1, a->size);
  arch::context_init(f.a, *a, fiber_a, &f);
  arch::context_init(f.b, *b, fiber_b, &f);
  arch::context_switch(f.main, f.a);
  CHECK(f.steps == 10, "steps");
  arch::stack_free(*a);
  auto c = arch::stack_alloc();
  CHECK(c && c->base == a->base, "a free stack is used again");
  for (int i = 0; i < 100; ++i) CHECK(arch::stack_alloc(), "many stacks");
}

}  // namespace runsc::selftest
