// Guest-physical memory: sandbox RAM in one sparse memfd, and the window that shows host files.
//
// One reservation of host addresses covers the whole guest-physical space in use, so that
//     host address = host_base() + guest-physical address
// holds for RAM and window alike. RAM is mapped once, up to the sandbox's limit, and costs nothing until it
// is touched; KVM is told of it in slots, added as the guest grows, because a slot costs time and kernel
// memory by its size. The mapping that the slots name is the one that the hosted sentry uses as its direct
// map: madvise(MADV_DONTNEED) on it makes KVM drop its translations of a page (see README.md, "Shadow
// paging").
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>

#include "kvm/hostcall/boot_info.h"
#include "kvm/monitor/error.h"
#include "kvm/monitor/unique_fd.h"

namespace runsc::monitor {

inline constexpr std::uint64_t kGuestPageSize = 4096;
inline constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
inline constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

inline constexpr std::uint64_t kWindowPhys = hostcall::kWindowBase;
inline constexpr std::uint64_t kWindowSize = hostcall::kWindowSize;
inline constexpr std::uint64_t kReservationSize = kWindowPhys + kWindowSize;
inline constexpr std::uint64_t kFirstSlotSize = 16 * kMiB;
inline constexpr std::uint64_t kSmallSlotStep = 256 * kMiB;
inline constexpr std::uint64_t kLargeSlotStep = 1 * kGiB;
// Below this address RAM grows by small steps, above it by large ones: keeps the number of slots low.
inline constexpr std::uint64_t kLargeSlotsFrom = 4 * kGiB;
// Window ranges start and end on multiples of this, so that few, large host mappings are made.
inline constexpr std::uint64_t kWindowUnit = 64 << 10;
// Each splits the reservation: together they stay below the kernel's limit for a process (vm.max_map_count,
// 65530).
inline constexpr std::size_t kMostWindowMappings = 24 << 10;

using hostcall::PhysRange;

// First-fit allocator of window ranges. Not thread-safe: its owner locks.
class WindowRanges {
 public:
  WindowRanges() { free_[kWindowPhys] = kWindowSize; }
  // Start of a free range of at least `length` bytes (rounded up to kWindowUnit), now taken.
  Expected<std::uint64_t> take(std::uint64_t length);
  void give_back(std::uint64_t start, std::uint64_t length);
  std::size_t fragments() const { return free_.size(); }

 private:
  std::map<std::uint64_t, std::uint64_t> free_;  // start -> length, no two adjacent
};

// Thread-safe.
class GuestMemory {
 public:
  // `vm_fd` and `max_slots` are borrowed facts of the VM; the first RAM slot exists on return. `limit` is
  // rounded up to whole pages; errors: limit too large for the address space, memfd or address space not to
  // be had.
  static Expected<std::unique_ptr<GuestMemory>> create(int vm_fd, std::uint32_t max_slots,
                                                       std::uint64_t limit);
  ~GuestMemory();
  GuestMemory(const GuestMemory&) = delete;
  GuestMemory& operator=(const GuestMemory&) = delete;

  std::byte* host_base() const { return base_; }
  std::uint64_t limit() const { return limit_; }
  int memfd() const { return memfd_.get(); }
  // End of the RAM that KVM has slots for.
  std::uint64_t ram_end() const;
  std::uint32_t slot_count() const;

  // Adds slots until all RAM below `phys_end` is backed. Beyond the limit: an error.
  Expected<void> ensure(std::uint64_t phys_end);

  // Gives whole pages back to the host; they read as zero afterwards. Every range must pass valid_ram().
  Expected<void> release(std::span<const PhysRange> ranges);

  // Shows `length` bytes (page multiples) of a host file from `offset` on; the answer is the guest-physical
  // address. The mapping is shared: coherent with the host's writes. Each costs one host mapping
  // (vm.max_map_count).
  Expected<std::uint64_t> window_map(int fd, std::uint64_t offset, std::uint64_t length, bool writable);

  // Takes back exactly what window_map() gave. KVM's translations of it are gone on return.
  Expected<void> window_unmap(std::uint64_t phys);

  // Whether [phys, phys + length) is RAM below the limit. Safe for any values.
  bool valid_ram(std::uint64_t phys, std::uint64_t length) const {
    return phys <= limit_ && length <= limit_ - phys;
  }

  // RAM as host bytes; the caller has checked valid_ram(). The guest may change them at any time.
  std::byte* at(std::uint64_t phys) const { return base_ + phys; }

  bool owns_window_address(const void* address) const {
    auto a = reinterpret_cast<std::uintptr_t>(address);
    auto start = reinterpret_cast<std::uintptr_t>(base_) + kWindowPhys;
    return a >= start && a - start < kWindowSize;
  }

 private:
  GuestMemory() = default;
  Expected<void> reserve();
  Expected<void> make_memfd();
  Expected<void> add_slot_locked(std::uint64_t phys, std::uint64_t length);
  Expected<void> ensure_window_locked(std::uint64_t phys_end);

  int vm_fd_ = -1;
  std::uint32_t max_slots_ = 0;
  std::uint64_t limit_ = 0;
  std::byte* base_ = nullptr;
  UniqueFd memfd_;

  mutable std::mutex mutex_;
  std::uint32_t slots_ = 0;    // guarded by mutex_; slots are numbered in order and never removed
  std::uint64_t ram_end_ = 0;  // guarded by mutex_
  std::uint64_t window_end_ = kWindowPhys;         // guarded by mutex_
  WindowRanges ranges_;                            // guarded by mutex_
  std::map<std::uint64_t, std::uint64_t> mapped_;  // guarded by mutex_; window mappings: start -> length
};

}  // namespace runsc::monitor
