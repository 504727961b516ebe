// Where a new mapping goes: the hint if it is free, else the highest gap below mmap_top_, else any.
#include <algorithm>

#include "mm/address_space.h"
#include "mm/flags.h"

namespace runsc::mm {
namespace {

constexpr uint64_t kUserEnd = arch::kUserEnd;
constexpr uint64_t kFallbackBase = page_down(kUserEnd / 3);
constexpr uint64_t k32BitLow = 0x40000000, k32BitHigh = 0x80000000;

// A mapping that grows down keeps a gap below itself.
uint64_t guarded_start(const Vma& v) {
  if (!v.grows_down) return v.start;
  return v.start > kStackGap ? v.start - kStackGap : 0;
}

}  // namespace

// Highest address of a gap of `size` in [low, high); 0 if none.
uint64_t AddressSpace::gap_below(uint64_t size, uint64_t low, uint64_t high) const {
  const Vma* above = vmas_.first_ending_after(high);
  if (above) high = std::min(high, guarded_start(*above));
  const Vma* below = above ? vmas_.prev(*above) : vmas_.last();
  for (;;) {
    uint64_t floor = below ? std::max(below->end, low) : low;
    if (high >= floor && high - floor >= size) return high - size;
    if (!below || below->start <= low) return 0;
    high = std::min(high, guarded_start(*below));
    below = vmas_.prev(*below);
  }
}

// Lowest one; 0 if none.
uint64_t AddressSpace::gap_above(uint64_t size, uint64_t low, uint64_t high) const {
  const Vma* v = vmas_.first_ending_after(low);
  while (low < high && high - low >= size) {
    uint64_t end = v ? std::min(guarded_start(*v), high) : high;
    if (end >= low && end - low >= size) return low;
    if (!v) return 0;
    low = std::max(low, v->end);
    v = vmas_.next(*v);
  }
  return 0;
}

Result<uint64_t> AddressSpace::place(uint64_t hint, uint64_t size, uint32_t flags) {
  if (size > kUserEnd) return Errno::nomem;
  if (flags & (kMapFixed | kMapFixedNoReplace)) {
    if (hint > kUserEnd - size) return Errno::nomem;
    if (hint & kPageMask) return Errno::inval;
    if (hint < kMinAddress) return Errno::perm;
    if (flags & kMapFixedNoReplace) {
      const Vma* v = vmas_.first_ending_after(hint);
      if (v && v->start < hint + size) return Errno::exist;
    }
    return hint;
  }
  bool low_half = flags & kMap32Bit;
  uint64_t end = low_half ? k32BitHigh : kUserEnd;
  if (size > end) return Errno::nomem;
  if (hint) {
    hint = std::max(page_up(hint), kMinAddress);
    if (hint <= end - size) {
      const Vma* v = vmas_.first_ending_after(hint);
      if (!v || (hint < v->start && hint + size <= guarded_start(*v))) return hint;
    }
  }
  if (low_half) {
    uint64_t at = gap_above(size, k32BitLow, k32BitHigh);
    if (at == 0) return Errno::nomem;
    return at;
  }
  if (size < gap_size_ || gap_hint_ > mmap_top_) {
    gap_hint_ = mmap_top_;
    gap_size_ = 0;
  }
  uint64_t at = gap_below(size, kMinAddress, gap_hint_);
  if (at != 0) {
    if (at + size < gap_hint_) gap_size_ = std::max(gap_size_, size);
    gap_hint_ = at;
    return at;
  }
  at = gap_above(size, kFallbackBase, kUserEnd);
  if (at == 0) return Errno::nomem;
  return at;
}

}  // namespace runsc::mm
