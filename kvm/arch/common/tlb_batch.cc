#include <algorithm>

#include "kvm/arch/seam.h"

namespace runsc::arch {

void TlbBatch::add(uint64_t address, uint64_t old_phys, uint64_t size) {
  // Where the machine keeps shadows they are found by the page they lead to, elsewhere by the address.
  const uint64_t low = kTablesAreShadowed ? old_phys : address;
  const uint64_t high = low + size;
  if (everything_) return;
  if (count_ > 0) {
    Span& last = spans_[count_ - 1];
    if (low <= last.high && high >= last.low) {
      last.low = std::min(last.low, low);
      last.high = std::max(last.high, high);
      return;
    }
  }
  if (count_ == kMax) {
    if (!kTablesAreShadowed) {
      everything_ = true;  // one flush is cheaper than so many single ones
      return;
    }
    thin_out();
  }
  spans_[count_++] = {low, high};
}

// Closes the smaller half of the gaps.
void TlbBatch::thin_out() {
  std::sort(spans_, spans_ + count_, [](const Span& a, const Span& b) { return a.low < b.low; });
  auto gap = [this](size_t i) {
    return spans_[i + 1].low > spans_[i].high ? spans_[i + 1].low - spans_[i].high : 0;
  };
  uint64_t gaps[kMax];
  for (size_t i = 0; i + 1 < count_; ++i) gaps[i] = gap(i);
  std::nth_element(gaps, gaps + kMax / 2, gaps + count_ - 1);
  const uint64_t limit = gaps[kMax / 2];
  size_t closable = kMax / 2;
  size_t kept = 0;
  for (size_t i = 1; i < count_; ++i) {
    Span& last = spans_[kept];
    const uint64_t distance = spans_[i].low > last.high ? spans_[i].low - last.high : 0;
    if (closable > 0 && distance <= limit) {
      last.high = std::max(last.high, spans_[i].high);
      --closable;
    } else {
      spans_[++kept] = spans_[i];
    }
  }
  count_ = kept + 1;
}

}  // namespace runsc::arch
