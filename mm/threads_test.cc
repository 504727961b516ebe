// Several threads in one space: faults beside faults, forks, and changes of other mappings. For TSan too.
#include <atomic>
#include <random>
#include <thread>

#include "mm/address_space.h"
#include "mm/flags.h"
#include "mm/shared_anon.h"
#include "mm/testing/fake_file.h"
#include "mm/user_copy.h"
#include "tests/unit/fake_arch/fake_arch.h"
// Last.
#include "tests/unit/fake_arch/catch.h"

using namespace runsc;
using namespace runsc::mm;
using testing::FakeFile;
namespace fake = runsc::arch::fake;

namespace {
constexpr Prot kRw = Prot::read | Prot::write;
constexpr uint64_t kBase = 0x20000000, kOther = 0x30000000;
constexpr uint64_t kPages = 96;

// Thread `id` owns word `id` of each page, and finds there what it wrote last.
void write_and_check(AddressSpace& space, unsigned id, std::atomic<int>& bad) {
  std::mt19937 rng(id);
  std::vector<uint64_t> mine(kPages, 0);
  for (int i = 0; i < 3000 && bad == 0; ++i) {
    size_t page = rng() % kPages;
    uint64_t at = kBase + page * kPageSize + id * 8, value = 0;
    if (!copy_in_bytes(space, &value, at, 8) || value != mine[page]) ++bad;
    if (rng() % 2) {
      mine[page] = i + 1;
      if (!copy_out_bytes(space, at, &mine[page], 8)) ++bad;
    }
  }
}

void fork_and_look(AddressSpace& space, std::atomic<int>& bad) {
  std::mt19937 rng(99);
  for (int i = 0; i < 60 && bad == 0; ++i) {
    auto child = space.fork();
    if (!child) {
      ++bad;
      return;
    }
    // What the child saw once it sees again, whatever the parent does.
    for (int n = 0; n < 10; ++n) {
      uint64_t at = kBase + (rng() % kPages) * kPageSize, a[4], b[4], mark = i;
      if (!copy_in_bytes(**child, a, at, sizeof a)) ++bad;
      if (n % 2 && !copy_out_bytes(**child, at + 64, &mark, 8)) ++bad;
      std::this_thread::yield();
      if (!copy_in_bytes(**child, b, at, sizeof b) || memcmp(a, b, sizeof a) != 0) ++bad;
    }
  }
}

void change_others(AddressSpace& space, FakeFile& file, std::atomic<int>& bad) {
  std::mt19937 rng(7);
  for (int i = 0; i < 400 && bad == 0; ++i) {
    uint64_t at = kOther + (rng() % 64) * kPageSize, size = (1 + rng() % 32) * kPageSize;
    MappableRef f = rng() % 2 ? MappableRef(file) : MappableRef();
    uint32_t how = rng() % 2 ? kMapShared : kMapPrivate;
    if (!space.mmap({at, size, kRw, how | kMapFixed, std::move(f), 0, Prot::all}, {})) ++bad;
    uint64_t value = i;
    (void)copy_out_bytes(space, at + 16, &value, 8);
    if (rng() % 3 == 0) (void)space.madvise(at, size, 4);
    if (rng() % 3 == 0) (void)space.mprotect(at, size / 2 + kPageSize, Prot::read);
    if (rng() % 3 == 0) (void)space.munmap(at, size);
    if (rng() % 8 == 0) unmap_from_all(file, 0, 16 * kPageSize, false);
  }
}

void run(uint32_t how) {
  fake::start({.ram_limit = uint64_t{128} << 20});
  uint64_t pages = phys_stats().free_pages;
  {
    FakeFile file(FakeFile::Kind::tracked_ram, 64);
    auto space = AddressSpace::create().value();
    REQUIRE(space->mmap({kBase, kPages * kPageSize, kRw, how | kMapFixed, {}, 0, Prot::all}, {}));
    std::atomic<int> bad{0};
    std::thread a([&] { write_and_check(*space, 0, bad); }), b([&] { write_and_check(*space, 1, bad); });
    std::thread c([&] { change_others(*space, file, bad); });
    if (how == kMapPrivate) fork_and_look(*space, bad);
    a.join(), b.join(), c.join();
    CHECK(bad == 0);
    CHECK(fake::check_translations(space->user_space()) == "");
  }
  reuse_retired_tables();
  CHECK(phys_stats().free_pages == pages);
}
}  // namespace

TEST_CASE("threads fault, fork and map at once") { run(GENERATE(kMapPrivate, kMapShared)); }
