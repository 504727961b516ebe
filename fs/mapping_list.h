// MappingList: which address spaces map a file, and under which name.
#pragma once

#include "fs/file.h"
#include "kernel/base/vec.h"
#include "mm/address_space.h"

namespace runsc::fs {

class MappingList {
 public:
  // mm's callbacks (mm::Mappable); called with the AddressSpace locked.
  void mapped(mm::AddressSpace& space);
  void unmapped(mm::AddressSpace& space);
  bool any() const { return total_.load(std::memory_order_acquire) != 0; }

  // Removes the PTEs of a range from all spaces. The caller holds no lock of rank address_space or above.
  void unmap(const mm::Mappable& file, uint64_t offset, uint64_t size, bool even_private_copies);

  // The path for /proc/PID/maps: set when a file is about to be mapped; it goes with the last mapping, or
  // when the file that set it is closed without one (it would keep the inode alive for ever).
  void set_name(const Path& path);
  void forget_unused_name();
  void describe(TextSink& out) const;

 private:
  struct Entry {
    mm::AddressSpace* space;
    uint32_t count;
    uint32_t round;
  };
  mutable Mutex lock_{LockRank::mapping};
  Vec<Entry> entries_ GUARDED_BY(lock_);
  uint32_t round_ GUARDED_BY(lock_) = 0;
  std::atomic<uint32_t> total_{0};
  Path name_ GUARDED_BY(lock_);
};

}  // namespace runsc::fs
