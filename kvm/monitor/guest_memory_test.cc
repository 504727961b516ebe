#include "kvm/monitor/guest_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <thread>
#include <vector>

#include "kvm/monitor/testing/test_guest.h"

namespace runsc::monitor {
namespace {

using testing::TestGuest;
using testing::Trap;

UniqueFd file_of(std::size_t pages) {
  UniqueFd fd(::memfd_create("file", MFD_CLOEXEC));
  std::vector<char> page(kGuestPageSize);
  for (std::size_t i = 0; i < pages; ++i) {
    std::memset(page.data(), static_cast<int>('a' + i), page.size());
    REQUIRE(::pwrite(fd.get(), page.data(), page.size(), static_cast<off_t>(i * page.size())) > 0);
  }
  return fd;
}

constexpr std::uint8_t kReadByte[] = {0x8a, 0x06, 0xcc};   // mov (%rsi), %al; int3
constexpr std::uint8_t kWriteByte[] = {0x88, 0x06, 0xcc};  // mov %al, (%rsi); int3

TEST_CASE("window ranges are first fit and coalesce", "[monitor][memory]") {
  WindowRanges ranges;
  std::uint64_t a = ranges.take(1).value();
  std::uint64_t b = ranges.take(kWindowUnit).value();
  std::uint64_t c = ranges.take(3 * kWindowUnit - 5).value();
  CHECK(a == kWindowPhys);
  CHECK(b == a + kWindowUnit);
  CHECK(c == b + kWindowUnit);
  ranges.give_back(a, 1);
  ranges.give_back(c, 3 * kWindowUnit - 5);
  CHECK(ranges.fragments() == 2);
  CHECK(ranges.take(2 * kWindowUnit).value() == c);
  ranges.give_back(c, 2 * kWindowUnit);
  ranges.give_back(b, kWindowUnit);
  CHECK(ranges.fragments() == 1);
  CHECK(ranges.take(kWindowSize).value() == kWindowPhys);
  CHECK_FALSE(ranges.take(1));
  CHECK_FALSE(ranges.take(0));
  CHECK_FALSE(ranges.take(~std::uint64_t{0}));
}

TEST_CASE("RAM grows in slots up to its limit", "[monitor][memory]") {
  TestGuest guest(1 * kGiB + 64 * kMiB);
  GuestMemory& memory = guest.memory();
  CHECK(memory.slot_count() == 1);
  CHECK(memory.ram_end() == kFirstSlotSize);
  REQUIRE(memory.ensure(kFirstSlotSize + 1));
  CHECK(memory.ram_end() == kSmallSlotStep);
  CHECK(memory.slot_count() == 2);
  REQUIRE(memory.ensure(kFirstSlotSize));
  CHECK(memory.slot_count() == 2);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { (void)memory.ensure(memory.limit()); });
  for (std::thread& t : threads) t.join();
  CHECK(memory.ram_end() == memory.limit());
  CHECK(memory.slot_count() == 6);
  CHECK_FALSE(memory.ensure(memory.limit() + 1));

