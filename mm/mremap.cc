// mremap(2).
#include <algorithm>

#include "kernel/base/check.h"
#include "mm/address_space.h"
#include "mm/flags.h"

namespace runsc::mm {

Result<uint64_t> AddressSpace::mremap(uint64_t old_address, uint64_t old_size, uint64_t new_size,
                                      uint32_t flags, uint64_t new_address,
                                      const AddressSpaceLimits& limits) {
  if (flags & ~(kMremapMayMove | kMremapFixed | kMremapDontUnmap)) return Errno::inval;
  if ((flags & kMremapFixed) && !(flags & kMremapMayMove)) return Errno::inval;
  if ((flags & kMremapDontUnmap) && (!(flags & kMremapMayMove) || old_size != new_size)) return Errno::inval;
  if (old_address & kPageMask) return Errno::inval;
  old_size = page_up(old_size);
  new_size = page_up(new_size);
  if (new_size == 0) return Errno::inval;
  uint64_t populate_from = 0, populate_to = 0;
  uint64_t at;
  {
    VmaGrave grave;
    LockGuard guard(lock_);
    if (!vmas_.find(old_address)) return Errno::fault;
    at = TRY(flags & (kMremapFixed | kMremapDontUnmap)
                 ? move_to(old_address, old_size, new_size, flags, new_address, limits, grave)
                 : resize(old_address, old_size, new_size, flags, limits, grave));
    const Vma* v = vmas_.find(at);
    if (v && v->locked && new_size > old_size) {
      populate_from = at + old_size;
      populate_to = at + new_size;
    }
  }
  if (populate_from) (void)populate(populate_from, populate_to, true, true);
  return at;
}

Result<Vma*> AddressSpace::check_resize(uint64_t address, uint64_t old_size, uint64_t new_size,
                                        uint32_t flags, const AddressSpaceLimits& limits) {
  Vma* v = vmas_.find(address);
  if (!v) return Errno::fault;
  // An old size of 0 asks for a second mapping of the same pages: only shared ones can have it.
  if (old_size == 0 && !v->shared) return Errno::inval;
  if (old_size > v->end - address) return Errno::fault;
  if (new_size <= old_size) return v;
  if (v->file) {
    uint64_t offset = v->file_offset(address);
    if (offset + new_size < offset) return Errno::inval;
  }
  uint64_t more = new_size - old_size;
  if (v->locked && locked_pages_ + more / kPageSize > limits.locked / kPageSize) return Errno::again;
  TRY(check_room(more, *v, limits, 0));
  if (has(v->prot, Prot::write) && !v->shared && more / kPageSize > phys_stats().total_pages)
    return Errno::nomem;
  (void)flags;
  return v;
}

Result<uint64_t> AddressSpace::move_to(uint64_t old_address, uint64_t old_size, uint64_t new_size,
                                       uint32_t flags, uint64_t new_address, const AddressSpaceLimits& limits,
                                       VmaGrave& grave) {
  if (new_address & kPageMask) return Errno::inval;
  if (new_size > arch::kUserEnd || new_address > arch::kUserEnd - new_size) return Errno::inval;
  if (old_address + old_size > new_address && new_address + new_size > old_address) return Errno::inval;
  if (vmas_.size() >= kMaxVmas - 3) return Errno::nomem;
  if (flags & kMremapFixed) {
    if (new_address < kMinAddress) return Errno::perm;
    TRY(unmap(new_address, new_address + new_size, grave));
  }
  if (old_size > new_size) {
    if (old_size > arch::kUserEnd - old_address) return Errno::inval;
    TRY(unmap(old_address + new_size, old_address + old_size, grave));
    old_size = new_size;
  }
  TRY(check_resize(old_address, old_size, new_size, flags, limits));
  if ((flags & kMremapDontUnmap) && virtual_pages_ + new_size / kPageSize > limits.address_space / kPageSize)
    return Errno::nomem;
  uint64_t to = new_address;
  if (!(flags & kMremapFixed)) to = TRY(place(new_address, new_size, 0));
  return move(old_address, old_size, to, new_size, flags, grave);
}

Result<uint64_t> AddressSpace::resize(uint64_t old_address, uint64_t old_size, uint64_t new_size,
                                      uint32_t flags, const AddressSpaceLimits& limits, VmaGrave& grave) {
  if (old_size >= new_size) {
    if (old_address + old_size < old_address || old_address + old_size > arch::kUserEnd) return Errno::inval;
    if (old_size > new_size) TRY(unmap(old_address + new_size, old_address + old_size, grave));
    return old_address;
  }
  Vma* v = TRY(check_resize(old_address, old_size, new_size, flags, limits));
  uint64_t end = old_address + new_size;
  const Vma* above = vmas_.next(*v);
  bool room = v->end == old_address + old_size && end > old_address && end <= arch::kUserEnd &&
              (!above || end <= above->start - (above->grows_down ? std::min(kStackGap, above->start) : 0));
  if (room && old_size > 0) {
    uint64_t grown_from = v->end;
    account(*v, -1);
    v->end = end;
    account(*v, 1);
    if (v->file) v->file->mapped(*this, grown_from, v->file_offset(grown_from), end - grown_from);
    merge(old_address, end, grave);
    return old_address;
  }
  if (!(flags & kMremapMayMove)) return Errno::nomem;
  if (vmas_.size() >= kMaxVmas - 3) return Errno::nomem;
  uint64_t to = TRY(place(0, new_size, 0));
  return move(old_address, old_size, to, new_size, flags, grave);
}

Result<uint64_t> AddressSpace::move(uint64_t from, uint64_t old_size, uint64_t to, uint64_t new_size,
                                    uint32_t flags, VmaGrave& grave) {
  auto copy = make<Vma>();
  if (!copy) return Errno::nomem;
  if (old_size > 0 && !(flags & kMremapDontUnmap)) TRY(isolate(from, from + old_size));
  // All tables first: from here on nothing may fail.
  for (uint64_t at = from; (at = next_table(user_space_, at, from + old_size)) < from + old_size;
       at += kPageSize) {
    uint64_t target = to + (at - from);
    TRY(make_slot(user_space_, target));
    uint64_t source_left = kTableSpan - (at & (kTableSpan - 1)),
             target_left = kTableSpan - (target & (kTableSpan - 1));
    at += std::min(source_left, target_left) - kPageSize;
  }
  Vma* v = vmas_.find(from);
  copy->start = to;
  copy->end = to + new_size;
  copy->prot = v->prot;
  copy->max_prot = v->max_prot;
  copy->shared = v->shared;
  copy->grows_down = v->grows_down;
  copy->locked = v->locked;
  copy->no_fork = v->no_fork;
  copy->wipe_on_fork = v->wipe_on_fork;
  copy->no_dump = v->no_dump;
  copy->policy = v->policy;
  copy->file = v->file;
  copy->offset = v->file_offset(from);
  copy->name = v->name;
  link(std::move(copy));
  {
    Zap zap(user_space_, resident_, Zap::Space::live);
    if (old_size > 0) move_entries(from, to, old_size, zap);
  }
  if (old_size > 0 && !(flags & kMremapDontUnmap)) unmap_isolated(from, from + old_size, grave);
  merge(to, to + new_size, grave);
  return to;
}

// The target's tables exist and its entries are none.
void AddressSpace::move_entries(uint64_t from, uint64_t to, uint64_t size, Zap& zap) {
  for_each_table(user_space_, from, from + size, [&](PteSlot slot, uint64_t address, size_t n) {
    LockGuard guard(user_space_.pte_lock);
    PteSlot target;
    for (size_t i = 0; i < n; ++i) {
      uint64_t source = address + i * kPageSize, there = to + (source - from);
      if (i == 0 || (there & (kTableSpan - 1)) == 0) {
        target = find_slot(user_space_, there);
      } else {
        target = target + 1;
      }
      Pte old = (slot + i).load();
      if (old.none()) continue;
      (slot + i).store(Pte());
      zap.changed(source, old);
      target.store(old);
    }
  });
}

}  // namespace runsc::mm
