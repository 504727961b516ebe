#include <catch2/catch.hpp>
#include <cstring>
#include <thread>

#include "kernel/base/lock.h"
#include "kvm/arch/hosted/testing.h"
#include "kvm/arch/seam.h"

using namespace runsc;
using namespace runsc::arch;

namespace {

constexpr uint64_t kRead = 5, kWrite = 7, kSupervisor = 3;
constexpr uint64_t kBase = 0x7f0000000000;

// A page table by hand over plain memory.
struct Machine {
  Machine() {
    const hostcall::BootInfo& info = hosted::start_test_machine(4 << 20);
    next = (info.free_start + 4095) & ~uint64_t{4095};
    space.root_phys = page();
  }
  uint64_t page() { return (next += 4096) - 4096; }
  uint64_t& pte(uint64_t address, int stop_shift = 12) {
    uint64_t table = space.root_phys;
    for (int shift = 39;; shift -= 9) {
      uint64_t& e = static_cast<uint64_t*>(phys_to_virt(table))[address >> shift & 511];
      if (shift == stop_shift) return e;
      if (e == 0) e = page() | 7;
      table = e & 0x000ffffffffff000;
    }
  }
  char* bytes(uint64_t phys) { return static_cast<char*>(phys_to_virt(phys)); }
  uint64_t next;
  UserSpace space;
};

}  // namespace

TEST_CASE("copies stop at the first byte that user code could not reach") {
  Machine m;
  uint64_t a = m.page(), b = m.page();
  m.pte(kBase) = a | kWrite;
  m.pte(kBase + 4096) = b | kRead;
  std::vector<char> buffer(10000, 'z'), back(10000);
  CHECK(copy_to_user(m.space, kBase + 10, buffer.data(), 100) == 100);
  CHECK(std::memcmp(m.bytes(a) + 10, buffer.data(), 100) == 0);
  CHECK(copy_to_user(m.space, kBase + 4000, buffer.data(), 200) == 96);
  CHECK(copy_from_user(m.space, back.data(), kBase + 4000, 9000) == 4192);
  CHECK(copy_from_user(m.space, back.data(), kBase - 1, 2) == 0);
  CHECK(zero_user(m.space, kBase + 4090, 100) == 6);
  CHECK(m.bytes(a)[4095] == 0);
  CHECK(copy_to_user(m.space, kBase, buffer.data(), 0) == 0);
}

TEST_CASE("copies honour every level and set accessed and dirty bits") {
  Machine m;
  uint64_t a = m.page();
  m.pte(kBase) = a | kWrite;
  char c = 'x';
  CHECK(copy_from_user(m.space, &c, kBase, 1) == 1);
  CHECK((m.pte(kBase) & 0x60) == 0x20);
  CHECK((m.pte(kBase, 39) & 0x20) == 0x20);
  CHECK(copy_to_user(m.space, kBase, &c, 1) == 1);
  CHECK((m.pte(kBase) & 0x60) == 0x60);
  m.pte(kBase) = a | kSupervisor;
  CHECK(copy_from_user(m.space, &c, kBase, 1) == 0);
  m.pte(kBase) = a | kWrite;
  m.pte(kBase, 30) &= ~uint64_t{2};
  CHECK(copy_to_user(m.space, kBase, &c, 1) == 0);
  CHECK(copy_from_user(m.space, &c, kBase, 1) == 1);
  m.pte(kBase, 30) &= ~uint64_t{4};
  CHECK(copy_from_user(m.space, &c, kBase, 1) == 0);
}

TEST_CASE("copies know large pages") {
  Machine m;
  constexpr uint64_t kLarge = uint64_t{2} << 20;
  m.pte(kBase, 21) = kLarge | kWrite | 128;
  std::memcpy(m.bytes(kLarge + 0x12345), "large", 5);
  char text[5];
  CHECK(copy_from_user(m.space, text, kBase + 0x12345, 5) == 5);
  CHECK(std::memcmp(text, "large", 5) == 0);
}

TEST_CASE("addresses beyond user memory are no user addresses") {
  Machine m;
  char c = 0;
  CHECK(copy_from_user(m.space, &c, kUserEnd, 1) == 0);
  CHECK(copy_from_user(m.space, &c, ~uint64_t{0}, 1) == 0);
  CHECK(copy_to_user(m.space, uint64_t{1} << 63, &c, 1) == 0);
  uint64_t last = m.page();
  m.pte(kUserEnd - 4096) = last | kWrite;
  std::vector<char> many(8192);
  CHECK(copy_from_user(m.space, many.data(), kUserEnd - 100, 8192) == 100);
  CHECK(copy_to_user(m.space, kUserEnd - 100, many.data(), ~uint64_t{0}) == 100);
}

TEST_CASE("user words are changed atomically") {
  Machine m;
  uint64_t a = m.page();
  m.pte(kBase) = a | kWrite;
  uint32_t old = 7;
  CHECK(user_cmpxchg32(m.space, kBase, 0, 5, old));
  CHECK(old == 0);
  CHECK(user_cmpxchg32(m.space, kBase, 0, 6, old));
  CHECK(old == 5);
  uint32_t value = 0;
  CHECK(user_load32(m.space, kBase, value));
  CHECK(value == 5);
  CHECK(!user_load32(m.space, kBase + 2, value));
  CHECK(!user_load32(m.space, kBase + 4096, value));
  m.pte(kBase) = a | kRead;
  CHECK(!user_cmpxchg32(m.space, kBase, 5, 6, old));
  m.pte(kBase) = a | kWrite;
  auto add = [&] {
    for (int i = 0; i < 10000; ++i)
      for (uint32_t seen = 0, before = 0;; before = seen)
        if (user_cmpxchg32(m.space, kBase + 8, before, before + 1, seen) && seen == before) break;
  };
  std::thread other(add);
  add();
  other.join();
  CHECK(user_load32(m.space, kBase + 8, value));
  CHECK(value == 20000);
}
