// Capabilities of files (capabilities(7), "File capabilities"): the extended attribute security.capability.
#pragma once

#include <span>

#include "fs/credentials.h"
#include "fs/inode.h"

namespace runsc::kernel {

inline constexpr const char* kFileCapsName = "security.capability";

struct FileCaps {
  bool present = false, effective = false;
  uint64_t permitted = 0, inheritable = 0;
  uint32_t root = 0;  // of the user namespace in which they count, and in those below
};
inline constexpr size_t kFileCapsMax = 24;

// What a value says. EINVAL.
Result<FileCaps> parse_file_caps(std::span<const std::byte> value);
// What a file has for `creds`: nothing where its file system keeps no such attribute. EINVAL: something else
// stands there.
Result<FileCaps> read_file_caps(fs::Inode& inode, const fs::Credentials& creds);
// What setxattr(2) keeps of a value; its size. EINVAL: a root that is nobody, or the oldest kind of value.
Result<size_t> file_caps_to_keep(const fs::Credentials& by, std::span<const std::byte> value,
                                 std::span<std::byte, kFileCapsMax> out);
// What getxattr(2) shows of a value that is kept, in its place; its size. EOVERFLOW: of others' namespaces.
Result<size_t> file_caps_to_show(const fs::Credentials& viewer, std::span<std::byte, kFileCapsMax> value,
                                 size_t size);

}  // namespace runsc::kernel
