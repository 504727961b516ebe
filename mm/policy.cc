// mbind(2): where memory should come from. There is one node, so a policy is kept and shown, nothing more.
#include <algorithm>

#include "mm/address_space.h"

namespace runsc::mm {

Result<void> AddressSpace::set_policy(uint64_t address, uint64_t size, uint32_t policy) {
  VmaGrave grave;
  LockGuard guard(lock_);
  const uint64_t end = address + size;
  if (mapped_pages(address, end) != size / kPageSize) return Errno::fault;
  for (uint64_t at = address; at < end;) {
    const Vma* v = vmas_.find(at);
    if (!v) return Errno::fault;
    const uint64_t stop = std::min(end, v->end);
    TRY(isolate(at, stop));
    vmas_.find(at)->policy = policy;
    at = stop;
  }
  merge(address, end, grave);
  return {};
}

Result<uint32_t> AddressSpace::policy_at(uint64_t address) {
  SharedGuard guard(lock_);
  const Vma* v = vmas_.find(address);
  if (!v) return Errno::fault;
  return v->policy;
}

Result<bool> AddressSpace::has_page(uint64_t address) {
  SharedGuard guard(lock_);
  if (!vmas_.find(address)) return Errno::fault;
  const PteSlot slot = find_slot(user_space_, page_down(address));
  return slot && slot.load().present();
}

}  // namespace runsc::mm
