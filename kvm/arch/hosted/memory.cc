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

namespace {

// The account that pays stands behind the object.
AccountId& account_behind(void* p, size_t size) { return *(static_cast<AccountId*>(p) + size); }

}  // namespace

// What malloc() keeps beside an object is paid for too.
size_t kalloc_takes(size_t size) {
  constexpr size_t kOverhead = 16;
  return size + kOverhead;
}

void* kalloc(size_t size) {
  const arch::CpuLocal& local = arch::cpu_local();
  if (g_accounts[local.account].has_room_for_objects() || local.unrefused) [[likely]]
    return kalloc_for(local.account, size);
  account_refused(local.account);
  return nullptr;
}

void* kalloc_for(AccountId account, size_t size) {
  void* p = nullptr;
  if (size < 64) {
    p = malloc(size + sizeof(AccountId));
  } else if (posix_memalign(&p, 64, size + sizeof(AccountId)) != 0) {
    return nullptr;
  }
  if (!p) return nullptr;
  account_behind(p, size) = account;
  account_add(arch::cpu_local().stock, account, static_cast<int64_t>(kalloc_takes(size)));
  g_bytes.fetch_add(size, std::memory_order_relaxed);
  return p;
}

void kfree(void* p, size_t size) {
  if (!p) return;
  account_add(arch::cpu_local().stock, account_behind(p, size), -static_cast<int64_t>(kalloc_takes(size)));
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
