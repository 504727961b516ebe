// tmpfs (tmpfs(5)): everything in memory. The overlay's upper layer is made of the same inodes: those that
// show an object of the lower layer start as "born below" and become permanent at their first change.
#pragma once

#include "fs/page_cache.h"
#include "fs/tmpfs/dir_table.h"
#include "fs/xattr_store.h"

namespace runsc::fs {

class TmpfsDir;

// F_ADD_SEALS of fcntl(2).
namespace seal {
inline constexpr uint32_t seal = 1, shrink = 2, grow = 4, write = 8, future_write = 16;
}

class TmpfsSuper : public SuperBlock {
 public:
  // data: "size=64k,mode=1777,uid=0,gid=0,nr_inodes=..". EINVAL, ENOMEM.
  static Result<Ref<SuperBlock>> mount(std::string_view source, std::string_view data);
  static Result<Ref<TmpfsSuper>> create(std::string_view data);

  Ref<Inode> root() override;
  std::string_view type_name() const override { return "tmpfs"; }
  FsStat stat_fs() override;
  void show_options(TextSink& out) const override;
  void unmounted() override;

  PageAccount account;
  uint64_t new_ino() { return next_ino_.fetch_add(1, std::memory_order_relaxed); }
  // ENOSPC: nr_inodes is reached.
  Result<void> charge_inode();
  void uncharge_inode() { inodes_.fetch_sub(1, std::memory_order_relaxed); }

 protected:
  TmpfsSuper() = default;
  explicit TmpfsSuper(uint64_t first_ino) : next_ino_(first_ino) {}
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  Ref<Inode> root_;

 private:
  Result<void> parse(std::string_view data, NewNode& root);
  std::atomic<uint64_t> next_ino_{1}, inodes_{0};
  uint64_t inode_limit_ = ~uint64_t{0};
  uint32_t root_mode_ = 01777;
};

class TmpfsInode : public Inode {
 public:
  ~TmpfsInode() override;

  Result<Attr> get_attr() override;
  Result<void> set_attr(const SetAttr& attr) override;
  Result<size_t> get_xattr(std::string_view name, std::span<std::byte> out) override;
  Result<void> set_xattr(std::string_view name, std::span<const std::byte> value, int flags) override;
  Result<void> remove_xattr(std::string_view name) override;
  Result<size_t> list_xattr(std::span<char> out) override;
  Result<void> prepare_write(bool truncate) override;

  uint64_t ino() const { return ino_; }
  TmpfsSuper& tmpfs() const { return static_cast<TmpfsSuper&>(super()); }

  // Born below: makes the whole way up permanent, so that changes stay. Any locks below LockRank::dcache may
  // be held.
  void make_permanent();
  bool permanent() const { return permanent_.load(std::memory_order_acquire); }

  // Link count and times; the directory operations call them.
  void change_links(int by);
  void touch(bool modified);  // ctime, and mtime too
  void touch_access();        // atime as "relatime" wants it
  uint32_t links() const;
  void set_charged() { charged_ = true; }  // counts against nr_inodes

 protected:
  TmpfsInode(TmpfsSuper& super, const NewNode& node);
  // Shows an object of the lower layer that `parent` has under `name`.
  TmpfsInode(TmpfsSuper& super, const Attr& attr, Ref<TmpfsDir> parent, String name);
  virtual Result<void> load_lower_xattrs(XattrStore& store) {
    (void)store;
    return {};
  }

  mutable SpinLock attr_lock_{LockRank::leaf};
  Attr attr_ GUARDED_BY(attr_lock_);

 private:
  friend class TmpfsDir;
  Result<XattrStore*> xattrs(bool make);
  Ref<TmpfsDir> birth_parent() const;
  void forget_birth();

  const uint64_t ino_;
  const bool born_below_ = false;
  void note_acl(XattrStore& store, std::string_view name);
  std::atomic<XattrStore*> xattrs_{nullptr};
  std::atomic<bool> has_acl_{false};  // some list of acl(5)
  std::atomic<bool> permanent_{true};
  Ref<TmpfsDir> birth_parent_ GUARDED_BY(attr_lock_);
  String birth_name_;  // constant
  bool charged_ = false;
};

class TmpfsFile final : public TmpfsInode {
 public:
  TmpfsFile(TmpfsSuper& super, const NewNode& node);
  // The file of the lower layer behind it: `keep` owns `source`.
  TmpfsFile(TmpfsSuper& super, const Attr& attr, Ref<TmpfsDir> parent, String name, Ref<Inode> keep,
            PageSource& source);
  Result<Attr> get_attr() override;
  Result<void> set_attr(const SetAttr& attr) override;
  Result<Ref<File>> open(uint32_t flags) override;
  PageCache& cache() { return cache_; }
  // How many open file descriptions there are of it, O_PATH left out.
  int32_t open_files() const { return open_files_.load(std::memory_order_seq_cst); }
  void count_open_file(int32_t by) { open_files_.fetch_add(by, std::memory_order_seq_cst); }
  std::atomic<uint32_t>* seals() override { return &seals_; }

 protected:
  Result<void> load_lower_xattrs(XattrStore& store) override;

 private:
  std::atomic<uint32_t> seals_{seal::seal};
  std::atomic<int32_t> open_files_{0};
  PageCache cache_;
  Ref<Inode> lower_;
};

class TmpfsSymlink final : public TmpfsInode {
 public:
  TmpfsSymlink(TmpfsSuper& super, const NewNode& node, String target);
  TmpfsSymlink(TmpfsSuper& super, const Attr& attr, Ref<TmpfsDir> parent, String name, String target);
  Result<String> read_link() override { return target_.clone(); }

 private:
  const String target_;
};

// FIFO, socket or device.
class TmpfsNode final : public TmpfsInode {
 public:
  TmpfsNode(TmpfsSuper& super, const NewNode& node) : TmpfsInode(super, node) {}
  TmpfsNode(TmpfsSuper& super, const Attr& attr, Ref<TmpfsDir> parent, String name)
      : TmpfsInode(super, attr, std::move(parent), std::move(name)) {}
};

// All extended attributes of `from` into `to`. ENOMEM.
Result<void> copy_xattrs(Inode& from, XattrStore& to);

}  // namespace runsc::fs
