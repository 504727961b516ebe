#include "kvm/arch/seam.h"

namespace runsc::arch {

void TlbBatch::add(uint64_t address, uint64_t old_phys, uint64_t size) {
  Hull& hull = old_phys < hostcall::kWindowBase ? ram : window;
  if (old_phys < hull.low) hull.low = old_phys;
  if (old_phys + size > hull.high) hull.high = old_phys + size;
  if (everything) return;
  if (count > 0) {
    Range& last = ranges[count - 1];
    if (last.address + last.size == address && last.old_phys + last.size == old_phys) {
      last.size += size;
      return;
    }
    if (address + size == last.address && old_phys + size == last.old_phys) {
      last.address = address;
      last.old_phys = old_phys;
      last.size += size;
      return;
    }
  }
  if (count == kMax) {
    everything = true;
    return;
  }
  ranges[count++] = {address, old_phys, size};
}

}  // namespace runsc::arch
