#include "mm/phys.h"

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
