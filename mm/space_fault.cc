// AddressSpace::fault: finds the VMA, grows stacks; and what faults on behalf of others: populate, remote
// access.
#include <algorithm>

#include "kernel/base/cpu_hooks.h"
#include "mm/flags.h"
#include "mm/page_fault.h"

namespace runsc::mm {

FaultResult AddressSpace::fault(uint64_t address, uint32_t error) {
  if (address >= arch::kUserEnd) return FaultResult::maperr;
  for (;;) {
    {
      SharedGuard guard(lock_);
      const Vma* v = vmas_.first_ending_after(address);
      if (!v) return FaultResult::maperr;
      if (v->start <= address) return PageFault(*this, *v, address, error).run();
      if (!v->grows_down) return FaultResult::maperr;
    }
    FaultResult grown = grow_stack(address);
    if (grown != FaultResult::ok) return grown;
  }
}

// A stack grows to any address above the guard gap of the mapping below. Where traps are dear, by some pages
// at once.
FaultResult AddressSpace::grow_stack(uint64_t address) {
  LockGuard guard(lock_);
  Vma* v = vmas_.first_ending_after(address);
  if (!v || v->start <= address) return FaultResult::ok;  // grown or gone meanwhile: look again
  if (!v->grows_down) return FaultResult::maperr;
  if constexpr (arch::kTrapsAreDear) {
    constexpr uint64_t kStep = 16 * kPageSize;
    if (grow_down(*v, address & ~(kStep - 1))) return FaultResult::ok;
  }
  return grow_down(*v, page_down(address)) ? FaultResult::ok : FaultResult::maperr;
}

Result<void> AddressSpace::populate(uint64_t start, uint64_t end, bool write, bool stop_at_holes) {
  for (uint64_t at = start; at < end; at += kPageSize) {
    for (;;) {
      FaultResult r;
      bool again = false;
      {
        SharedGuard guard(lock_);
        const Vma* v = vmas_.find(at);
        if (!v) {
          if (stop_at_holes) return Errno::nomem;
          break;
        }
        bool can_write = write && has(v->prot, Prot::write);
        PteSlot slot = find_slot(user_space_, at);
        Pte pte = slot ? slot.load() : Pte();
        if (pte.present() && (!can_write || pte.writable())) break;
        r = PageFault(*this, *v, at, can_write ? kFaultWrite : 0).run();
        again = r == FaultResult::ok && pte.is_busy();
      }
      if (r == FaultResult::oom) return Errno::nomem;
      if (r != FaultResult::ok) return Errno::fault;
      if (!again) break;
      spin_relax(0);
    }
  }
  return {};
}

// One page's worth. EIO when the page cannot be had.
Result<size_t> AddressSpace::remote(uint64_t address, std::byte* bytes, size_t size, bool write) {
  size = std::min<size_t>(size, kPageSize - (address & kPageMask));
  uint64_t in_page = address & kPageMask;
  for (uint32_t round = 0;; ++round) {
    SharedGuard guard(lock_);
    const Vma* v = vmas_.find(address);
    if (!v) return Errno::io;
    PteSlot slot = find_slot(user_space_, page_down(address));
    Pte pte;
    if (slot) {
      // The copy is under the lock: a fault could replace the page meanwhile, and the write be lost.
      LockGuard pte_guard(user_space_.pte_lock);
      pte = slot.load();
      Page* page = pte.has_page() ? page_of_phys(pte.phys()) : nullptr;
      bool ours = page && pte.anon() && !is_zero_page(pte.phys()) && !v->shared &&
                  page->count.load(std::memory_order_acquire) == 1;
      if (page && (!write || pte.writable() || ours)) {
        std::byte* at = static_cast<std::byte*>(page_data(*page)) + in_page;
        __builtin_memcpy(write ? at : bytes, write ? bytes : at, size);
        return size;
      }
    }
    if (pte.has_page() && !write) {
      TRY(arch::copy_from_window(bytes, pte.phys() + in_page, size));
      return size;
    }
    if (pte.writable()) return Errno::io;  // a window page: its file is the way to write it
    if (write && v->shared && !has(v->prot, Prot::write)) return Errno::io;
    uint32_t error = kFaultForce | (write ? kFaultWrite : 0);
    if (PageFault(*this, *v, address, error).run() != FaultResult::ok || round > 1000) return Errno::io;
  }
}

Result<size_t> AddressSpace::read_remote(uint64_t address, std::span<std::byte> out) {
  size_t done = 0;
  while (done < out.size()) {
    auto n = remote(address + done, out.data() + done, out.size() - done, false);
    if (!n && done == 0) return n.error();
    if (!n) break;
    done += *n;
  }
  return done;
}

Result<size_t> AddressSpace::write_remote(uint64_t address, std::span<const std::byte> in) {
  size_t done = 0;
  while (done < in.size()) {
    auto n = remote(address + done, const_cast<std::byte*>(in.data()) + done, in.size() - done, true);
    if (!n && done == 0) return n.error();
    if (!n) break;
    done += *n;
  }
  return done;
}

}  // namespace runsc::mm
