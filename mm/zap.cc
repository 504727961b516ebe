#include "mm/zap.h"

#include "kernel/base/check.h"

namespace runsc::mm {

void ResidentCount::add(Pte pte) {
  if (is_zero_page(pte.phys())) return;
  uint64_t now = total.fetch_add(1, std::memory_order_relaxed) + 1;
  if (!pte.anon()) file.fetch_add(1, std::memory_order_relaxed);
  uint64_t seen = peak.load(std::memory_order_relaxed);
  while (seen < now && !peak.compare_exchange_weak(seen, now, std::memory_order_relaxed)) {
  }
}

void ResidentCount::remove(Pte pte) {
  if (is_zero_page(pte.phys())) return;
  total.fetch_sub(1, std::memory_order_relaxed);
  if (!pte.anon()) file.fetch_sub(1, std::memory_order_relaxed);
}

// Moves the inline pages to a chunk, or, without memory for one, lets them all go now.
void Zap::spill() {
  for (size_t i = 0; i < count_; ++i) {
    if (!full_ || in_first_ == kChunk) {
      auto* chunk = new (std::nothrow) Chunk;
      if (!chunk) {
        for (size_t j = i; j < count_; ++j) pages_[j - i] = pages_[j];
        count_ -= i;
        flush();
        return;
      }
      chunk->next = full_;
      full_ = chunk;
      in_first_ = 0;
    }
    full_->pages[in_first_++] = pages_[i];
  }
  count_ = 0;
}

void Zap::make_room(size_t n) {
  DCHECK(n <= kInline, "more room than there is");
  if (kInline - count_ >= n) return;
  if (state_ == Space::dead) {
    flush();
  } else {
    spill();
  }
}

void Zap::removed(uint64_t address, Pte old) {
  DCHECK(!old.is_busy(), "a busy entry beside an exclusive lock");
  changed(address, old);
  resident_.remove(old);
  Page* page = page_of_phys(old.phys());
  if (!page || is_zero_page(old.phys())) return;
  page->map_count.fetch_sub(1, std::memory_order_relaxed);
  drop_later(*page);
}

void Zap::flush() {
  // Machines cache upper entries too; any shoot-down behind their unlinking clears that.
  if constexpr (!arch::kTablesAreShadowed)
    if (state_ == Space::live && !tables_.empty() && batch_.empty())
      batch_.add(0, user_.root_phys, kPageSize);
  if (!batch_.empty()) arch::tlb_shootdown(user_, batch_);
  put_pages({pages_, count_});
  count_ = 0;
  while (full_) {
    Chunk* chunk = full_;
    full_ = chunk->next;
    put_pages({chunk->pages, in_first_});
    in_first_ = kChunk;
    Chunk::destroy(chunk);
  }
  in_first_ = 0;
}

}  // namespace runsc::mm
