#include <stdlib.h>

#include "kernel/base/alloc.h"
#include "kvm/arch/hosted/guarded.h"
#include "kvm/arch/seam.h"

namespace runsc {

void* kalloc(size_t size) {
  if (size < 64) return malloc(size);
  void* p = nullptr;
  return posix_memalign(&p, 64, size) == 0 ? p : nullptr;
}

void kfree(void* p, size_t) { free(p); }

namespace arch {

Result<void> direct_map_extend(uint64_t) {
  return {};
}  // the reservation covers every guest-physical address

Result<void> copy_from_window(void* to, uint64_t window_phys, size_t size) {
  if (runsc_guarded_copy(to, phys_to_virt(window_phys), size) != 0) return Errno::io;
  return {};
}

}  // namespace arch

}  // namespace runsc