  // The guest reaches the last page of RAM.
  auto vcpu = guest.make_vcpu();
  std::uint64_t last = memory.limit() - kGuestPageSize;
  *memory.at(last) = std::byte{'L'};
  guest.user_pte(1) = last | 7;
  guest.put_code(kReadByte);
  guest.enter_user(*vcpu);
  Trap trap = guest.run_to_trap(*vcpu);
  CHECK(trap.vector == 3);
  CHECK((trap.regs.rax & 0xff) == 'L');
}

TEST_CASE("ranges of RAM are checked without overflow", "[monitor][memory]") {
  TestGuest guest(64 * kMiB);
  GuestMemory& memory = guest.memory();
  CHECK(memory.valid_ram(0, 64 * kMiB));
  CHECK(memory.valid_ram(64 * kMiB, 0));
  CHECK_FALSE(memory.valid_ram(0, 64 * kMiB + 1));
  CHECK_FALSE(memory.valid_ram(1, 64 * kMiB));
  CHECK_FALSE(memory.valid_ram(~std::uint64_t{0}, 2));
  CHECK_FALSE(memory.valid_ram(4096, ~std::uint64_t{0}));
  CHECK_FALSE(memory.valid_ram(kWindowPhys, 1));
}

TEST_CASE("released pages read as zero and free host memory", "[monitor][memory]") {
  TestGuest guest(64 * kMiB);
  GuestMemory& memory = guest.memory();
  std::memset(memory.at(8 * kMiB), 0x5a, kMiB);
  PhysRange range{8 * kMiB, kMiB};
  REQUIRE(memory.release({&range, 1}));
  CHECK(*memory.at(8 * kMiB) == std::byte{0});
  CHECK(*memory.at(9 * kMiB - 1) == std::byte{0});
  PhysRange bad[] = {{1, kGuestPageSize}, {0, 0}, {0, 1}, {64 * kMiB, kGuestPageSize}, {kWindowPhys, 4096}};
  for (const PhysRange& r : bad) CHECK_FALSE(memory.release({&r, 1}));
}

TEST_CASE("guest memory cannot be shrunk by whoever holds its descriptor", "[monitor][memory]") {
  TestGuest guest(64 * kMiB);
  CHECK(::ftruncate(guest.memory().memfd(), 4096) == -1);
}

TEST_CASE("the window shows host files coherently", "[monitor][memory]") {
  TestGuest guest;
  GuestMemory& memory = guest.memory();
  auto vcpu = guest.make_vcpu();
  UniqueFd file = file_of(4);
  std::uint64_t phys = memory.window_map(file.get(), 0, 4 * kGuestPageSize, false).value();
  CHECK(phys >= kWindowPhys);
  auto read = [&](std::uint64_t page) {
    guest.user_pte(1) = (phys + page * kGuestPageSize) | 7;
    // The old translation may live on in shadow page tables: drop it by its data page.
    for (std::uint64_t i = 0; i < 4; ++i) {
      ::madvise(memory.host_base() + phys + i * kGuestPageSize, kGuestPageSize, MADV_DONTNEED);
    }
    guest.put_code(kReadByte);
    guest.enter_user(*vcpu);
    Trap trap = guest.run_to_trap(*vcpu);
    REQUIRE(trap.vector == 3);
    return static_cast<char>(trap.regs.rax);
  };
  CHECK(read(0) == 'a');
  CHECK(read(3) == 'd');
  REQUIRE(::pwrite(file.get(), "Q", 1, 0) == 1);
  CHECK(read(0) == 'Q');

  // A mapping from the middle of a file, and the reuse of a range.
  REQUIRE(memory.window_unmap(phys));
  CHECK_FALSE(memory.window_unmap(phys));
  std::uint64_t again = memory.window_map(file.get(), 2 * kGuestPageSize, kGuestPageSize, false).value();
  CHECK(again == phys);
  CHECK(read(0) == 'c');
}

TEST_CASE("a window mapping is writable only when asked for", "[monitor][memory]") {
  TestGuest guest;
  auto vcpu = guest.make_vcpu();
  UniqueFd file = file_of(1);
  bool writable = GENERATE(false, true);
  std::uint64_t phys = guest.memory().window_map(file.get(), 0, kGuestPageSize, writable).value();
  guest.user_pte(1) = phys | 7;
  guest.put_code(kWriteByte);
  kvm_regs regs{};
  regs.rax = 'Z';
  guest.enter_user(*vcpu, regs);
  Vcpu::RunResult result = vcpu->run().value();
  char byte = 0;
  REQUIRE(::pread(file.get(), &byte, 1, 0) == 1);
  if (writable) {
    CHECK(result == Vcpu::RunResult::exited);
    CHECK(byte == 'Z');
  } else {
    CHECK(result == Vcpu::RunResult::memory_fault);
    CHECK(vcpu->regs().value().rip == testing::kUserBase);
    CHECK(byte == 'a');
  }
}

TEST_CASE("a file that shrinks under its mapping ends in EFAULT, not in a dead vCPU", "[monitor][memory]") {
  TestGuest guest;
  auto vcpu = guest.make_vcpu();
  UniqueFd file = file_of(4);
  std::uint64_t phys = guest.memory().window_map(file.get(), 0, 4 * kGuestPageSize, false).value();
  REQUIRE(::ftruncate(file.get(), kGuestPageSize) == 0);
  guest.user_pte(1) = (phys + 3 * kGuestPageSize) | 7;
  guest.put_code(kReadByte);
  guest.enter_user(*vcpu);
  CHECK(vcpu->run().value() == Vcpu::RunResult::memory_fault);
  CHECK(vcpu->regs().value().rip == testing::kUserBase);
  // It runs on once it is led elsewhere.
  guest.user_pte(1) = phys | 7;
  CHECK(guest.run_to_trap(*vcpu).vector == 3);
}

TEST_CASE("window requests that are not whole pages are refused", "[monitor][memory]") {
  TestGuest guest;
  UniqueFd file = file_of(1);
  GuestMemory& memory = guest.memory();
  CHECK_FALSE(memory.window_map(file.get(), 0, 0, false));
  CHECK_FALSE(memory.window_map(file.get(), 0, 1, false));
  CHECK_FALSE(memory.window_map(file.get(), 1, 4096, false));
  CHECK_FALSE(memory.window_map(file.get(), ~std::uint64_t{4095}, 4096, false));
  CHECK_FALSE(memory.window_map(file.get(), 0, kWindowSize + 4096, false));
  CHECK_FALSE(memory.window_map(-1, 0, 4096, false));
  CHECK(memory.window_map(file.get(), 0, 4096, false).value() == kWindowPhys);
}

// The rule of hosted mode: a PTE that the host changes or clears is not seen by a guest that has used it
// until the host drops KVM's translations of the page it pointed to. See README.md.
TEST_CASE("a page table entry changed by the host is seen after madvise on the old page",
          "[monitor][shadow]") {
  TestGuest guest;
  GuestMemory& memory = guest.memory();
  auto vcpu = guest.make_vcpu();
  constexpr std::uint64_t kA = testing::kDataPhys;
  constexpr std::uint64_t kB = testing::kDataPhys + kMiB;
  std::memset(memory.at(kA), 'A', kGuestPageSize);
  std::memset(memory.at(kB), 'B', kGuestPageSize);
  guest.put_code(kReadByte);
  auto read = [&] {
    guest.enter_user(*vcpu);
    return guest.run_to_trap(*vcpu);
  };
  auto drop = [&](std::uint64_t phys) {
    REQUIRE(::madvise(memory.at(phys), kGuestPageSize, MADV_DONTNEED) == 0);
  };
  CHECK(static_cast<char>(read().regs.rax) == 'A');

  guest.user_pte(1) = kB | 7;
  char without = static_cast<char>(read().regs.rax);
  drop(kA);
  char with = static_cast<char>(read().regs.rax);
  CHECK(with == 'B');
  CHECK(*memory.at(kA) == std::byte{'A'});  // shared memory: the page itself is untouched
  // Nested paging walks the guest's own tables and its TLB may or may not hold the old entry; shadow paging
  // is stale.
  if (without == 'A') WARN("this KVM uses shadow paging: a host-side change was stale without madvise");

  guest.user_pte(1) = 0;
  drop(kB);
  Trap trap = read();
  CHECK(trap.vector == 14);
  CHECK(trap.cr2 == testing::kUserData);
}

}  // namespace
}  // namespace runsc::monitor
