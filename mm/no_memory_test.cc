// The same calls when the sentry's own memory fails at any point: refused, but whole.
#include <random>
#include <string>
#include <vector>

#include "mm/address_space.h"
#include "mm/flags.h"
#include "mm/testing/fake_file.h"
#include "mm/urgent_copy.h"
#include "mm/user_copy.h"
#include "tests/unit/fake_arch/fake_arch.h"
// Last.
#include "tests/unit/fake_arch/catch.h"

using namespace runsc;
using namespace runsc::mm;
using testing::FakeFile;
namespace fake = runsc::arch::fake;

namespace {

constexpr uint64_t kBase = 0x101f0000, kPages = 64;

// VMAs in order and the counts that go with them.
void check_whole(AddressSpace& s) {
  uint64_t end = 0, pages = 0;
  s.for_each_vma(0, [&](const Vma& v) {
    REQUIRE(v.start >= end);
    REQUIRE(v.start < v.end);
    end = v.end;
    pages += v.size() / kPageSize;
    return true;
  });
  REQUIRE(s.usage().virtual_pages == pages);
  REQUIRE(fake::check_translations(s.user_space()) == "");
}

void step(std::mt19937& rng, AddressSpace& s, FakeFile& file) {
  uint64_t at = kBase + (rng() % kPages) * kPageSize, size = (1 + rng() % 12) * kPageSize;
  uint64_t value = rng();
  Prot prot = static_cast<Prot>(rng() % 8);
  switch (rng() % 8) {
    case 0:
    case 1: {
      uint32_t flags = kMapFixed | (rng() % 2 ? kMapShared : kMapPrivate);
      (void)s.mmap({at, size, prot, flags, rng() % 2 ? MappableRef(file) : MappableRef(), 0, Prot::all}, {});
      break;
    }
    case 2:
      (void)s.munmap(at, size);
      break;
    case 3:
      (void)s.mprotect(at, size, prot);
      break;
    case 4:
      (void)s.mremap(at, size, (1 + rng() % 12) * kPageSize, kMremapMayMove | kMremapFixed,
                     kBase + (rng() % kPages) * kPageSize, {});
      break;
    case 5:
      (void)s.madvise(at, size, rng() % 2 ? 10 : 18);
      break;
    case 6:
      (void)s.fork();
      break;
    default:
      (void)copy_out_bytes(s, at, &value, sizeof value);
  }
}

}  // namespace

TEST_CASE("allocation may fail anywhere") {
  fake::start();
  uint64_t objects = fake::counters().live_objects, pages = phys_stats().free_pages;
  for (unsigned seed = 1; seed <= 30; ++seed) {
    {
      std::mt19937 rng(seed);
      FakeFile file(FakeFile::Kind::tracked_ram, 32);
      auto space = AddressSpace::create().value();
      for (int i = 0; i < 200; ++i) {
        INFO("seed " << seed << " step " << i);
        fake::fill_translations(space->user_space());
        if (rng() % 2) fake::fail_kalloc_after(1 + rng() % 4);
        step(rng, *space, file);
        fake::fail_kalloc_after(0);
        check_whole(*space);
      }
      space = nullptr;
      REQUIRE(file.mapped_bytes == 0);
      REQUIRE(file.refs == 0);
    }
    reuse_retired_tables();
    REQUIRE(fake::counters().live_objects == objects);
    REQUIRE(phys_stats().free_pages == pages);
  }
}

namespace {

unsigned g_urgent, g_failed;

bool begin_urgent() {
  ++g_urgent;
  return std::exchange(arch::cpu_local().unrefused, true);
}
void end_urgent(bool before) { arch::cpu_local().unrefused = before; }
void no_memory() { ++g_failed; }

}  // namespace

// What has been taken from a queue, or a child that was waited for, cannot be had a second time.
TEST_CASE("a small copy finds memory where its user has none left") {
  fake::start();
  set_copy_hook(no_memory);
  set_urgent_copy_hooks({begin_urgent, end_urgent});
  g_urgent = g_failed = 0;
  arch::CpuLocal& local = arch::cpu_local();
  account_flush(local.stock);
  Account& account = g_accounts[5];
  account.set_limit(int64_t{16} << 20);
  {
    auto space = AddressSpace::create().value();
    const uint64_t size = 256 * kPageSize;
    REQUIRE(
        space->mmap({kBase, size, Prot::read | Prot::write, kMapFixed | kMapPrivate, {}, 0, Prot::all}, {}));
    local.account = 5;
    account.bytes = account.most.load() + 1;
    const uint64_t value = 1;
    CHECK(copy_out_bytes(*space, kBase, &value, sizeof value));
    CHECK(g_urgent == 1);
    CHECK(copy_out_some(*space, kBase + 64 * kPageSize, &value, sizeof value).value_or(0) == sizeof value);
    CHECK(g_failed == 0);
    // What is large may be had in parts, or again.
    static const std::byte large[32 * kPageSize] = {};
    CHECK(copy_out_bytes(*space, kBase + 128 * kPageSize, large, sizeof large).error() == Errno::fault);
    CHECK(copy_out_some(*space, kBase + 160 * kPageSize, large, kPageSize).error() == Errno::fault);
    CHECK(g_failed == 2);
    // Nor is all of what is the sentry's given away.
    account_flush(local.stock);
    account.bytes = account.most_objects.load() + 1;
    CHECK(copy_out_bytes(*space, kBase + 192 * kPageSize, &value, sizeof value).error() == Errno::fault);
    CHECK(g_failed == 3);
    local.account = kNoAccount;
  }
  account_flush(local.stock);
  account.bytes = 0;
  account.set_limit(Account::kUnlimited);
  set_copy_hook(nullptr);
  set_urgent_copy_hooks({});
}
