#include "mm/buddy.h"

#include <algorithm>
#include <bit>

#include "kernel/base/check.h"

namespace runsc::mm {

void BuddyLists::link(Page& page, unsigned order, bool clean) {
  page.order = static_cast<uint8_t>(order);
  page.flags = static_cast<uint8_t>(kPageFree | (clean ? kPageClean : 0));
  if (clean) {
    page.next = nullptr;
    page.prev = tail_[order];
    (tail_[order] ? tail_[order]->next : head_[order]) = &page;
    tail_[order] = &page;
  } else {
    page.prev = nullptr;
    page.next = head_[order];
    (head_[order] ? head_[order]->prev : tail_[order]) = &page;
    head_[order] = &page;
    dirty_pages_ += uint64_t{1} << order;
  }
  free_pages_ += uint64_t{1} << order;
  ++blocks_[order];
}

void BuddyLists::unlink(Page& page) {
  unsigned order = page.order;
  (page.prev ? page.prev->next : head_[order]) = page.next;
  (page.next ? page.next->prev : tail_[order]) = page.prev;
  page.next = page.prev = nullptr;
  if (!(page.flags & kPageClean)) dirty_pages_ -= uint64_t{1} << order;
  free_pages_ -= uint64_t{1} << order;
  --blocks_[order];
  page.flags &= static_cast<uint8_t>(~kPageFree);
}

void BuddyLists::add_range(uint64_t start, uint64_t end) {
  uint64_t at = start / kPageSize, last = end / kPageSize;
  while (at < last) {
    unsigned order = at == 0 ? kMaxOrder : std::min<unsigned>(std::countr_zero(at), kMaxOrder);
    while ((uint64_t{1} << order) > last - at) --order;
    give(*page_of_phys(at * kPageSize), order, true);
    at += uint64_t{1} << order;
  }
}

Page* BuddyLists::take(unsigned order, bool dirty) {
  unsigned from = order;
  const auto fits = [&](const Page* page) { return page && !(dirty && page->flags & kPageClean); };
  while (from <= kMaxOrder && !fits(head_[from])) ++from;
  if (from > kMaxOrder) return nullptr;
  Page& page = *head_[from];
  unlink(page);
  bool clean = page.flags & kPageClean;
  while (from > order) {
    --from;
    link(*(&page + (uint64_t{1} << from)), from, clean);
  }
  page.order = static_cast<uint8_t>(order);
  return &page;
}

// Page structs of a block and of its buddy stand in one array: a section is a multiple of the largest pair.
void BuddyLists::give(Page& first, unsigned order, bool clean) {
  Page* page = &first;
  page->flags = 0;
  uint64_t index = page_phys(*page) / kPageSize;
  for (; order < kMaxOrder; ++order) {
    Page* buddy =
        index & (uint64_t{1} << order) ? page - (uint64_t{1} << order) : page + (uint64_t{1} << order);
    if (!(buddy->flags & kPageFree) || buddy->order != order) break;
    clean = clean && (buddy->flags & kPageClean);
    unlink(*buddy);
    buddy->flags = 0;
    if (buddy < page) page = buddy;
    index &= ~(uint64_t{1} << order);
  }
  link(*page, order, clean);
}

Page* BuddyLists::take_dirty(unsigned min_order) {
  for (unsigned order = kMaxOrder + 1; order-- > min_order;)
    if (Page* page = head_[order]; page && !(page->flags & kPageClean)) {
      unlink(*page);
      return page;
    }
  return nullptr;
}

}  // namespace runsc::mm
