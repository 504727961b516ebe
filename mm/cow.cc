// Copy-on-write: a write to a private page that is shared, or not ours at all.
#include <algorithm>

#include "kernel/base/check.h"
#include "mm/page_fault.h"

namespace runsc::mm {

// A private page whose only reference is this entry's can simply be written. New references are taken by
// fork(2), which excludes faults, or for a short while by who reads the page from elsewhere.
bool PageFault::needs_copy(Pte pte) const {
  if (!pte.anon() || is_zero_page(pte.phys())) return true;
  return page_of_phys(pte.phys())->count.load(std::memory_order_acquire) != 1;
}

// Where faults are dear, the neighbours that would fault likewise come along.
size_t PageFault::gather(Copy* out, Pte old) const {
  out[0] = {address_, old, nullptr};
  size_t n = 1;
  if constexpr (arch::kTrapsAreDear) {
    Run run = block(copied_pages());
    for (uint64_t at = run.start; at < run.end; at += kPageSize) {
      Pte pte = at == address_ ? Pte() : slot_of(at).load();
      if (pte.present() && pte.anon() && !pte.writable() && !is_zero_page(pte.phys()))
        out[n++] = {at, pte, nullptr};
    }
  }
  return n;
}

// Settles what needs no copy; keeps of the others a reference to the old page and moves them to the front.
size_t PageFault::settle(Copy* copies, size_t n) {
  size_t left = 0;
  LockGuard guard(user_.pte_lock);
  for (size_t i = 0; i < n; ++i) {
    Copy& c = copies[i];
    PteSlot slot = slot_of(c.address);
    if (slot.load() != c.old) continue;
    if (!needs_copy(c.old)) {
      slot.store(c.old.with(vma_.prot, true));
      continue;
    }
    Page* page = page_of_phys(c.old.phys());
    if (page) get_page(*page);
    copies[left++] = c;
  }
  return left;
}

Result<void> PageFault::make_copy(Copy& c) const {
  bool zero = is_zero_page(c.old.phys());
  Page* fresh = TRY(alloc_page(zero ? Zero::yes : Zero::no));
  auto copied = zero ? Result<void>() : copy_page(*fresh, c.old.phys());
  if (!copied) {
    put_page(*fresh);
    return copied;
  }
  c.fresh = fresh;
  return {};
}

void PageFault::swap_in(Copy* copies, size_t n) {
  Zap zap(user_, space_.resident_, Zap::Space::live);
  zap.make_room(n);
  {
    LockGuard guard(user_.pte_lock);
    for (size_t i = 0; i < n; ++i) {
      PteSlot slot = slot_of(copies[i].address);
      if (!copies[i].fresh || slot.load() != copies[i].old) continue;
      slot.store(Pte::busy());
      zap.removed(copies[i].address, copies[i].old);
      copies[i].busy = true;
    }
  }
  zap.flush();
  LockGuard guard(user_.pte_lock);
  for (size_t i = 0; i < n; ++i) {
    if (!copies[i].busy) continue;
    Pte value = make(page_phys(*copies[i].fresh), true, true);
    copies[i].fresh->map_count.fetch_add(1, std::memory_order_relaxed);
    space_.resident_.add(value);
    slot_of(copies[i].address).store(value);
    copies[i].fresh = nullptr;
  }
}

FaultResult PageFault::copy_on_write(Pte old) {
  Copy copies[kMaxCopies];
  size_t n = settle(copies, gather(copies, old));
  FaultResult result = FaultResult::ok;
  for (size_t i = 0; i < n; ++i) {
    auto made = make_copy(copies[i]);
    if (!made && copies[i].address == address_)
      result = made.error() == Errno::nomem ? FaultResult::oom : FaultResult::bus_adrerr;
  }
  swap_in(copies, n);
  for (size_t i = 0; i < n; ++i) {
    if (copies[i].fresh) put_page(*copies[i].fresh);
    if (Page* page = page_of_phys(copies[i].old.phys())) put_page(*page);
  }
  return result;
}

}  // namespace runsc::mm
