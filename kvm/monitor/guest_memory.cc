#include "kvm/monitor/guest_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/falloc.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "kvm/monitor/kvm_ioctl.h"

namespace runsc::monitor {
namespace {

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

bool page_aligned(std::uint64_t value) { return value % kGuestPageSize == 0; }

// PROT_NONE memory that counts for nothing: what an unused part of the reservation looks like.
bool map_reserved(std::byte* where, std::uint64_t length, int extra_flags) {
  void* p =
      ::mmap(where, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | extra_flags, -1, 0);
  return p == where;
}

}  // namespace

Expected<std::uint64_t> WindowRanges::take(std::uint64_t length) {
  if (length == 0 || length > kWindowSize) return fail("file window: bad length");
  length = round_up(length, kWindowUnit);
  for (auto it = free_.begin(); it != free_.end(); ++it) {
    auto [start, size] = *it;
    if (size < length) continue;
    free_.erase(it);
    if (size > length) free_[start + length] = size - length;
    return start;
  }
  return fail("file window: no free range");
}

void WindowRanges::give_back(std::uint64_t start, std::uint64_t length) {
  length = round_up(length, kWindowUnit);
  auto next = free_.lower_bound(start);
  if (next != free_.end() && start + length == next->first) {
    length += next->second;
    next = free_.erase(next);
  }
  if (next != free_.begin()) {
    auto previous = std::prev(next);
    if (previous->first + previous->second == start) {
      previous->second += length;
      return;
    }
  }
  free_[start] = length;
}

Expected<std::unique_ptr<GuestMemory>> GuestMemory::create(int vm_fd, std::uint32_t max_slots,
                                                           std::uint64_t limit) {
  if (limit < kFirstSlotSize) limit = kFirstSlotSize;
  if (limit > kWindowPhys) {
    return fail(fmt::format("memory limit of {} bytes exceeds the {} GiB that a sandbox can have", limit,
                            kWindowPhys / kGiB));
  }
  std::unique_ptr<GuestMemory> memory(new GuestMemory);
  memory->vm_fd_ = vm_fd;
  memory->max_slots_ = max_slots;
  memory->limit_ = round_up(limit, kGuestPageSize);
  MON_TRY(memory->reserve());
  MON_TRY(memory->make_memfd());
  MON_TRY(memory->ensure(kFirstSlotSize));
  return memory;
}

GuestMemory::~GuestMemory() {
  if (base_ != nullptr) ::munmap(base_, kReservationSize);
}

Expected<void> GuestMemory::reserve() {
  // Aligned to 1 GiB so that the host may use large pages where its policy says so.
  std::uint64_t padded = kReservationSize + kGiB;
  void* p = ::mmap(nullptr, padded, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) {
    return fail_errno(fmt::format("cannot reserve {} GiB of addresses", padded / kGiB), errno);
  }
  auto start = reinterpret_cast<std::uintptr_t>(p);
  std::uintptr_t aligned = round_up(start, kGiB);
  if (aligned > start) ::munmap(p, aligned - start);
  std::uintptr_t end = aligned + kReservationSize;
  if (start + padded > end) ::munmap(reinterpret_cast<void*>(end), start + padded - end);
  base_ = reinterpret_cast<std::byte*>(aligned);
  return {};
}

Expected<void> GuestMemory::make_memfd() {
  memfd_.reset(::memfd_create("runsc-memory", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memfd_.valid()) return fail_errno("memfd_create for guest memory", errno);
  if (::ftruncate(memfd_.get(), static_cast<off_t>(limit_)) < 0) {
    return fail_errno(fmt::format("cannot size guest memory to {} bytes", limit_), errno);
  }
  if (::fcntl(memfd_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
    return fail_errno("sealing guest memory", errno);
  }
  void* p =
      ::mmap(base_, limit_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, memfd_.get(), 0);
  if (p == MAP_FAILED) return fail_errno(fmt::format("cannot map {} bytes of guest memory", limit_), errno);
  // A core dump of the monitor shall not hold the application's memory.
  ::madvise(base_, limit_, MADV_DONTDUMP);
  return {};
}

Expected<void> GuestMemory::add_slot_locked(std::uint64_t phys, std::uint64_t length) {
  if (slots_ >= max_slots_) return fail(fmt::format("KVM has no memory slot left ({} in use)", slots_));
  kvm_userspace_memory_region region{};
  region.slot = slots_;
  region.guest_phys_addr = phys;
  region.memory_size = length;
  region.userspace_addr = reinterpret_cast<std::uintptr_t>(base_ + phys);
  if (::ioctl(vm_fd_, KVM_SET_USER_MEMORY_REGION, &region) < 0) {
    return fail_errno(fmt::format("KVM memory slot {} of {} MiB", slots_, length / kMiB), errno);
  }
  ++slots_;
  return {};
}

std::uint64_t GuestMemory::ram_end() const {
  std::scoped_lock lock(mutex_);
  return ram_end_;
}

std::uint32_t GuestMemory::slot_count() const {
  std::scoped_lock lock(mutex_);
  return slots_;
}

Expected<void> GuestMemory::ensure(std::uint64_t phys_end) {
  if (phys_end > limit_) return fail("guest memory beyond the sandbox's limit");
  std::scoped_lock lock(mutex_);
  while (ram_end_ < phys_end) {
    std::uint64_t next;
    if (ram_end_ < kFirstSlotSize) {
      next = kFirstSlotSize;
    } else {
      next = round_up(ram_end_ + 1, ram_end_ < kLargeSlotsFrom ? kSmallSlotStep : kLargeSlotStep);
    }
    next = std::min(next, limit_);
    MON_TRY(add_slot_locked(ram_end_, next - ram_end_));
    ram_end_ = next;
  }
  return {};
}

Expected<void> GuestMemory::release(std::span<const PhysRange> ranges) {
  for (const PhysRange& r : ranges) {
    if (!page_aligned(r.phys) || !page_aligned(r.size) || r.size == 0 || !valid_ram(r.phys, r.size)) {
      return fail("release of memory that is not whole pages of guest RAM");
    }
  }
  for (const PhysRange& r : ranges) {
    if (::fallocate(memfd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(r.phys),
                    static_cast<off_t>(r.size)) < 0) {
      return fail_errno("giving guest memory back", errno);
    }
  }
  return {};
}

Expected<void> GuestMemory::ensure_window_locked(std::uint64_t phys_end) {
  while (window_end_ < phys_end) {
    MON_TRY(add_slot_locked(window_end_, kSmallSlotStep));
    window_end_ += kSmallSlotStep;
  }
  return {};
}

Expected<std::uint64_t> GuestMemory::window_map(int fd, std::uint64_t offset, std::uint64_t length,
                                                bool writable) {
  if (length == 0 || !page_aligned(length) || !page_aligned(offset) ||
      offset > static_cast<std::uint64_t>(INT64_MAX) - length) {
    return fail("file window: not whole pages");
  }
  std::scoped_lock lock(mutex_);
  if (mapped_.size() >= kMostWindowMappings) return fail("file window: too many mappings");
  std::uint64_t phys = MON_TRY(ranges_.take(length));
  Expected<void> slots = ensure_window_locked(phys + round_up(length, kWindowUnit));
  if (!slots) {
    ranges_.give_back(phys, length);
    return std::unexpected(slots.error());
  }
  int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  void* p = ::mmap(base_ + phys, length, protection, MAP_SHARED | MAP_FIXED, fd, static_cast<off_t>(offset));
  if (p == MAP_FAILED) {
    int code = errno;
    ranges_.give_back(phys, length);
    return fail_errno("mapping a host file", code);
  }
  mapped_[phys] = length;
  return phys;
}

Expected<void> GuestMemory::window_unmap(std::uint64_t phys) {
  std::scoped_lock lock(mutex_);
  auto it = mapped_.find(phys);
  if (it == mapped_.end()) return fail("file window: no mapping starts there");
  if (!map_reserved(base_ + phys, it->second, MAP_FIXED)) return fail_errno("unmapping a host file", errno);
  ranges_.give_back(phys, it->second);
  mapped_.erase(it);
  return {};
}

}  // namespace runsc::monitor
