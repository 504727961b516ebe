// Copies by page walk: each page is translated and moved under pte_lock, so that a shoot-down that follows a
// PTE store (made under the same lock) never meets a copy in progress.
#include <atomic>
#include <optional>

#include "kvm/arch/hosted/guarded.h"
#include "kvm/arch/seam.h"

namespace runsc::arch {

namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kPresent = 1, kWrite = 2, kUser = 4, kAccessed = 32, kDirty = 64, kLarge = 128;
constexpr uint64_t kAddressMask = 0x000ffffffffff000;

enum class Access : uint8_t { read, write };

// The guest-physical address of a user address, as the CPU would find it, Accessed and Dirty bits included;
// nothing if the access would fault.
std::optional<uint64_t> translate(const UserSpace& space, uint64_t address, Access access) {
  uint64_t table = space.root_phys;
  const uint64_t need = kPresent | kUser | (access == Access::write ? kWrite : 0);
  for (int level = 3;; --level) {
    const int shift = 12 + 9 * level;
    // SAFETY: mm keeps page tables in RAM, and unlinks them under pte_lock only.
    std::atomic_ref<uint64_t> entry(static_cast<uint64_t*>(phys_to_virt(table))[address >> shift & 511]);
    const uint64_t e = entry.load(std::memory_order_relaxed);
    if ((e & need) != need) return std::nullopt;
    const bool leaf = level == 0 || (e & kLarge);
    const uint64_t mark = kAccessed | (leaf && access == Access::write ? kDirty : 0);
    // KVM sets the same bits on behalf of vCPUs.
    if ((e & mark) != mark) entry.fetch_or(mark, std::memory_order_relaxed);
    if (!leaf) {
      table = e & kAddressMask;
      continue;
    }
    const uint64_t offset_mask = (uint64_t{1} << shift) - 1;
    return (e & kAddressMask & ~offset_mask) | (address & offset_mask);
  }
}

// Calls move(host address, bytes) -> bytes left for each page of the range until one faults. Bytes moved.
template <class Move>
size_t for_pages(UserSpace& space, uint64_t address, size_t size, Access access, Move&& move) {
  if (address >= kUserEnd) return 0;
  if (size > kUserEnd - address) size = kUserEnd - address;
  size_t done = 0;
  while (done < size) {
    const uint64_t at = address + done;
    size_t chunk = kPage - (at & (kPage - 1));
    if (chunk > size - done) chunk = size - done;
    LockGuard guard(space.pte_lock);
    std::optional<uint64_t> phys = translate(space, at, access);
    if (!phys) return done;
    if (size_t left = move(phys_to_virt(*phys), done, chunk)) return done + chunk - left;
    done += chunk;
  }
  return done;
}

}  // namespace

size_t copy_from_user(UserSpace& space, void* to, uint64_t from, size_t size) {
  return for_pages(space, from, size, Access::read, [&](void* page, size_t at, size_t n) {
    return runsc_guarded_copy(static_cast<std::byte*>(to) + at, page, n);
  });
}

size_t copy_to_user(UserSpace& space, uint64_t to, const void* from, size_t size) {
  return for_pages(space, to, size, Access::write, [&](void* page, size_t at, size_t n) {
    return runsc_guarded_copy(page, static_cast<const std::byte*>(from) + at, n);
  });
}

size_t zero_user(UserSpace& space, uint64_t to, size_t size) {
  return for_pages(space, to, size, Access::write,
                   [](void* page, size_t, size_t n) { return runsc_guarded_zero(page, n); });
}

bool user_load32(UserSpace& space, uint64_t address, uint32_t& value) {
  if (address >= kUserEnd || address % 4 != 0) return false;
  LockGuard guard(space.pte_lock);
  std::optional<uint64_t> phys = translate(space, address, Access::read);
  return phys && runsc_guarded_load32(phys_to_virt(*phys), &value);
}

bool user_cmpxchg32(UserSpace& space, uint64_t address, uint32_t expected, uint32_t desired, uint32_t& old) {
  if (address >= kUserEnd || address % 4 != 0) return false;
  LockGuard guard(space.pte_lock);
  std::optional<uint64_t> phys = translate(space, address, Access::write);
  return phys && runsc_guarded_cmpxchg32(phys_to_virt(*phys), expected, desired, &old);
}

}  // namespace runsc::arch
