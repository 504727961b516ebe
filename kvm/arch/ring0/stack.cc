#include "kernel/base/alloc.h"
#include "kernel/base/check.h"
#include "kvm/arch/ring0/boot_protocol.h"
#include "kvm/arch/ring0/per_cpu.h"
#include "kvm/arch/ring0/stack_area.h"
#include "kvm/arch/stack_stats.h"

namespace runsc::arch {

namespace {

constexpr uint64_t kPage = 4096;
constexpr size_t kStackSize = 8 * kPage;
constexpr size_t kStride = kStackSize + kPage;
constexpr uint64_t kAreaSize = uint64_t{512} << 30;
constexpr uint64_t kAddressMask = 0x000ffffffffff000;

alignas(4096) constinit uint64_t area_table[512] = {};  // the area's page directory pointers

SpinLock area_lock{LockRank::leaf};
// Stacks never leave the area: free ones are kept, linked through their last word.
constinit std::byte* free_stacks = nullptr;  // guarded by area_lock
constinit uint64_t area_used = 0;            // guarded by area_lock
constinit std::atomic<uint64_t> kept_stacks{0};

uint64_t image_phys(const void* p) {
  return reinterpret_cast<uint64_t>(p) - ring0::kImage + ring0::kImagePhys;
}

std::byte*& link(std::byte* base) {
  return *reinterpret_cast<std::byte**>(base + kStackSize - sizeof(void*));
}

Result<uint64_t*> next_table(uint64_t& entry) {
  if (entry == 0) {
    void* page = kalloc_for(kNoAccount, kPage);
    if (!page) return Errno::nomem;
    CHECK(reinterpret_cast<uint64_t>(page) % kPage == 0, "kalloc of a page is not aligned to one");
    __builtin_memset(page, 0, kPage);
    entry = virt_to_phys(page) | ring0::kPtePresent | ring0::kPteWrite | ring0::kPteAccessed;
  }
  return static_cast<uint64_t*>(phys_to_virt(entry & kAddressMask));
}

// The entry is not present yet, so no CPU has anything cached of it.
Result<void> map_page(uint64_t address, uint64_t phys) {
  uint64_t* directory = TRY(next_table(area_table[address >> 30 & 511]));
  uint64_t* table = TRY(next_table(directory[address >> 21 & 511]));
  table[address >> 12 & 511] = phys | ring0::kPtePresent | ring0::kPteWrite | ring0::kPteAccessed |
                               ring0::kPteDirty | ring0::kPteGlobal | ring0::kPteNx;
  return {};
}

}  // namespace

namespace ring0 {

void stack_area_init() {
  auto* root = static_cast<uint64_t*>(phys_to_virt(boot_root));
  root[kStackArea >> 39 & 511] = image_phys(area_table) | kPtePresent | kPteWrite | kPteAccessed;
}

}  // namespace ring0

Result<KernelStack> stack_alloc() {
  {
    LockGuard guard(area_lock);
    if (free_stacks) {
      std::byte* base = free_stacks;
      free_stacks = link(base);
      kept_stacks.fetch_sub(1, std::memory_order_relaxed);
      return KernelStack{base, kStackSize};
    }
  }
  void* memory = kalloc_for(kNoAccount, kStackSize);
  if (!memory) return Errno::nomem;
  CHECK(reinterpret_cast<uint64_t>(memory) % kPage == 0, "kalloc of pages is not aligned to one");
  bool mapped = true;
  uint64_t base = 0;
  // Tables come from kalloc too, which takes locks of lower rank: ready before area_lock is taken.
  static SpinLock map_lock{LockRank::none};
  {
    LockGuard guard(map_lock);
    base = ring0::kStackArea + area_used + kPage;
    mapped = area_used + kStride <= kAreaSize;
    for (uint64_t at = 0; mapped && at < kStackSize; at += kPage)
      mapped = map_page(base + at, virt_to_phys(memory) + at).has_value();
    if (mapped) area_used += kStride;
  }
  if (!mapped) {
    // A half mapped stack is mapped anew by the next caller.
    kfree(memory, kStackSize);
    return Errno::nomem;
  }
  return KernelStack{reinterpret_cast<std::byte*>(base), kStackSize};
}

void stack_free(KernelStack stack) {
  if (!stack.base) return;
  LockGuard guard(area_lock);
  link(stack.base) = free_stacks;
  free_stacks = stack.base;
  kept_stacks.fetch_add(1, std::memory_order_relaxed);
}

uint64_t stack_kept_bytes() { return kept_stacks.load(std::memory_order_relaxed) * kStackSize; }

void user_space_init(UserSpace& space) {
  const auto* boot = static_cast<const uint64_t*>(phys_to_virt(ring0::boot_root));
  auto* root = static_cast<uint64_t*>(phys_to_virt(space.root_phys));
  for (unsigned i = 256; i < 512; ++i) root[i] = boot[i];
}

}  // namespace runsc::arch
