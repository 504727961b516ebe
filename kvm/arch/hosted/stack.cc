#include <sys/mman.h>

#include "kvm/arch/hosted/sanitizers.h"
#include "kvm/arch/seam.h"
#include "kvm/arch/stack_stats.h"

namespace runsc::arch {

namespace {

// Hostcalls are served on the caller's stack by host code; what is not touched costs only addresses.
constexpr size_t kStackSize = (RUNSC_ASAN || RUNSC_TSAN ? 1024 : 256) << 10;
constexpr size_t kGuard = 4096;
constexpr size_t kMaxCached = 128;

// Free stacks, linked through their last word.
SpinLock cache_lock{LockRank::leaf};
std::byte* cached = nullptr;
size_t cached_count = 0;

std::byte*& link(std::byte* base) {
  return *reinterpret_cast<std::byte**>(base + kStackSize - sizeof(void*));
}

}  // namespace

Result<KernelStack> stack_alloc() {
  {
    LockGuard guard(cache_lock);
    if (cached) {
      std::byte* base = cached;
      cached = link(base);
      --cached_count;
      return KernelStack{base, kStackSize};
    }
  }
  void* p = mmap(nullptr, kStackSize + kGuard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) return Errno::nomem;
  auto* base = static_cast<std::byte*>(p) + kGuard;
  if (mprotect(base, kStackSize, PROT_READ | PROT_WRITE) != 0) {
    munmap(p, kStackSize + kGuard);
    return Errno::nomem;
  }
  return KernelStack{base, kStackSize};
}

uint64_t stack_kept_bytes() { return 0; }

void stack_free(KernelStack stack) {
  if (!stack.base) return;
#if RUNSC_ASAN
  __asan_unpoison_memory_region(stack.base, stack.size);
#endif
  {
    LockGuard guard(cache_lock);
    if (cached_count < kMaxCached) {
      link(stack.base) = cached;
      cached = stack.base;
      ++cached_count;
      return;
    }
  }
  munmap(stack.base - kGuard, stack.size + kGuard);
}

}  // namespace runsc::arch
