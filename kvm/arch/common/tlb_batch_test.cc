#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "kvm/arch/seam.h"

using runsc::arch::TlbBatch;

TEST_CASE("a TLB batch covers what was added, however much") {
  std::mt19937_64 random(7);
  for (size_t n : {1u, 5u, 48u, 49u, 97u, 1000u}) {
    TlbBatch batch;
    std::set<uint64_t> pages;
    for (size_t i = 0; i < n; ++i) {
      uint64_t page = (i % 3 || i == 0 ? random() % 100000 : *pages.rbegin() + 1) << 12;
      pages.insert(page >> 12);
      batch.add(page + (uint64_t{1} << 40), page, 4096);
    }
    CHECK(!batch.empty());
    for (uint64_t page : pages) {
      bool covered = false;
      for (const TlbBatch::Span& s : batch.spans())
        covered |= s.low <= page << 12 && (page + 1) << 12 <= s.high;
      CHECK(covered);
    }
    batch.clear();
    CHECK(batch.empty());
  }
}

TEST_CASE("neighbours in a TLB batch merge, and far ones stay apart when it is thinned out") {
  TlbBatch batch;
  for (uint64_t i = 0; i < 100; ++i) batch.add(i << 12, i << 12, 4096);
  CHECK(batch.spans().size() == 1);
  for (uint64_t i = 0; i < 100; ++i) batch.add(i << 30, (uint64_t{1} << 38) + (i << 13), 4096);
  for (const TlbBatch::Span& s : batch.spans()) CHECK((s.high <= 100 << 12 || s.low >= uint64_t{1} << 38));
}
