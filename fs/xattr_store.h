// Extended attributes in memory (xattr(7)). Locked inside; sleeps.
#pragma once

#include <span>

#include "kernel/base/lock.h"
#include "kernel/base/string.h"
#include "kernel/base/vec.h"

namespace runsc::fs {

class XattrStore final : public HeapObject {
 public:
  static constexpr size_t kMaxValue = 65536;
  // ENODATA; ERANGE when `out` is not empty and too small. The size of the value.
  Result<size_t> get(std::string_view name, std::span<std::byte> out) const;
  // flags: XATTR_CREATE (1) EEXIST, XATTR_REPLACE (2) ENODATA. ENOMEM, E2BIG.
  Result<void> set(std::string_view name, std::span<const std::byte> value, int flags);
  Result<void> remove(std::string_view name);  // ENODATA
  // Names with their NULs; ERANGE.
  Result<size_t> list(std::span<char> out) const;

 private:
  struct Entry {
    String name;
    String value;
  };
  mutable Mutex lock_{LockRank::inode_child};
  Vec<Entry> entries_ GUARDED_BY(lock_);
};

}  // namespace runsc::fs
