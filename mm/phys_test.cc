#include "mm/phys_blocks.h"

#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "mm/buddy.h"
#include "mm/page_table.h"
#include "tests/unit/fake_arch/fake_arch.h"
// Last.
#include "tests/unit/fake_arch/catch.h"

using namespace runsc;
using namespace runsc::mm;
namespace fake = runsc::arch::fake;

TEST_CASE("pages come zeroed, distinct, and go back") {
  fake::start();
  uint64_t before = phys_stats().free_pages;
  std::vector<Page*> pages;
  for (int i = 0; i < 2000; ++i) {
    auto p = alloc_page(Zero::yes);
    REQUIRE(p);
    auto* words = static_cast<uint64_t*>(page_data(**p));
    for (int w = 0; w < 512; ++w) REQUIRE(words[w] == 0);
    memset(words, 0xee, kPageSize);
    REQUIRE(page_of_phys(page_phys(**p)) == *p);
    pages.push_back(*p);
  }
  CHECK(phys_stats().free_pages == before - 2000);
  put_pages(pages);
  CHECK(phys_stats().free_pages == before);
  auto block = alloc_pages(kMaxOrder, Zero::yes);  // merged again
  REQUIRE(block);
  auto* bytes = static_cast<char*>(page_data(**block));
  CHECK(std::all_of(bytes, bytes + (kPageSize << kMaxOrder), [](char c) { return c == 0; }));
  put_page(**block);
}

TEST_CASE("memory grows on demand up to the limit, then ENOMEM; the sentry has a reserve") {
  fake::start({.ram_limit = uint64_t{600} << 20, .ram_ready = uint64_t{16} << 20});
  std::vector<Page*> pages;
  for (;;) {
    auto p = alloc_pages(4, Zero::no);
    if (!p) {
      CHECK(p.error() == Errno::nomem);
      break;
    }
    pages.push_back(*p);
  }
  CHECK(fake::counters().grown_to == uint64_t{600} << 20);
  CHECK(pages.size() * 16 > (uint64_t{580} << 20) / kPageSize);
  auto own = alloc_page(Zero::yes, Use::sentry);
  REQUIRE(own);
  REQUIRE(alloc_pages_atomic(0));
  put_page(**own);
  for (Page* p : pages) put_page(*p);
  CHECK(alloc_page(Zero::no).has_value());
}

TEST_CASE("a block is split into pages of their own") {
  fake::start();
  uint64_t before = phys_stats().free_pages;
  Page* block = *alloc_pages(3, Zero::yes);
  split_block(*block);
  for (int i = 0; i < 8; ++i) CHECK(page_phys(block[i]) == page_phys(*block) + i * kPageSize);
  for (int i = 7; i >= 0; --i) put_page(block[i]);
  CHECK(phys_stats().free_pages == before);
}

TEST_CASE("freed memory goes back to the host and reads as zeros") {
  fake::start();
  std::vector<Page*> pages;
  for (int i = 0; i < 3000; ++i) {
    pages.push_back(*alloc_page(Zero::no));
    memset(page_data(*pages.back()), 0x11, kPageSize);
  }
  put_pages(pages);
  CHECK(phys_stats().dirty_pages >= 3000);
  for (int i = 0; i < 4; ++i) phys_reclaim_to_host();
  CHECK(fake::counters().released_bytes >= (3000 - 1100) * kPageSize);
  CHECK(phys_stats().dirty_pages <= 1100);
  for (int i = 0; i < 3000; ++i) {
    Page* p = *alloc_page(Zero::yes);
    auto* bytes = static_cast<char*>(page_data(*p));
    REQUIRE(std::all_of(bytes, bytes + kPageSize, [](char c) { return c == 0; }));
  }
}

TEST_CASE("the allocator under threads") {
  fake::start({.ram_limit = uint64_t{300} << 20});
  uint64_t before = phys_stats().free_pages;
  auto work = [](unsigned seed) {
    std::mt19937 rng(seed);
    std::vector<Page*> mine;
    for (int i = 0; i < 4000; ++i) {
      if (rng() % 2) {
        if (auto p = alloc_pages(rng() % 5, rng() % 2 ? Zero::yes : Zero::no)) {
          *static_cast<uint64_t*>(page_data(**p)) = page_phys(**p);
          mine.push_back(*p);
        }
      } else if (!mine.empty()) {
        std::swap(mine[rng() % mine.size()], mine.back());
        if (*static_cast<uint64_t*>(page_data(*mine.back())) != page_phys(*mine.back())) std::abort();
        put_page(*mine.back());
        mine.pop_back();
      }
    }
    for (Page* p : mine) put_page(*p);
  };
  std::thread a(work, 1), b(work, 2), c(work, 3);
  a.join(), b.join(), c.join();
  CHECK(phys_stats().free_pages == before);
}

