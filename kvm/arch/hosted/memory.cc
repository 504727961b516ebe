#include <stdlib.h>

#include <atomic>

#include "kernel/base/alloc.h"
#include "kernel/base/alloc_stats.h"
#include "kvm/arch/hosted/guarded.h"
#include "kvm/arch/seam.h"

namespace runsc {

namespace {
std::atomic<uint64_t> g_bytes{0};
}

void* kalloc(size_t size) {
  void* p = nullptr;
  if (size < 64) {
    p = malloc(size);
  } else if (posix_memalign(&p, 64, size) != 0) {
    return nullptr;
  }
  if (p) g_bytes.fetch_add(size, std::memory_order_relaxed);
  return p;
}

void kfree(void* p, size_t size) {
  if (!p) return;
  g_bytes.fetch_sub(size, std::memory_order_relaxed);
  free(p);
}

uint64_t kalloc_bytes() { return g_bytes.load(std::memory_order_relaxed); }

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
