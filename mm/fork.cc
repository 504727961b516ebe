// fork(2): a second address space with the same contents.
//
// Private pages become shared and read-only in both (copy-on-write), which costs the parent a shoot-down and
// later both a fault per page. Where these are dear a small parent's pages are copied at once instead, if no
// other task can write to them meanwhile: a child has the memory of one moment.
#include <algorithm>

#include "kernel/base/check.h"
#include "mm/page_fault.h"

namespace runsc::mm {

class SpaceCopy {
 public:
  SpaceCopy(AddressSpace& from, AddressSpace& to)
      : from_(from), to_(to), zap_(from.user_space_, from.resident_, Zap::Space::live) {
    uint64_t own = from.resident_.total.load(std::memory_order_relaxed) -
                   from.resident_.file.load(std::memory_order_relaxed);
    // Acquire: what a task wrote that has left the space since.
    bool alone = from.ref_count() == 1;
    std::atomic_thread_fence(std::memory_order_acquire);
    // Copies are not for who has little memory left.
    const Account& account = g_accounts[arch::cpu_local().account];
    const int64_t limit = account.limit.load(std::memory_order_relaxed);
    const bool room = account.bytes.load(std::memory_order_relaxed) + static_cast<int64_t>(own * kPageSize) <
                      limit - limit / 8;
    eager_ = arch::kTrapsAreDear && alone && own <= kEagerPages && room;
  }
  ~SpaceCopy() {
    while (pool_ != pool_end_) put_page(*pool_++);
  }
  Result<void> run() NO_THREAD_SAFETY_ANALYSIS;  // both locks are held: AddressSpace::fork

 private:
  static constexpr uint64_t kEagerPages = 1024;

  Result<void> copy_entries(const Vma& v);
  Result<void> copy_table(const Vma& v, uint64_t start, size_t count);
  Result<void> copy_private(PteSlot from, PteSlot to, uint64_t address, Pte pte);
  void share(PteSlot to, Pte pte);
  Result<Page*> pooled_page();

  AddressSpace& from_;
  AddressSpace& to_;
  Zap zap_;  // of the parent: entries that lose write access
  bool eager_;
  Page* pool_ = nullptr;
  Page* pool_end_ = nullptr;
};

Result<void> SpaceCopy::run() {
  for (const Vma* v = from_.vmas_.first(); v; v = from_.vmas_.next(*v)) {
    if (v->no_fork) continue;
    auto copy = make<Vma>();
    if (!copy) return Errno::nomem;
    copy->start = v->start;
    copy->end = v->end;
    copy->prot = v->prot;
    copy->max_prot = v->max_prot;
    copy->shared = v->shared;
    copy->grows_down = v->grows_down;
    copy->wipe_on_fork = v->wipe_on_fork;
    copy->no_dump = v->no_dump;
    copy->policy = v->policy;
    copy->file = v->file;
    copy->offset = v->offset;
    copy->name = v->name;
    to_.link(std::move(copy));
    if (!v->wipe_on_fork) TRY(copy_entries(*v));
  }
  return {};
}

Result<void> SpaceCopy::copy_entries(const Vma& v) {
  // What comes from a file can be faulted in again; that is cheaper than copying, unless faults are dear.
  if (v.shared && !arch::kTrapsAreDear) return {};
  for (uint64_t at = v.start; (at = next_table(from_.user_space_, at, v.end)) < v.end;) {
    uint64_t stop = std::min(v.end, (at & ~(kTableSpan - 1)) + kTableSpan);
    TRY(copy_table(v, at, (stop - at) / kPageSize));
    at = stop;
  }
  return {};
}

Result<void> SpaceCopy::copy_table(const Vma& v, uint64_t start, size_t count) {
  PteSlot from = find_slot(from_.user_space_, start), to;
  for (size_t i = 0; i < count; ++i) {
    Pte pte = (from + i).load();
    if (!pte.has_page() || (!pte.anon() && !arch::kTrapsAreDear)) continue;
    if (!to) to = TRY(make_slot(to_.user_space_, start));
    if (pte.anon()) {
      TRY(copy_private(from + i, to + i, start + i * kPageSize, pte));
    } else if (!v.shared || !pte.writable() || !v.file->tracks_writes()) {
      share(to + i, pte);
    }
  }
  return {};
}

// The child's entry for a page that both have.
void SpaceCopy::share(PteSlot to, Pte pte) {
  Page* page = page_of_phys(pte.phys());
  if (page && !is_zero_page(pte.phys())) {
    get_page(*page);
    page->map_count.fetch_add(1, std::memory_order_relaxed);
  }
  to_.resident_.add(pte);
  LockGuard guard(to_.user_space_.pte_lock);
  to.store(pte);
}

Result<void> SpaceCopy::copy_private(PteSlot from, PteSlot to, uint64_t address, Pte pte) {
  if (!pte.writable()) {
    share(to, pte);
    return {};
  }
  if (eager_) {
    Page* fresh = TRY(pooled_page());
    copy_ram_page(*fresh, pte.phys());
    Pte value((pte.bits() & ~Pte::kAddress) | page_phys(*fresh));
    fresh->map_count.fetch_add(1, std::memory_order_relaxed);
    to_.resident_.add(value);
    LockGuard guard(to_.user_space_.pte_lock);
    to.store(value);
    return {};
  }
  Pte shared(pte.bits() & ~(Pte::kWrite | Pte::kDirty));
  {
    LockGuard guard(from_.user_space_.pte_lock);
    from.store(shared);
    zap_.changed(address, pte);
  }
  share(to, shared);
  return {};
}

// Neighbours in the child get neighbouring pages: later shoot-downs cost by the physical range.
Result<Page*> SpaceCopy::pooled_page() {
  constexpr unsigned kOrder = 4;
  if (pool_ == pool_end_) {
    auto block = alloc_pages(kOrder, Zero::no);
    if (!block) return alloc_page(Zero::no);
    split_block(**block);
    pool_ = *block;
    pool_end_ = pool_ + (size_t{1} << kOrder);
  }
  return pool_++;
}

Result<Ref<AddressSpace>> AddressSpace::fork() {
  auto child = TRY(AddressSpace::create());
  child->set_stack_limit(stack_limit_.load(std::memory_order_relaxed));
  LockGuard guard(lock_);
  LockGuard child_guard(child->lock_);  // nobody else has it but files that it maps from now on
  child->layout_ = layout_;
  child->mmap_top_ = mmap_top_;
  child->gap_hint_ = mmap_top_;
  SpaceCopy copy(*this, *child);
  TRY(copy.run());
  return child;
}

}  // namespace runsc::mm
