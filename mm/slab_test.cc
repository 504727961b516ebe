// The allocator of the ring 0 build, under other names beside the test build's own.
#include <cstring>
#include <map>
#include <random>
#include <vector>

#include "kernel/base/alloc.h"
#include "tests/unit/fake_arch/fake_arch.h"

#define kalloc slab_kalloc
#define kfree slab_kfree
#define kalloc_for slab_kalloc_for
#define kalloc_takes slab_kalloc_takes
namespace runsc {
void* slab_kalloc_for(AccountId account, size_t size);
size_t slab_kalloc_takes(size_t size);
}  // namespace runsc
#include "mm/slab.cc"
#undef kalloc
#undef kfree
#undef kalloc_for
#undef kalloc_takes

// Last.
#include "tests/unit/fake_arch/catch.h"

using runsc::slab_kalloc;
using runsc::slab_kfree;
namespace fake = runsc::arch::fake;

namespace {
struct Object {
  size_t size;
  unsigned char tag;
};
// Forgets what it had on the machine of an earlier test.
void start(const fake::Config& config = {}) {
  fake::start(config);
  for (auto& k : runsc::g_classes) k.partial = nullptr, k.empty = 0;
  for (auto& cpu : runsc::g_caches) cpu = {};
}
void check(const void* p, const Object& o) {
  auto* bytes = static_cast<const unsigned char*>(p);
  for (size_t i = 0; i < o.size; ++i) REQUIRE(bytes[i] == o.tag);
}
}  // namespace

TEST_CASE("slab: objects are aligned, apart, and their pages come back") {
  start();
  uint64_t pages = runsc::mm::phys_stats().free_pages;
  std::mt19937 rng(5);
  std::map<void*, Object> live;
  for (int i = 0; i < 20000; ++i) {
    if (rng() % 5 < 3 || live.empty()) {
      size_t size = 1 + (rng() % 20 ? rng() % 700 : rng() % 20000);
      void* p = slab_kalloc(size);
      REQUIRE(p);
      REQUIRE(reinterpret_cast<uintptr_t>(p) % (size >= 64 ? 64 : 16) == 0);
      Object o{size, static_cast<unsigned char>(rng())};
      memset(p, o.tag, size);
      REQUIRE(live.emplace(p, o).second);
    } else {
      auto it = live.lower_bound(
          reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(live.begin()->first) + rng() % 8000000));
      if (it == live.end()) it = live.begin();
      check(it->first, it->second);
      slab_kfree(it->first, it->second.size);
      live.erase(it);
    }
  }
  for (auto& [p, o] : live) {
    check(p, o);
    slab_kfree(p, o.size);
  }
  // One empty slab of each size stays, and what the CPU keeps.
  CHECK(runsc::mm::phys_stats().free_pages >= pages - 40);
}

TEST_CASE("slab: no memory is null, not a crash") {
  start({.ram_limit = uint64_t{20} << 20});
  std::vector<void*> all;
  while (void* p = slab_kalloc(4096)) all.push_back(p);
  CHECK(all.size() > 3000);
  CHECK(slab_kalloc(size_t{4} << 20) == nullptr);
  for (void* p : all) slab_kfree(p, 4096);
  CHECK(slab_kalloc(100) != nullptr);
}

TEST_CASE("slab: each object is paid for until it is freed") {
  start();
  using runsc::g_accounts;
  auto& local = runsc::arch::cpu_local();
  const auto bytes = [&](runsc::AccountId id) {
    runsc::account_flush(local.stock);
    return g_accounts[id].bytes.load();
  };
  const int64_t before[] = {bytes(3), bytes(4)};
  struct Paid {
    void* p;
    size_t size;
    runsc::AccountId account;
  };
  std::mt19937 rng(11);
  std::vector<Paid> live;
  int64_t paid[2] = {};
  for (int i = 0; i < 20000; ++i) {
    local.account = static_cast<runsc::AccountId>(3 + rng() % 2);
    if (rng() % 5 < 3 || live.empty()) {
      const size_t size = 1 + (rng() % 20 ? rng() % 1100 : rng() % 20000);
      void* p = slab_kalloc(size);
      REQUIRE(p);
      memset(p, 0xff, size);
      live.push_back({p, size, local.account});
      paid[local.account - 3] += static_cast<int64_t>(runsc::slab_kalloc_takes(size));
    } else {
      std::swap(live[rng() % live.size()], live.back());
      const Paid o = live.back();
      live.pop_back();
      slab_kfree(o.p, o.size);
      paid[o.account - 3] -= static_cast<int64_t>(runsc::slab_kalloc_takes(o.size));
    }
    if (i % 1000 == 0) REQUIRE(bytes(3) - before[0] == paid[0]);
  }
  CHECK(bytes(3) - before[0] == paid[0]);
  CHECK(bytes(4) - before[1] == paid[1]);
  local.account = runsc::kNoAccount;
  for (const Paid& o : live) slab_kfree(o.p, o.size);
  CHECK(bytes(3) == before[0]);
  CHECK(bytes(4) == before[1]);
}

TEST_CASE("slab: what an object takes is paid for, not what was asked") {
  start();
  auto& local = runsc::arch::cpu_local();
  runsc::account_flush(local.stock);
  runsc::g_accounts[3].bytes = 0;
  local.account = 3;
  const auto paid_for = [&](size_t size) {
    const uint64_t free = runsc::mm::phys_stats().free_pages;
    void* p = slab_kalloc(size);
    REQUIRE(p);
    runsc::account_flush(local.stock);
    const int64_t paid = runsc::g_accounts[3].bytes;
    if (size > 4096) CHECK(static_cast<uint64_t>(paid) == (free - runsc::mm::phys_stats().free_pages) * 4096);
    slab_kfree(p, size);
    runsc::account_flush(local.stock);
    CHECK(runsc::g_accounts[3].bytes == 0);
    return paid;
  };
  CHECK(paid_for(17) == 32);
  CHECK(paid_for(2049) == 4096);
  CHECK(paid_for(4097) == 8192);
  CHECK(paid_for(33000) == 65536);
  local.account = runsc::kNoAccount;
}

TEST_CASE("slab: who ends is refused nothing, and pays") {
  start();
  auto& local = runsc::arch::cpu_local();
  runsc::account_flush(local.stock);
  runsc::g_accounts[3].bytes = int64_t{100} << 20;
  runsc::g_accounts[3].set_limit(1 << 20);
  local.account = 3;
  CHECK(slab_kalloc(100) == nullptr);
  local.unrefused = true;
  void* p = slab_kalloc(100);
  local.unrefused = false;
  REQUIRE(p);
  runsc::account_flush(local.stock);
  CHECK(runsc::g_accounts[3].bytes == (int64_t{100} << 20) + 128);
  slab_kfree(p, 100);
  local.account = runsc::kNoAccount;
  runsc::account_flush(local.stock);
  runsc::g_accounts[3].bytes = 0;
  runsc::g_accounts[3].set_limit(runsc::Account::kUnlimited);
}
