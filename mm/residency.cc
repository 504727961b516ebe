// msync(2), mlock(2), mlockall(2), mincore(2).
#include <algorithm>

#include "mm/address_space.h"
#include "mm/flags.h"

namespace runsc::mm {

Result<void> AddressSpace::msync(uint64_t address, uint64_t size, int flags) {
  if (flags & ~(kMsAsync | kMsInvalidate | kMsSync)) return Errno::inval;
  if (address & kPageMask) return Errno::inval;
  if ((flags & kMsAsync) && (flags & kMsSync)) return Errno::inval;
  uint64_t end = address + page_up(size);
  if (end < address) return Errno::nomem;
  bool holes = false;
  for (uint64_t at = address; at < end;) {
    MappableRef file;
    uint64_t offset = 0, stop;
    {
      SharedGuard guard(lock_);
      const Vma* v = vmas_.first_ending_after(at);
      if (!v || v->start >= end) return Errno::nomem;
      if (v->start > at) holes = true;
      at = std::max(at, v->start);
      stop = std::min(end, v->end);
      if ((flags & kMsInvalidate) && v->locked) return Errno::busy;
      if ((flags & kMsSync) && v->file && v->shared) file = v->file;
      if (file) offset = v->file_offset(at);
    }
    if (file) TRY(file->sync_range(offset, stop - at));
    at = stop;
  }
  if (holes) return Errno::nomem;
  return {};
}

Result<void> AddressSpace::mlock(uint64_t address, uint64_t size, bool lock,
                                 const AddressSpaceLimits& limits) {
  uint64_t start = page_down(address), length = page_up(size + (address & kPageMask)), end = start + length;
  if (lock && limits.locked == 0) return Errno::perm;
  if (end < start || (size && !length)) return Errno::inval;
  if (start == end) return {};
  {
    VmaGrave grave;
    LockGuard guard(lock_);
    if (lock) {
      uint64_t already = 0;
      for (const Vma* v = vmas_.first_ending_after(start); v && v->start < end; v = vmas_.next(*v))
        if (v->locked) already += (std::min(v->end, end) - std::max(v->start, start)) / kPageSize;
      if (locked_pages_ - already + length / kPageSize > limits.locked / kPageSize) return Errno::nomem;
    }
    uint64_t at = start;
    for (; at < end;) {
      Vma* v = vmas_.find(at);
      if (!v) return Errno::nomem;
      uint64_t stop = std::min(end, v->end);
      if (v->locked != lock) {
        TRY(isolate(at, stop));
        v = vmas_.find(at);
        account(*v, -1);
        v->locked = lock;
        account(*v, 1);
      }
      at = stop;
    }
    merge(start, end, grave);
  }
  if (!lock) return {};
  auto populated = populate(start, end, true, true);
  if (!populated) return populated.error() == Errno::fault ? Errno::nomem : populated.error();
  return {};
}

Result<void> AddressSpace::mlock_all(uint32_t flags, const AddressSpaceLimits& limits) {
  if ((flags & ~(kMclCurrent | kMclFuture | kMclOnFault)) || flags == kMclOnFault) return Errno::inval;
  if (flags && limits.locked == 0) return Errno::perm;
  bool lock = flags & kMclCurrent;
  {
    VmaGrave grave;
    LockGuard guard(lock_);
    if (lock && virtual_pages_ > limits.locked / kPageSize) return Errno::nomem;
    lock_future_ = flags & kMclFuture;
    if (flags && !lock) return {};
    for (Vma* v = vmas_.first(); v; v = vmas_.next(*v)) {
      account(*v, -1);
      v->locked = lock;
      account(*v, 1);
    }
    merge(0, arch::kUserEnd, grave);
  }
  if (!lock || (flags & kMclOnFault)) return {};
  for (uint64_t at = 0;;) {
    uint64_t start, end;
    {
      SharedGuard guard(lock_);
      const Vma* v = vmas_.first_ending_after(at);
      if (!v) return {};
      start = v->start;
      end = v->end;
      if (v->prot == Prot::none) start = end;
    }
    (void)populate(start, end, true, false);  // mlockall(2) does not tell
    at = end;
  }
}

// Anonymous pages count when they are there; a page of a file also when it could be had without waiting.
Result<void> AddressSpace::mincore(uint64_t address, std::span<uint8_t> out) {
  if (address & kPageMask) return Errno::inval;
  SharedGuard guard(lock_);
  for (size_t i = 0; i < out.size(); ++i) {
    uint64_t at = address + i * kPageSize;
    const Vma* v = vmas_.find(at);
    if (!v) return Errno::nomem;
    PteSlot slot = find_slot(user_space_, at);
    Pte pte = slot ? slot.load() : Pte();
    bool resident = pte.has_page() || pte.is_busy();
    if (!resident && v->file && v->file_offset(at) >= kPageSize) {
      MappedPage page;
      resident = v->file->get_pages_around(v->file_offset(at) - kPageSize, 1, &page) == 1;
      if (resident && page.page) put_page(*page.page);
    }
    out[i] = resident;
  }
  return {};
}

}  // namespace runsc::mm
