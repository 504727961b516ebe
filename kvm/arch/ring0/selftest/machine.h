// A kernel of a few functions that exercises the ring 0 seam in place of the sentry.
#pragma once

#include <span>

#include "kernel/base/check.h"
#include "kernel/base/format.h"
#include "kvm/arch/seam.h"

namespace runsc::selftest {

inline constexpr uint64_t kCode = 0x400000, kData = 0x500000, kStackPage = 0x600000,
                          kStackTop = kStackPage + 0xff0;

uint64_t take_page();  // zeroed
void print(std::string_view text);

template <class... Args>
void say(std::string_view fmt, const Args&... args) {
  char room[200];
  FixedText text(room);
  format(text, fmt, args...);
  print(text.view());
}

enum class Map : uint64_t { read = 5, write = 7 };

class Space {
 public:
  Space();
  ~Space() { arch::user_space_retire(space); }
  void map(uint64_t address, uint64_t phys, Map how = Map::write);
  void unmap(uint64_t address);
  uint64_t map_bytes(uint64_t address, std::span<const uint8_t> bytes);
  arch::UserSpace space;

 private:
  uint64_t& pte(uint64_t address);
};

// Switched in for its life.
class Task {
 public:
  explicit Task(Space& space) : state(*arch::user_state_create()), space_(space) {
    arch::user_switch(nullptr, state, &space.space);
    regs.rip = kCode;
    regs.rsp = kStackTop;
  }
  ~Task() {
    arch::user_switch(state, nullptr, nullptr);
    arch::user_state_destroy(state);
  }
  arch::Trap run() { return arch::run_user(*state, space_.space, regs); }
  arch::UserState* state;
  arch::UserRegs regs{};

 private:
  Space& space_;
};

// Runs f(arg) on CPU 1.
void start_on_other_cpu(void (*f)(void*), void* arg);
void join_other_cpu();

void test_traps();
void test_states();
void test_copies();
void test_window();
void test_cpus();
void test_contexts();
void measure();

}  // namespace runsc::selftest
