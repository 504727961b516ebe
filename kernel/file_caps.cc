#include "kernel/file_caps.h"

#include "fs/credentials.h"

namespace runsc::kernel {

namespace {

// struct vfs_cap_data, vfs_ns_cap_data of <linux/capability.h>; little-endian.
constexpr uint32_t kRevisionMask = 0xff000000, kRevision1 = 0x01000000, kRevision2 = 0x02000000,
                   kRevision3 = 0x03000000, kEffective = 1;
constexpr size_t kSize1 = 12, kSize2 = 20, kSize3 = 24;

uint32_t word(std::span<const std::byte> value, size_t n) {
  uint32_t w;
  __builtin_memcpy(&w, value.data() + n * sizeof w, sizeof w);
  return w;
}

}  // namespace

Result<FileCaps> parse_file_caps(std::span<const std::byte> value) {
  if (value.size() < sizeof(uint32_t)) return Errno::inval;
  const uint32_t magic = word(value, 0), revision = magic & kRevisionMask;
  const bool known = (revision == kRevision1 && value.size() == kSize1) ||
                     (revision == kRevision2 && value.size() == kSize2) ||
                     (revision == kRevision3 && value.size() == kSize3);
  if (!known) return Errno::inval;
  FileCaps caps;
  // Those of another user namespace's root mean nothing here.
  if (revision == kRevision3 && word(value, 5) != 0) return caps;
  caps.present = true;
  caps.effective = magic & kEffective;
  caps.permitted = word(value, 1);
  caps.inheritable = word(value, 2);
  if (revision != kRevision1) {
    caps.permitted |= uint64_t{word(value, 3)} << 32;
    caps.inheritable |= uint64_t{word(value, 4)} << 32;
  }
  caps.permitted &= fs::kAllCaps;
  caps.inheritable &= fs::kAllCaps;
  return caps;
}

Result<FileCaps> read_file_caps(fs::Inode& inode) {
  std::byte value[kSize3];
  Result<size_t> size = inode.get_xattr(kFileCapsName, value);
  if (!size) {
    if (size.error() == Errno::range) return Errno::inval;
    return FileCaps{};
  }
  return parse_file_caps(std::span(value).first(*size));
}

}  // namespace runsc::kernel
