// MappingUsers: how much of a file is mapped, and under which name it shows in /proc/PID/maps.
#pragma once

#include "fs/file.h"

namespace runsc::fs {

class MappingUsers {
 public:
  // mm's callbacks (mm::Mappable::mapped, unmapped), with the size of the range.
  void mapped(uint64_t size) { total_.fetch_add(size, std::memory_order_acq_rel); }
  void unmapped(uint64_t size);
  bool any() const { return total_.load(std::memory_order_acquire) != 0; }

  // The path for /proc/PID/maps: set when a file is about to be mapped; it goes with the last mapping, or
  // when the file that set it is closed without one (it would keep the inode alive for ever).
  void set_name(const Path& path);
  void forget_unused_name();
  void describe(TextSink& out) const;
  bool path(Path& out) const;  // false: it has none

 private:
  mutable Mutex lock_{LockRank::mapping};
  std::atomic<uint64_t> total_{0};  // bytes, counted once for each mapping
  Path name_ GUARDED_BY(lock_);
};

}  // namespace runsc::fs
