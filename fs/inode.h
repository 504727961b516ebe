// Inode and SuperBlock: what a file system implements.
#pragma once

#include "fs/attr.h"
#include "fs/file.h"
#include "kernel/base/ref.h"
#include "kernel/base/string.h"

namespace runsc::fs {

struct FsStat {
  uint64_t type = 0, block_size = 4096, blocks = 0, free_blocks = 0, available_blocks = 0, files = 0,
           free_files = 0, name_length = 255, flags = 0;
};

class SuperBlock : public RefCounted<SuperBlock> {
 public:
  virtual ~SuperBlock() = default;
  virtual Ref<Inode> root() = 0;
  virtual std::string_view type_name() const = 0;  // "tmpfs", as in /proc/mounts
  virtual FsStat stat_fs() = 0;
  // False: names found here can change without us (procfs, shared host directories): dentries are looked up
  // again.
  virtual bool cache_names() const { return true; }
  virtual void show_options(TextSink& out) const { (void)out; }
  uint64_t dev() const { return dev_; }

 protected:
  SuperBlock();  // takes a fresh anonymous device number (major 0)
  uint64_t dev_;
};

// Who creates a node, and as what.
struct NewNode {
  uint32_t mode = 0;  // with type bits
  uint32_t uid = 0, gid = 0;
  uint64_t rdev = 0;
};

// Operations on directories get the name without '/', not "." or "..", at most 255 bytes; permissions have
// been checked by the caller (path_walk.cc, namei operations) with the generic rules over get_attr().
// Defaults: ENOTDIR for directory operations, EPERM for what a file system does not know.
class Inode : public RefCounted<Inode> {
 public:
  virtual ~Inode() = default;

  virtual Result<Attr> get_attr() = 0;
  virtual Result<void> set_attr(const SetAttr& attr) = 0;
  // Type bits of the mode; never changes.
  uint32_t type() const { return type_; }
  bool is_dir() const { return type_ == kDirectory; }
  SuperBlock& super() const { return super_; }

  virtual Result<Ref<Inode>> lookup(std::string_view name);  // ENOENT
  virtual Result<Ref<Inode>> create(std::string_view name,
                                    const NewNode& node);  // regular, FIFO, device, socket
  virtual Result<Ref<Inode>> make_dir(std::string_view name, const NewNode& node);
  virtual Result<Ref<Inode>> symlink(std::string_view name, std::string_view target, const NewNode& node);
  virtual Result<void> link(std::string_view name, Inode& target);
  virtual Result<void> unlink(std::string_view name, Inode& child);
  virtual Result<void> remove_dir(std::string_view name, Inode& child);
  // `replaced` may be null. flags: RENAME_EXCHANGE (2); NOREPLACE has been checked by the caller.
  virtual Result<void> rename(std::string_view name, Inode& child, Inode& new_dir, std::string_view new_name,
                              Inode* replaced, uint32_t flags);
  virtual Result<Ref<Inode>> tmpfile(const NewNode& node);  // O_TMPFILE; default EOPNOTSUPP
  virtual Result<String> read_link();                       // EINVAL unless a symbolic link
  // Magic links of procfs jump instead of reading a path. Empty path: not magic, follow read_link().
  virtual Result<Path> follow_magic();
  // A new open file description. Devices and FIFOs are routed by the VFS before this is called for them.
  virtual Result<Ref<File>> open(uint32_t flags) = 0;

  virtual Result<size_t> get_xattr(std::string_view name,
                                   std::span<std::byte> out);  // ENODATA; ERANGE; EOPNOTSUPP
  virtual Result<void> set_xattr(std::string_view name, std::span<const std::byte> value, int flags);
  virtual Result<void> remove_xattr(std::string_view name);
  virtual Result<size_t> list_xattr(std::span<char> out);

  Mutex lock{LockRank::inode};  // directory contents and multi-step changes

 protected:
  Inode(SuperBlock& super, uint32_t type) : super_(super), type_(type & kTypeMask) {}

 private:
  SuperBlock& super_;
  const uint32_t type_;
};

}  // namespace runsc::fs
