// TmpfsDir: a directory in memory; OverlayDir adds the lower layer to it.
#pragma once

#include "fs/tmpfs/tmpfs.h"

namespace runsc::fs {

class TmpfsDir : public TmpfsInode {
 public:
  TmpfsDir(TmpfsSuper& super, const NewNode& node);
  ~TmpfsDir() override;

  Result<Ref<Inode>> lookup(std::string_view name) override;
  Result<Ref<Inode>> create(std::string_view name, const NewNode& node) override;
  Result<Ref<Inode>> make_dir(std::string_view name, const NewNode& node) override;
  Result<Ref<Inode>> symlink(std::string_view name, std::string_view target, const NewNode& node) override;
  Result<void> link(std::string_view name, Inode& target) override;
  Result<void> unlink(std::string_view name, Inode& child) override;
  Result<void> remove_dir(std::string_view name, Inode& child) override;
  Result<void> rename(std::string_view name, Inode& child, Inode& new_dir, std::string_view new_name,
                      Inode* replaced, uint32_t flags) override;
  Result<Ref<Inode>> tmpfile(const NewNode& node) override;
  Result<Ref<File>> open(uint32_t flags) override;

  // What the open directory asks: the entry with the smallest position >= `from` that is not in the lower
  // layer.
  struct Listed {
    char name[256];
    size_t size = 0;
    uint64_t ino = 0, position = 0;
    uint8_t type = 0;
  };
  bool next_upper(uint64_t from, Listed& out);
  // How a name of the lower layer shows: hidden, or with the number and type of what took its place.
  enum class Shown : uint8_t { as_below, hidden, replaced };
  Shown upper_of(std::string_view name, Listed& out);

  // rename() with RENAME_WHITEOUT, not of an overlay: `left` is what the old name names from then on.
  Result<void> rename_leaving(std::string_view name, Inode& child, Inode& new_dir, std::string_view new_name,
                              Inode* replaced, const NewNode& left);

 protected:
  TmpfsDir(TmpfsSuper& super, const Attr& attr, Ref<TmpfsDir> parent, String name);
  // The child of the lower layer, born below with this directory as parent. ENOENT.
  virtual Result<Ref<TmpfsInode>> lookup_lower(std::string_view name) {
    (void)name;
    return Errno::noent;
  }
  virtual Result<bool> empty();
  size_t whiteouts();
  bool has_visible_entries();

  Result<void> add(std::string_view name, TmpfsInode& node);

 private:
  friend class TmpfsInode;
  // Takes the name away: whiteout or nothing in its place. The count that the entry held comes back.
  Ref<TmpfsInode> take(std::string_view name);
  // An entry made beforehand, so that nothing fails.
  void put_entry(Unique<DirEntry> entry, TmpfsInode& node);
  Result<void> move(std::string_view name, TmpfsInode& node, TmpfsDir& to, std::string_view new_name,
                    Inode* replaced);
  void put_child(DirEntry& entry, TmpfsInode& node) REQUIRES(table_lock_);
  void adopt(TmpfsInode& child);
  void forget_weak(TmpfsInode& child);
  Result<void> exchange(std::string_view name, TmpfsInode& child, TmpfsDir& other,
                        std::string_view other_name, TmpfsInode& other_child);

  SpinLock table_lock_{LockRank::dcache};
  DirTable table_ GUARDED_BY(table_lock_);
};

}  // namespace runsc::fs
