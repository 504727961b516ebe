// The buddy allocator's free blocks, over pages that PageArray knows. Not locked.
#pragma once

#include <cstdint>
#include <span>

#include "mm/phys.h"

namespace runsc::mm {

// Page::flags.
inline constexpr uint8_t kPageFree = 1;  // heads a free block
inline constexpr uint8_t kPageClean =
    2;  // a free block that reads as zeros (or was: still set when just allocated)
inline constexpr uint8_t kPageSlab = 4;  // the slab allocator's

// Page structs in sections of 256 MiB: each section's array stands at its own start, so that memory that is
// not usable yet needs none.
inline constexpr uint64_t kSectionSize = uint64_t{256} << 20;
inline constexpr uint64_t kSectionPages = kSectionSize / kPageSize;

class BuddyLists {
 public:
  // Adds memory that reads as zeros; page-aligned, its sections' arrays exist.
  void add_range(uint64_t start, uint64_t end);
  // The smallest block that fits, split; null if none. Its head: count 0, order set, kPageClean if it reads
  // as zeros. `dirty`: one whose host memory is there already.
  Page* take(unsigned order, bool dirty = false);
  // Merges with its buddies.
  void give(Page& page, unsigned order, bool clean);
  // A free dirty block of at least min_order, taken out whole; null if none.
  Page* take_dirty(unsigned min_order);

  uint64_t free_pages() const { return free_pages_; }
  uint64_t dirty_pages() const { return dirty_pages_; }
  uint64_t blocks(unsigned order) const { return blocks_[order]; }

 private:
  void link(Page& page, unsigned order, bool clean);
  void unlink(Page& page);

  Page* head_[kMaxOrder + 1] = {};  // dirty blocks first: their host memory is there already
  Page* tail_[kMaxOrder + 1] = {};
  uint64_t free_pages_ = 0, dirty_pages_ = 0, blocks_[kMaxOrder + 1] = {};
};

}  // namespace runsc::mm
