#include "kvm/arch/ring0/selftest/machine.h"

namespace runsc::selftest {

using arch::Trap;
using arch::TrapKind;

void test_copies() {
  Space space;
  space.map(kData, take_page());
  Task task(space);
  arch::UserSpace& s = space.space;
  static char buffer[8192];
  for (size_t i = 0; i < sizeof buffer; ++i) buffer[i] = static_cast<char>(i * 7);
  CHECK(arch::copy_to_user(s, kData, buffer, 4096) == 4096, "a page");
  static char back[8192];
  for (size_t size : {1u, 7u, 8u, 9u, 63u, 64u, 65u, 100u, 4000u})
    for (size_t at : {0u, 1u, 5u, 90u}) {
      CHECK(arch::copy_from_user(s, back, kData + at, size) == size, "copy");
      CHECK(__builtin_memcmp(back, buffer + at, size) == 0, "bytes");
    }
  // Faults are told to the byte.
  for (size_t before : {0u, 1u, 3u, 8u, 12u, 64u, 71u, 200u, 4096u}) {
    CHECK(arch::copy_from_user(s, back, kData + 4096 - before, before + 300) == before,
          "from: up to the hole");
    CHECK(__builtin_memcmp(back, buffer + 4096 - before, before) == 0, "bytes up to the hole");
    CHECK(arch::copy_to_user(s, kData + 4096 - before, buffer + 4096 - before, before + 300) == before,
          "to: up to the hole");
    CHECK(arch::copy_to_user(s, kData + 4096 - before, buffer + 4096 - before, before + 5) == before,
          "to: short");
  }
  CHECK(arch::copy_from_user(s, back, kData - 8, 100) == 0, "nothing there");
  CHECK(arch::zero_user(s, kData + 4000, 1000) == 96, "zero up to the hole");
  CHECK(arch::copy_from_user(s, back, kData + 3990, 106) == 106 && back[9] == buffer[3999] && back[10] == 0,
        "zeros");
  CHECK(arch::copy_from_user(s, back, arch::kUserEnd - 1, 100) == 0, "the end of user memory");
  CHECK(arch::copy_from_user(s, back, 0xffffffff80000000, 8) == 0, "the sentry is not user memory");
  CHECK(arch::copy_from_user(s, back, uint64_t{1} << 60, 8) == 0, "not canonical");
  space.map(kData + 4096, take_page(), Map::read);
  CHECK(arch::copy_to_user(s, kData + 4090, buffer, 100) == 6, "read-only");
  uint32_t word = 0;
  CHECK(arch::copy_to_user(s, kData, "\1\0\0\0", 4) == 4, "word");
  CHECK(arch::user_load32(s, kData, word) && word == 1, "load");
  CHECK(arch::user_cmpxchg32(s, kData, 1, 9, word) && word == 1, "swapped");
  CHECK(arch::user_cmpxchg32(s, kData, 1, 10, word) && word == 9, "not swapped");
  CHECK(!arch::user_cmpxchg32(s, kData + 4096, 0, 1, word), "read-only word");
  CHECK(!arch::user_load32(s, kData + 8192, word) && !arch::user_load32(s, kData + 1, word), "no word");
  space.unmap(kData);
  CHECK(arch::copy_from_user(s, back, kData, 1) == 0, "unmapped");
  __builtin_memset(buffer, 'm', 100);
  __builtin_memmove(buffer + 3, buffer, 50);
  CHECK(__builtin_memcmp("ab", "ac", 2) < 0 && __builtin_memcmp("b", "a", 1) > 0, "memcmp");
}

void test_window() {
  using namespace hostcall;
  constexpr Handle kFile = 0;  // donated by the driver: a writable file of two pages
  auto mapped = call<MapWindow>([](MapWindow::Request& r) { r = {kFile, 1, 0, 8192}; });
  CHECK(mapped, "MapWindow");
  const uint64_t phys = (*mapped)->phys;
  auto resize = [](uint64_t size) {
    CHECK(call<Truncate>([&](Truncate::Request& r) { r = {kFile, 0, size}; }), "Truncate");
  };
  Space space;
  constexpr uint8_t code[] = {0x8a, 0x06, 0xcc};
  space.map_bytes(kCode, code);
  space.map(kData, phys + 4096);
  Task task(space);
  task.regs.rsi = kData;
  CHECK(task.run().vector == 3, "a page of the file");
  static char back[8192];
  CHECK(arch::copy_from_window(back, phys, 8192), "copy_from_window");
  resize(4096);
  task.regs.rip = kCode;
  Trap t = task.run();
  CHECK(t.kind == TrapKind::bus_error && task.regs.rip == kCode, "bus error in user code");
  CHECK(arch::copy_from_window(back, phys + 4000, 200).error() == Errno::io, "bus error in the sentry");
  CHECK(arch::copy_from_user(space.space, back, kData, 1) == 0, "bus error in a copy");
  resize(8192);
  CHECK(task.run().vector == 3, "the file is back");
}

namespace {

// 1: mov (%rsi),%al; mov %al,(%rdi); incq 8(%rdi); jmp 1b
constexpr uint8_t kWatchLoop[] = {0x8a, 0x06, 0x88, 0x07, 0x48, 0xff, 0x47, 0x08, 0xeb, 0xf6};

struct Watch {
  Space* space;
  std::atomic<int> faults{0}, interrupts{0};
  std::atomic<bool> stop{false};
  bool copy = false;
};

void watch_user(void* p) {
  auto& w = *static_cast<Watch*>(p);
  Task task(*w.space);
  task.regs.rsi = kData;
  task.regs.rdi = kStackPage;
  while (!w.stop) {
    Trap t = task.run();
    if (t.kind == TrapKind::page_fault) ++w.faults;
    if (t.kind == TrapKind::interrupt) ++w.interrupts;
  }
}

void watch_copies(void* p) {
  auto& w = *static_cast<Watch*>(p);
  Task task(*w.space);
  static char seen[64];
  while (!w.stop) {
    if (arch::copy_from_user(w.space->space, seen, kData, sizeof seen) != sizeof seen) {
      ++w.faults;
      continue;
    }
    (void)arch::copy_to_user(w.space->space, kStackPage, seen, 1);
    uint64_t count = 0;
    (void)arch::copy_from_user(w.space->space, &count, kStackPage + 8, 8);
    ++count;
    (void)arch::copy_to_user(w.space->space, kStackPage + 8, &count, 8);
  }
}

void shoot(void (*watcher)(void*)) {
  Space space;
  space.map_bytes(kCode, kWatchLoop);
  uint64_t out = take_page(), a = take_page(), b = take_page();
  space.map(kStackPage, out);
  __builtin_memset(arch::phys_to_virt(a), 'A', 4096);
  __builtin_memset(arch::phys_to_virt(b), 'B', 4096);
  space.map(kData, a);
  auto* seen = static_cast<volatile char*>(arch::phys_to_virt(out));
  auto* count = reinterpret_cast<volatile uint64_t*>(const_cast<char*>(seen) + 8);
  static Watch w;
  w.space = &space;
  w.faults = 0, w.stop = false;
  start_on_other_cpu(watcher, &w);
  auto settle = [&] {
    uint64_t now = *count;
    while (*count < now + 20) asm volatile("pause");
  };
  settle();
  for (int i = 0; i < 20; ++i) {
    int before = w.faults;
    space.unmap(kData);
    while (w.faults == before) asm volatile("pause");
    space.map(kData, i % 2 ? a : b);
    settle();
    CHECK(*seen == (i % 2 ? 'A' : 'B'), "a stale translation");
  }
  w.stop = true;
  arch::cpu_wake(1);
  join_other_cpu();
}

}  // namespace

void test_cpus() {
  if (arch::cpu_count() < 2) return;
  shoot(watch_user);
  shoot(watch_copies);
  // Preemption: a deadline in the past pulls user code out.
  Space space;
  constexpr uint8_t loop[] = {0xeb, 0xfe};
  space.map_bytes(kCode, loop);
  Task task(space);
  auto& mine = arch::shared().cpu[arch::cpu_local().id];
  uint64_t start = arch::tsc();
  mine.timer_deadline_tsc = start + arch::boot_info().tsc_hz / 100;
  CHECK(task.run().kind == TrapKind::interrupt && task.regs.rip == kCode, "the end of a time slice");
  CHECK(arch::tsc() >= mine.timer_deadline_tsc, "not before its time");
  mine.timer_deadline_tsc = ~uint64_t{0};
  start = arch::tsc();
  uint64_t deadline = start + arch::boot_info().tsc_hz / 100;
  while (arch::tsc() < deadline) arch::cpu_idle(deadline);
}

}  // namespace runsc::selftest
