#include "fs/dir_helpers.h"

#include "fs/mount.h"

namespace runsc::fs {

namespace {
constexpr uint8_t kDirType = kDirectory >> 12;
constexpr int64_t kMaxOffset = 0x7fffffffffffffff;

Result<uint64_t> plus(uint64_t base, int64_t offset) {
  if (offset < 0 ? 0 - static_cast<uint64_t>(offset) > base
                 : static_cast<uint64_t>(offset) > static_cast<uint64_t>(kMaxOffset) - base)
    return offset < 0 ? Errno::inval : Errno::overflow;
  return base + static_cast<uint64_t>(offset);
}
}  // namespace

Result<uint64_t> emit_dots(const File& directory, DirSink& sink, uint64_t offset) {
  if (offset == 0) {
    Attr self = TRY(directory.inode()->get_attr());
    if (!sink.add(".", self.ino, kDirType, 1)) return uint64_t{0};
    offset = 1;
  }
  if (offset == 1) {
    Inode* up = directory.inode();
    Ref<Dentry> parent;
    const Path& path = directory.path();
    if (path.dentry) {
      Path place = path.mount && path.dentry.get() == &path.mount->root() ? mount_place(*path.mount) : path;
      if (place.dentry) parent = place.dentry->parent();
      if (parent && parent->inode()) up = parent->inode();
    }
    Attr attr = TRY(up->get_attr());
    if (!sink.add("..", attr.ino, kDirType, 2)) return uint64_t{1};
    offset = 2;
  }
  return offset;
}

Result<uint64_t> seek_in_directory(int64_t offset, int whence, uint64_t current) {
  if (whence == 0) return plus(0, offset);
  if (whence == 1) return plus(current, offset);
  return Errno::inval;
}

Result<uint64_t> seek_in_file(int64_t offset, int whence, uint64_t current, uint64_t size) {
  switch (whence) {
    case 0:
      return plus(0, offset);
    case 1:
      return plus(current, offset);
    case 2:
      return plus(size, offset);
    default:
      return Errno::inval;
  }
}

}  // namespace runsc::fs
