// What the address space calls do to VMAs: split, join, count, remove.
#include <algorithm>

#include "kernel/base/check.h"
#include "mm/address_space.h"
#include "mm/flags.h"

namespace runsc::mm {
namespace {

bool alike(const Vma& a, const Vma& b) {
  return a.prot == b.prot && a.max_prot == b.max_prot && a.shared == b.shared &&
         a.grows_down == b.grows_down && a.locked == b.locked && a.no_fork == b.no_fork &&
         a.wipe_on_fork == b.wipe_on_fork && a.no_dump == b.no_dump && a.policy == b.policy &&
         a.file.get() == b.file.get() && a.name == b.name;
}

bool joinable(const Vma& low, const Vma& high) {
  return low.end == high.start && alike(low, high) && (!low.file || low.file_offset(low.end) == high.offset);
}

// RLIMIT_DATA counts private writable mappings but stacks (setrlimit(2)).
bool is_data(const Vma& v) { return !v.shared && has(v.prot, Prot::write) && !v.grows_down; }

}  // namespace

void AddressSpace::account(const Vma& v, int sign) {
  uint64_t pages = v.size() / kPageSize;
  if (sign < 0) pages = ~pages + 1;
  virtual_pages_ += pages;
  if (v.locked) locked_pages_ += pages;
  if (is_data(v)) data_pages_ += pages;
  peak_virtual_ = std::max(peak_virtual_, virtual_pages_);
}

void AddressSpace::link(Unique<Vma> v) {
  Vma& vma = *v;
  account(vma, 1);
  vma.space = this;
  vmas_.insert(std::move(v));
  FileMappings::add(vma);
  if (vma.file) vma.file->mapped(*this, vma.start, vma.offset, vma.size());
}

Unique<Vma> AddressSpace::unlink(Vma& v) {
  account(v, -1);
  FileMappings::remove(v);
  if (v.file) v.file->unmapped(*this, v.start, v.offset, v.size());
  Vma* next = vmas_.next(v);
  uint64_t hole_end = std::min(next ? next->start : mmap_top_, mmap_top_);
  if (hole_end > gap_hint_) {
    gap_hint_ = hole_end;
    gap_size_ = hole_end == mmap_top_ ? 0 : gap_size_;
  }
  return vmas_.remove(v);
}

Result<void> AddressSpace::split(Vma& v, uint64_t at) {
  auto high = make<Vma>();
  if (!high) return Errno::nomem;
  high->start = at;
  high->end = v.end;
  high->prot = v.prot;
  high->max_prot = v.max_prot;
  high->shared = v.shared;
  high->grows_down = v.grows_down;
  high->locked = v.locked;
  high->no_fork = v.no_fork;
  high->wipe_on_fork = v.wipe_on_fork;
  high->no_dump = v.no_dump;
  high->policy = v.policy;
  high->file = v.file;
  high->offset = v.file_offset(at);
  high->name = v.name;
  high->space = this;
  v.end = at;
  FileMappings::add(*high);
  vmas_.insert(std::move(high));
  return {};
}

Result<void> AddressSpace::isolate(uint64_t start, uint64_t end) {
  Vma* first = vmas_.find(start);
  Vma* last = vmas_.find(end - 1);
  bool low = first && first->start < start, high = last && last->end > end;
  if (low && high && first == last && vmas_.size() >= kMaxVmas) return Errno::nomem;
  if (low) {
    TRY(split(*first, start));
    if (last == first) last = vmas_.find(start);
  }
  if (high) TRY(split(*last, end));
  return {};
}

void AddressSpace::merge(uint64_t start, uint64_t end, VmaGrave& grave) {
  Vma* v = vmas_.first_ending_after(start == 0 ? 0 : start - 1);
  while (v && v->start <= end) {
    Vma* next = vmas_.next(*v);
    if (!next) return;
    if (!joinable(*v, *next)) {
      v = next;
      continue;
    }
    uint64_t new_end = next->end;
    FileMappings::remove(*next);
    grave.add(vmas_.remove(*next));  // neither the account nor the file's coverage changes
    v->end = new_end;
  }
}

Result<void> AddressSpace::check_room(uint64_t size, const Vma& like, const AddressSpaceLimits& limits,
                                      uint64_t replaced) {
  uint64_t pages = size / kPageSize;
  if ((virtual_pages_ - replaced + pages) > limits.address_space / kPageSize) return Errno::nomem;
  if (is_data(like) && data_pages_ + pages > limits.data / kPageSize) return Errno::nomem;
  return {};
}

uint64_t AddressSpace::mapped_pages(uint64_t start, uint64_t end) const {
  uint64_t pages = 0;
  for (const Vma* v = vmas_.first_ending_after(start); v && v->start < end; v = vmas_.next(*v))
    pages += (std::min(v->end, end) - std::max(v->start, start)) / kPageSize;
  return pages;
}

// The range [start, end) is isolated. Nobody may reach the pages any more when a file hears that it is not
// mapped: pages of the file window have no count of their own.
void AddressSpace::unmap_isolated(uint64_t start, uint64_t end, VmaGrave& grave) {
  Vma* v = vmas_.first_ending_after(start);
  const Vma* below = v ? vmas_.prev(*v) : vmas_.last();
  const Vma* above = vmas_.first_ending_after(end);
  {
    Zap zap(user_space_, resident_, Zap::Space::live);
    zap.range(start, end);
    unlink_tables(user_space_, {start, end, below ? below->end : 0, above ? above->start : kTablesEnd},
                  zap.tables());
  }
  while (v && v->start < end) {
    Vma* next = vmas_.next(*v);
    grave.add(unlink(*v));
    v = next;
  }
}

Result<uint64_t> AddressSpace::unmap(uint64_t start, uint64_t end, VmaGrave& grave) {
  uint64_t pages = mapped_pages(start, end);
  if (pages == 0) return pages;
  TRY(isolate(start, end));
  unmap_isolated(start, end, grave);
  return pages;
}

// Extends a MAP_GROWSDOWN mapping down to `start`. ENOMEM stands for any refusal.
Result<void> AddressSpace::grow_down(Vma& v, uint64_t start) {
  if (v.end - start > stack_limit_.load(std::memory_order_relaxed)) return Errno::nomem;
  if (start < kMinAddress) return Errno::nomem;
  if (Vma* below = vmas_.prev(v)) {
    bool guards_itself = below->grows_down || below->prot == Prot::none;
    if (below->end > start || (!guards_itself && start - below->end < kStackGap)) return Errno::nomem;
  }
  if (v.file && v.offset < v.start - start) return Errno::nomem;
  account(v, -1);
  v.offset -= v.file ? v.start - start : 0;
  v.start = start;
  account(v, 1);
  return {};
}

}  // namespace runsc::mm
