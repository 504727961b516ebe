#include "kernel/main.h"

#include "kernel/base/alloc.h"
#include "kernel/base/lock.h"
#include "kernel/base/log.h"
#include "kvm/arch/ring0/selftest/machine.h"

namespace runsc {

namespace {

std::atomic<uint64_t> next_free{0};
std::atomic<void (*)(void*)> other_work{nullptr};
std::atomic<void*> other_argument{nullptr};

}  // namespace

Parker& Parker::current() { PANIC("nothing here parks"); }
bool log_enabled(LogLevel) { return false; }
void log_set_level(LogLevel) {}
void log_line(LogLevel, std::string_view) {}

void* kalloc(size_t size) {
  const uint64_t align = size >= 4096 ? 4096 : 64;
  uint64_t at = next_free.fetch_add(size + align);
  return arch::phys_to_virt((at + align - 1) & ~(align - 1));
}
void* kalloc_for(AccountId, size_t size) { return kalloc(size); }
void kfree(void*, size_t) {}

namespace selftest {

uint64_t take_page() { return arch::virt_to_phys(kalloc(4096)); }

void print(std::string_view text) {
  (void)hostcall::call<hostcall::Log>([&](hostcall::Log::Request& r) {
    r.level = 0;
    r.length = static_cast<uint32_t>(text.size());
    __builtin_memcpy(r.text, text.data(), text.size());
  });
}

Space::Space() {
  space.root_phys = take_page();
  arch::user_space_init(space);
}

uint64_t& Space::pte(uint64_t address) {
  uint64_t table = space.root_phys;
  for (int shift = 39;; shift -= 9) {
    uint64_t& e = static_cast<uint64_t*>(arch::phys_to_virt(table))[address >> shift & 511];
    if (shift == 12) return e;
    if (e == 0) e = take_page() | 7;
    table = e & 0x000ffffffffff000;
  }
}

void Space::map(uint64_t address, uint64_t phys, Map how) {
  LockGuard guard(space.pte_lock);
  std::atomic_ref<uint64_t>(pte(address)).store(phys | static_cast<uint64_t>(how));
}

void Space::unmap(uint64_t address) {
  uint64_t old;
  {
    LockGuard guard(space.pte_lock);
    old = std::atomic_ref<uint64_t>(pte(address)).exchange(0);
  }
  arch::TlbBatch batch;
  batch.add(address, old & 0x000ffffffffff000, 4096);
  arch::tlb_shootdown(space, batch);
}

uint64_t Space::map_bytes(uint64_t address, std::span<const uint8_t> bytes) {
  uint64_t phys = take_page();
  __builtin_memcpy(arch::phys_to_virt(phys), bytes.data(), bytes.size());
  map(address, phys);
  return phys;
}

void start_on_other_cpu(void (*f)(void*), void* arg) {
  other_argument = arg;
  other_work = f;
  arch::cpu_wake(1);
}

void join_other_cpu() {
  while (other_work != nullptr) asm volatile("pause");
}

}  // namespace selftest

namespace kernel {

void kernel_main(const hostcall::BootInfo& boot) {
  next_free = boot.free_start;
  using namespace selftest;
  struct {
    const char* name;
    void (*run)();
  } const tests[] = {{"traps", test_traps},       {"states", test_states}, {"copies", test_copies},
                     {"contexts", test_contexts}, {"cpus", test_cpus},     {"window", test_window},
                     {"measure", measure}};
  for (const auto& t : tests) {
    say("{} ...", t.name);
    t.run();
  }
  say("all passed");
  (void)hostcall::call<hostcall::Exit>([](auto& r) { r.wait_status = 0; });
  PANIC("Exit returned");
}

void kernel_cpu_main(unsigned) {
  for (;;) {
    if (auto f = other_work.load()) {
      f(other_argument);
      other_work = nullptr;
    } else {
      arch::cpu_idle(~uint64_t{0});
    }
  }
}

}  // namespace kernel

}  // namespace runsc
