#include "kernel/file_caps.h"

#include "fs/user_namespace.h"

namespace runsc::kernel {

namespace {

// struct vfs_cap_data, vfs_ns_cap_data of <linux/capability.h>; little-endian.
constexpr uint32_t kRevisionMask = 0xff000000, kRevision1 = 0x01000000, kRevision2 = 0x02000000,
                   kRevision3 = 0x03000000, kEffective = 1;
constexpr size_t kSize1 = 12, kSize2 = 20, kSize3 = 24, kRootWord = 5;
static_assert(kSize3 == kFileCapsMax);

uint32_t word(std::span<const std::byte> value, size_t n) {
  uint32_t w;
  __builtin_memcpy(&w, value.data() + n * sizeof w, sizeof w);
  return w;
}

void put_word(std::span<std::byte> value, size_t n, uint32_t w) {
  __builtin_memcpy(value.data() + n * sizeof w, &w, sizeof w);
}

// Whether this is root of the namespace, or of one above it.
bool is_root_over(const fs::UserNamespace* ns, uint32_t uid) {
  for (; ns; ns = ns->parent())
    if (fs::uid_in(ns, uid) == 0) return true;
  return uid == 0;
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
  if (revision == kRevision3) caps.root = word(value, kRootWord);
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

Result<FileCaps> read_file_caps(fs::Inode& inode, const fs::Credentials& creds) {
  std::byte value[kSize3];
  Result<size_t> size = inode.get_xattr(kFileCapsName, value);
  if (!size) {
    if (size.error() == Errno::range) return Errno::inval;
    return FileCaps{};
  }
  FileCaps caps = TRY(parse_file_caps(std::span(value).first(*size)));
  if (!is_root_over(creds.user_ns.get(), caps.root)) return FileCaps{};
  return caps;
}

Result<size_t> file_caps_to_keep(const fs::Credentials& by, std::span<const std::byte> value,
                                 std::span<std::byte, kFileCapsMax> out) {
  // The oldest kind has no place for whose it is.
  if (value.size() == kSize1) return Errno::inval;
  const FileCaps caps = TRY(parse_file_caps(value));
  __builtin_memcpy(out.data(), value.data(), value.size());
  if (value.size() == kSize2 && !by.user_ns) return value.size();
  const uint32_t root = fs::global_uid(by.user_ns.get(), caps.root);
  if (root == fs::kNoId) return Errno::inval;
  put_word(out, 0, (word(value, 0) & ~kRevisionMask) | kRevision3);
  put_word(out, kRootWord, root);
  return kSize3;
}

Result<size_t> file_caps_to_show(const fs::Credentials& viewer, std::span<std::byte, kFileCapsMax> value,
                                 size_t size) {
  const Result<FileCaps> caps = parse_file_caps(value.first(size));
  if (!caps || size == kSize1) return size;
  const uint32_t root = fs::uid_in(viewer.user_ns.get(), caps->root);
  const uint32_t flags = word(value, 0) & ~kRevisionMask;
  if (root != fs::kNoId && root != 0) {
    put_word(value, 0, flags | kRevision3);
    put_word(value, kRootWord, root);
    return kSize3;
  }
  if (!is_root_over(viewer.user_ns.get(), caps->root)) return Errno::overflow;
  put_word(value, 0, flags | kRevision2);
  return kSize2;
}

}  // namespace runsc::kernel
