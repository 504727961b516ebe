// Capabilities of files (capabilities(7), "File capabilities"): the extended attribute security.capability.
#pragma once

#include <span>

#include "fs/inode.h"

namespace runsc::kernel {

inline constexpr const char* kFileCapsName = "security.capability";

struct FileCaps {
  bool present = false, effective = false;
  uint64_t permitted = 0, inheritable = 0;
};

// What a value says. EINVAL.
Result<FileCaps> parse_file_caps(std::span<const std::byte> value);
// What a file has: nothing where its file system keeps no such attribute. EINVAL: something else stands
// there.
Result<FileCaps> read_file_caps(fs::Inode& inode);

}  // namespace runsc::kernel
