// Which pages were used: /proc/PID/clear_refs (proc(5)).
#include "mm/address_space.h"
#include "mm/zap.h"

namespace runsc::mm {

void AddressSpace::clear_referenced(Refs which) {
  LockGuard guard(lock_);
  Zap zap(user_space_, resident_, Zap::Space::live);
  for (const Vma* v = vmas_.first(); v; v = vmas_.next(*v)) {
    if ((which == Refs::anonymous && v->file) || (which == Refs::file && !v->file)) continue;
    for_each_table(user_space_, v->start, v->end, [&](PteSlot slot, uint64_t address, size_t n) {
      LockGuard entries(user_space_.pte_lock);
      for (size_t i = 0; i < n; ++i) {
        const Pte old = (slot + i).load();
        if (!old.present() || !(old.bits() & Pte::kAccessed)) continue;
        (slot + i).store(Pte(old.bits() & ~Pte::kAccessed));
        // A translation that the machine keeps would not mark the entry again.
        zap.changed(address + i * kPageSize, old);
      }
    });
  }
}

void AddressSpace::reset_peak_resident() {
  resident_.peak.store(resident_.total.load(std::memory_order_relaxed), std::memory_order_relaxed);
}

}  // namespace runsc::mm
