// mprotect(2).
#include <algorithm>

#include "mm/address_space.h"
#include "mm/flags.h"

namespace runsc::mm {

// Brings the entries of a VMA in line with its protection. Write access that needs a decision (copy-on-write,
// dirty tracking) is left to the next fault.
void AddressSpace::protect_entries(const Vma& v, Zap& zap) {
  bool tracked = v.file && v.shared && v.file->tracks_writes();
  for_each_table(user_space_, v.start, v.end, [&](PteSlot slot, uint64_t address, size_t n) {
    LockGuard guard(user_space_.pte_lock);
    for (size_t i = 0; i < n; ++i) {
      Pte old = (slot + i).load();
      if (!old.has_page()) continue;
      bool writable = old.writable();
      if (v.shared && !tracked && page_of_phys(old.phys())) {
        writable = true;
      } else if (!v.shared && !writable && old.anon() && !is_zero_page(old.phys())) {
        writable = page_of_phys(old.phys())->count.load(std::memory_order_acquire) == 1;
      }
      Pte now = old.with(v.prot, writable);
      if (now == old) continue;
      (slot + i).store(now);
      if (now.loses(old)) zap.changed(address + i * kPageSize, old);
    }
  });
}

Result<void> AddressSpace::mprotect(uint64_t address, uint64_t size, Prot prot) {
  if (address & kPageMask) return Errno::inval;
  if (size == 0) return {};
  uint64_t length = page_up(size), end = address + length;
  if (length == 0 || end <= address || end > arch::kUserEnd) return Errno::nomem;
  VmaGrave grave;
  LockGuard guard(lock_);
  Result<void> result = {};
  uint64_t at = address;
  {
    Zap zap(user_space_, resident_, Zap::Space::live);
    while (at < end) {
      Vma* v = vmas_.find(at);
      if (!v) {
        result = Errno::nomem;
        break;
      }
      uint64_t stop = std::min(end, v->end);
      if ((prot & v->max_prot) != prot) {
        result = Errno::acces;
        break;
      }
      if (v->prot != prot) {
        result = isolate(at, stop);
        if (!result) break;
        v = vmas_.find(at);
        account(*v, -1);
        v->prot = prot;
        account(*v, 1);
        protect_entries(*v, zap);
      }
      at = stop;
    }
  }
  merge(address, at, grave);
  return result;
}

}  // namespace runsc::mm