namespace {
// Works for an account, which starts anew; tells it everything when asked.
class Payer {
 public:
  explicit Payer(AccountId id) : id_(id) {
    account_flush(arch::cpu_local().stock);
    account().bytes = 0;
    account().shortages = 0;
    account().set_limit(Account::kUnlimited);
    arch::cpu_local().account = id;
  }
  ~Payer() {
    arch::cpu_local().account = kNoAccount;
    account_flush(arch::cpu_local().stock);
    account().set_limit(Account::kUnlimited);
  }
  Account& account() { return g_accounts[id_]; }
  int64_t bytes() {
    account_flush(arch::cpu_local().stock);
    return account().bytes;
  }

 private:
  AccountId id_;
};
constexpr int64_t kPageBytes = kPageSize;
}  // namespace

TEST_CASE("pages are paid for by whom they were taken for, whoever gives them back") {
  fake::start();
  Payer payer(7);
  Page* one = *alloc_page(Zero::no);
  Page* block = *alloc_pages(3, Zero::no);
  Page* atomic = alloc_pages_atomic(1);
  CHECK(payer.bytes() == (1 + 8 + 2) * kPageBytes);
  split_block(*block);
  Page* parts[8];
  for (int i = 0; i < 8; ++i) parts[i] = block + i;
  arch::cpu_local().account = 9;
  put_pages(parts);
  put_page(*one);
  CHECK(payer.bytes() == 2 * kPageBytes);
  release_account(*atomic);
  CHECK(payer.bytes() == 0);
  put_page(*atomic);
  CHECK(payer.bytes() == 0);
  CHECK(g_accounts[9].bytes == 0);
  Page* unpaid = alloc_pages_unpaid(0);
  put_page(*unpaid);
  CHECK(payer.bytes() == 0);
}

TEST_CASE("an account that is short is told so, and has no more pages a little above its limit") {
  fake::start();
  Payer payer(7);
  static int told;
  told = 0;
  account_set_hook([](AccountId id) {
    told += id == 7;
    return true;
  });
  payer.account().set_limit(8 << 20);
  std::vector<Page*> pages;
  while (payer.bytes() < 8 << 20) pages.push_back(*alloc_page(Zero::no));
  CHECK(told == 0);
  for (;;) {
    auto p = alloc_page(Zero::no);
    if (!p) break;
    pages.push_back(*p);
  }
  CHECK(told > 0);
  CHECK(payer.account().shortages > 0);
  CHECK(payer.bytes() > 8 << 20);
  CHECK(payer.bytes() <= (8 << 20) + (1 << 20) + AccountStock::kMost + kPageBytes);
  // What the sentry needs for the account's tasks is had for a while.
  pages.push_back(*alloc_page(Zero::no, Use::sentry));
  arch::cpu_local().account = 8;
  pages.push_back(*alloc_page(Zero::no));
  arch::cpu_local().account = 7;
  put_pages(pages);
  CHECK(payer.bytes() == 0);
  CHECK(alloc_page(Zero::no).has_value());
  account_set_hook(nullptr);
}

TEST_CASE("what may be in use has a cap, which may change") {
  fake::start({.ram_limit = uint64_t{600} << 20});
  const uint64_t used = (uint64_t{600} << 20) / kPageSize - phys_stats().free_pages;
  REQUIRE(phys_set_cap((uint64_t{100} << 20) + used * kPageSize));
  CHECK(phys_stats().free_pages == (uint64_t{100} << 20) / kPageSize);
  std::vector<Page*> pages;
  const auto take_all = [&] {
    while (auto p = alloc_page(Zero::no)) pages.push_back(*p);
  };
  take_all();
  CHECK(pages.size() < (uint64_t{100} << 20) / kPageSize);
  CHECK(pages.size() > (uint64_t{80} << 20) / kPageSize);
  CHECK(fake::counters().grown_to <= uint64_t{512} << 20);
  REQUIRE(phys_set_cap(uint64_t{300} << 20));
  take_all();
  CHECK(pages.size() > (uint64_t{250} << 20) / kPageSize);
  put_pages(pages);
}

