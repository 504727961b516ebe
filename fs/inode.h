// Inode and SuperBlock: what a file system implements.
#pragma once

#include <span>
#include <string_view>

#include "fs/attr.h"
#include "fs/file.h"
#include "kernel/base/namespace.h"
#include "kernel/base/ref.h"
#include "kernel/base/string.h"

namespace runsc::fs {

struct FsStat {
  uint64_t type = 0, block_size = 4096, blocks = 0, free_blocks = 0, available_blocks = 0, files = 0,
           free_files = 0, name_length = 255, flags = 0;
};

class Dentry;
class Inode;

class SuperBlock : public RefCounted<SuperBlock> {
 public:
  virtual ~SuperBlock() = default;
  virtual Ref<Inode> root() = 0;
  // For file systems that one sees at several places: the dentry that all their mounts share. Null: each
  // mount has its own.
  virtual Ref<Dentry> root_dentry();
  virtual std::string_view type_name() const = 0;  // "tmpfs", as in /proc/mounts
  virtual FsStat stat_fs() = 0;
  // False: names found here can change without us (procfs, shared host directories): dentries are looked up
  // again.
  virtual bool cache_names() const { return true; }
  virtual void show_options(TextSink& out) const { (void)out; }
  // The last mount is gone: lets go of the root, so that inodes and super block can end (inodes hold the
  // super block).
  virtual void unmounted() {}
  // mount(2) with MS_REMOUNT: new options. EINVAL.
  virtual Result<void> remount(uint64_t flags, std::string_view data) {
    (void)flags, (void)data;
    return {};
  }
  // syncfs(2). What is in memory alone has nowhere to go. EIO.
  virtual Result<void> sync() { return {}; }
  // Somebody watches an inode, or does no more, or wants to hear of other events (notify::wanted()). May
  // sleep.
  virtual void watched(Inode& inode) { (void)inode; }
  uint64_t dev() const { return dev_; }
  // The user namespace whose root may administer it; null: the first. Set before it is mounted.
  Namespace* owner() const { return owner_.get(); }
  void set_owner(Ref<Namespace> owner) { owner_ = std::move(owner); }
  std::atomic<uint32_t> mount_count{0};

 protected:
  SuperBlock();  // takes a fresh anonymous device number (major 0)
  uint64_t dev_;

 private:
  friend class Inode;
  Ref<Namespace> owner_;
  SpinLock dying_lock_{LockRank::leaf};
  Inode* dying_ GUARDED_BY(dying_lock_) = nullptr;  // directories without users
  bool reaping_ GUARDED_BY(dying_lock_) = false;    // a task destroys them
};

// One reason for a super block to keep its root. With the last one it lets go of it.
class MountHold {
 public:
  explicit MountHold(Ref<SuperBlock> super) : super_(std::move(super)) {
    super_->mount_count.fetch_add(1, std::memory_order_relaxed);
  }
  MountHold(const MountHold&) = delete;
  ~MountHold();
  SuperBlock& super() const { return *super_; }

 private:
  const Ref<SuperBlock> super_;
};

// What others keep at an inode: the pipe of a FIFO, the socket bound to a name, the locks of a file.
class InodeAttachment : public RefCounted<InodeAttachment> {
 public:
  virtual ~InodeAttachment() = default;
};
enum class AttachmentKind : uint8_t { special, locks, leases };

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
  virtual ~Inode();

  virtual Result<Attr> get_attr() = 0;
  virtual Result<void> set_attr(const SetAttr& attr) = 0;
  // Type bits of the mode; never changes.
  uint32_t type() const { return type_; }
  bool is_dir() const { return type_ == kDirectory; }
  SuperBlock& super() const { return super_; }
  // Made anew by each lookup of its name: the cache of names does not keep it (nor with it, say, a task).
  virtual bool transient() const { return false; }

  virtual Result<Ref<Inode>> lookup(std::string_view name);  // ENOENT
  // It was looked up in `directory`, whose names are not cached: nodes that are made anew each time take a
  // number that stays.
  virtual void found_in(const Inode& directory, std::string_view name) { (void)directory, (void)name; }
  virtual Result<Ref<Inode>> create(std::string_view name,
                                    const NewNode& node);  // regular, FIFO, device, socket
  virtual Result<Ref<Inode>> make_dir(std::string_view name, const NewNode& node);
  virtual Result<Ref<Inode>> symlink(std::string_view name, std::string_view target, const NewNode& node);
  virtual Result<void> link(std::string_view name, Inode& target);
  virtual Result<void> unlink(std::string_view name, Inode& child);
  virtual Result<void> remove_dir(std::string_view name, Inode& child);
  // `replaced` may be null. flags: RENAME_EXCHANGE (2), of hostfs also RENAME_WHITEOUT (4); NOREPLACE has
  // been checked by the caller.
  virtual Result<void> rename(std::string_view name, Inode& child, Inode& new_dir, std::string_view new_name,
                              Inode* replaced, uint32_t flags);
  virtual Result<Ref<Inode>> tmpfile(const NewNode& node);  // O_TMPFILE; default EOPNOTSUPP
  virtual Result<String> read_link();                       // EINVAL unless a symbolic link
  // Magic links of procfs jump instead of reading a path. Empty path: not magic, follow read_link().
  virtual Result<Path> follow_magic();
  // A new open file description. The default serves devices and FIFOs (fs/special.h); file systems override
  // it for regular files and directories, and pass the rest on to it.
  virtual Result<Ref<File>> open(uint32_t flags);
  // Before the first write through a new writable open (after O_TRUNC has been done), and before links to it
  // are made: a file system may refuse, or copy up. `truncate`: O_TRUNC follows.
  virtual Result<void> prepare_write(bool truncate) {
    (void)truncate;
    return {};
  }

  virtual Result<size_t> get_xattr(std::string_view name,
                                   std::span<std::byte> out);  // ENODATA; ERANGE; EOPNOTSUPP
  virtual Result<void> set_xattr(std::string_view name, std::span<const std::byte> value, int flags);
  virtual Result<void> remove_xattr(std::string_view name);
  virtual Result<size_t> list_xattr(std::span<char> out);

  // A directory in which nothing can ever be: a place for others to mount on.
  virtual bool is_always_empty() const { return false; }
  // F_ADD_SEALS, F_GET_SEALS; null: no such thing.
  virtual std::atomic<uint32_t>* seals() { return nullptr; }

  // One object of each kind; null: none yet.
  Ref<InodeAttachment> attachment(AttachmentKind kind) const;
  // The one that is there, or `fresh` if there was none: who comes first wins.
  Ref<InodeAttachment> attach(AttachmentKind kind, Ref<InodeAttachment> fresh);
  void detach(AttachmentKind kind);

  // RefCounted's hook. A directory may be the last to keep another, and so on as deep as somebody had
  // patience: those of one file system die one after the other, by whichever task is at it already.
  void last_ref();

  Mutex lock{LockRank::inode};  // directory contents and multi-step changes

 protected:
  Inode(SuperBlock& super, uint32_t type);  // holds a count of `super`

 private:
  SuperBlock& super_;
  const uint32_t type_;
  Inode* next_dying_ = nullptr;
  mutable SpinLock attachment_lock_{LockRank::leaf};
  Ref<InodeAttachment> attachments_[3] GUARDED_BY(attachment_lock_);
};

}  // namespace runsc::fs