TEST_CASE("free blocks by order are all that is free") {
  fake::start({.ram_limit = uint64_t{300} << 20});
  std::vector<Page*> pages;
  const auto check = [] {
    uint64_t blocks[kMaxOrder + 1], sum = 0;
    phys_free_blocks(blocks);
    for (unsigned order = 0; order <= kMaxOrder; ++order) sum += blocks[order] << order;
    CHECK(sum == phys_stats().free_pages);
  };
  check();
  for (int i = 0; i < 1000; ++i) pages.push_back(*alloc_pages(i % 4, Zero::no));
  check();
  put_pages(pages);
  check();
}

TEST_CASE("a cap below what is in use and what the sentry needs is refused") {
  fake::start({.ram_limit = uint64_t{600} << 20});
  std::vector<Page*> pages;
  for (uint64_t i = 0; i < (uint64_t{200} << 20) / kPageSize; ++i) pages.push_back(*alloc_page(Zero::no));
  const uint64_t used = (uint64_t{600} << 20) / kPageSize - phys_stats().free_pages;
  const auto refused = phys_set_cap(used * kPageSize);
  REQUIRE(!refused);
  CHECK(refused.error() == Errno::busy);
  CHECK(alloc_page(Zero::no, Use::sentry).has_value());
  // The reserve goes with the cap: of 64 MiB it is 1 MiB.
  put_pages(pages);
  REQUIRE(phys_set_cap(uint64_t{64} << 20));
  pages.clear();
  while (auto p = alloc_page(Zero::no)) pages.push_back(*p);
  CHECK(phys_is_short());
  uint64_t left = 0;
  while (auto p = alloc_page(Zero::no, Use::sentry)) pages.push_back(*p), ++left;
  CHECK(left == 256);
  put_pages(pages);
  CHECK(!phys_is_short());
}

TEST_CASE("dirty pages that cannot go back to the host count for the cap") {
  fake::start({.ram_limit = uint64_t{600} << 20});
  REQUIRE(phys_set_cap(uint64_t{128} << 20));
  std::vector<Page*> pages, blocks;
  while (auto p = alloc_page(Zero::no)) pages.push_back(*p);
  // Every second one: nothing of it can be released.
  std::vector<Page*> kept;
  for (size_t i = 0; i < pages.size(); ++i)
    (page_phys(*pages[i]) >> 12 & 1 ? kept : blocks).push_back(pages[i]);
  put_pages(blocks);
  const size_t dirty = blocks.size();
  blocks.clear();
  REQUIRE(phys_stats().dirty_pages >= dirty);
  while (auto p = alloc_pages(3, Zero::no)) blocks.push_back(*p);
  CHECK(blocks.size() * 8 <= 4096 + 512 + 8);  // what may pile up, and the reserve
  // By single pages all of it can be had.
  size_t singles = 0;
  while (auto p = alloc_page(Zero::no)) kept.push_back(*p), ++singles;
  CHECK(singles + blocks.size() * 8 >= dirty - 8);
  put_pages(kept);
  put_pages(blocks);
}

TEST_CASE("a shortage of which none of its tasks is there to hear is told to the next that comes") {
  Payer payer(7);
  static AccountId heard;
  heard = kNoAccount;
  account_set_hook([](AccountId id) { return id == arch::cpu_local().account ? (heard = id, true) : false; });
  payer.account().set_limit(1 << 20);
  arch::cpu_local().account = 8;
  account_add(arch::cpu_local().stock, 7, 2 << 20);
  account_flush(arch::cpu_local().stock);
  CHECK(heard == kNoAccount);
  account_begin(8);
  CHECK(heard == kNoAccount);
  arch::cpu_local().account = 7;
  account_begin(7);
  CHECK(heard == 7);
  heard = kNoAccount;
  account_begin(7);
  CHECK(heard == kNoAccount);
  account_set_hook(nullptr);
  account_add(arch::cpu_local().stock, 7, -(2 << 20));
}
