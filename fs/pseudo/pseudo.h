// Nodes of file systems whose contents the kernel makes up: proc, sysfs.
#pragma once

#include "fs/inode.h"

namespace runsc::fs {

class PseudoSuper : public SuperBlock {
 public:
  // `type`: static text.
  PseudoSuper(std::string_view type, uint64_t magic) : type_(type), magic_(magic), born_(now_realtime()) {}
  Time born() const { return born_; }
  void set_root(Ref<Inode> root) { root_ = std::move(root); }
  void unmounted() override { root_ = {}; }
  Ref<Inode> root() override { return root_; }
  std::string_view type_name() const override { return type_; }
  FsStat stat_fs() override;
  bool cache_names() const override { return false; }
  uint64_t next_ino() { return next_ino_.fetch_add(1, std::memory_order_relaxed); }

 private:
  const std::string_view type_;
  const uint64_t magic_;
  const Time born_;
  Ref<Inode> root_;
  std::atomic<uint64_t> next_ino_{1};
};

class PseudoInode : public Inode {
 public:
  Result<Attr> get_attr() override;
  Result<void> set_attr(const SetAttr& attr) override;  // EPERM, but times are silently kept
  void set_owner(uint32_t uid, uint32_t gid) { uid_ = uid, gid_ = gid; }
  bool transient() const override { return true; }
  PseudoSuper& pseudo() const { return static_cast<PseudoSuper&>(super()); }
  uint64_t ino() const { return ino_.load(std::memory_order_relaxed); }
  // The number of what the directory with this number calls by this name.
  static uint64_t ino_in(uint64_t directory, std::string_view name);
  void found_in(const Inode& directory, std::string_view name) override;

 protected:
  PseudoInode(PseudoSuper& super, uint32_t mode)
      : Inode(super, mode), mode_(mode), ino_(super.next_ino()), born_(super.born()) {}
  const uint32_t mode_;
  std::atomic<uint64_t> ino_;  // settled where the name is found, at once or never
  const Time born_;
  uint32_t uid_ = 0, gid_ = 0;
};

// A file whose text is made at each read from offset 0.
class TextNode : public PseudoInode {
 public:
  Result<Ref<File>> open(uint32_t flags) override;
  virtual Result<void> show(TextSink& out) = 0;
  // A write(2), whole. Default EINVAL.
  virtual Result<void> store(std::string_view text);
  // Whether the current task may open it beyond the mode bits. Default: yes.
  virtual Result<void> check_open(uint32_t flags);

 protected:
  using PseudoInode::PseudoInode;
};

class DirNode : public PseudoInode {
 public:
  Result<Ref<File>> open(uint32_t flags) override;
  // Entries but "." and ".."; `offset` counts from 0 at will of the node; returns the new offset. Inode
  // numbers that it gives do not count: ino_in() makes them.
  virtual Result<uint64_t> list(DirSink& sink, uint64_t offset) = 0;
  // The process that a directory of procfs stands for; 0: it stands for none, -1: for one that is gone.
  virtual int32_t process() const { return 0; }
  // Nothing can be made here: ENOENT in proc, EPERM elsewhere, as Linux says it.
  Result<Ref<Inode>> create(std::string_view, const NewNode&) override { return refusal(); }
  Result<Ref<Inode>> make_dir(std::string_view, const NewNode&) override { return refusal(); }
  Result<Ref<Inode>> symlink(std::string_view, std::string_view, const NewNode&) override {
    return refusal();
  }

 protected:
  using PseudoInode::PseudoInode;

 private:
  Errno refusal() const { return pseudo().type_name() == "proc" ? Errno::noent : Errno::perm; }
};

class LinkNode : public PseudoInode {
 public:
  Result<Ref<File>> open(uint32_t) override { return Errno::loop; }
  Result<String> read_link() override = 0;

 protected:
  LinkNode(PseudoSuper& super, uint32_t mode = kSymlink | 0777) : PseudoInode(super, mode) {}
};

// ---- trees known at compile time
// -------------------------------------------------------------------------------

using ShowFunction = Result<void> (*)(TextSink& out);
using StoreFunction = Result<void> (*)(std::string_view text);

// A row of a static tree: text (show), a directory (children), a link (target), or made by a function.
struct StaticEntry {
  std::string_view name;
  uint32_t mode = 0444;  // without type bits
  ShowFunction show = nullptr;
  StoreFunction store = nullptr;
  const StaticEntry* children = nullptr;
  size_t child_count = 0;
  std::string_view target = {};
  Result<Ref<Inode>> (*make)(PseudoSuper& super) = nullptr;
  uint8_t make_type = 0;  // DT_* of what `make` gives
};

template <size_t N>
constexpr StaticEntry static_dir(std::string_view name, const StaticEntry (&children)[N],
                                 uint32_t mode = 0555) {
  StaticEntry e;
  e.name = name;
  e.mode = mode;
  e.children = children;
  e.child_count = N;
  return e;
}
constexpr StaticEntry static_text(std::string_view name, ShowFunction show, uint32_t mode = 0444,
                                  StoreFunction store = nullptr) {
  StaticEntry e;
  e.name = name;
  e.mode = mode;
  e.show = show;
  e.store = store;
  return e;
}
constexpr StaticEntry static_link(std::string_view name, std::string_view target) {
  StaticEntry e;
  e.name = name;
  e.mode = 0777;
  e.target = target;
  return e;
}

// Its entries are made once, on demand, and stay: what is mounted below one of them is found again.
class StaticDir : public DirNode {
 public:
  StaticDir(PseudoSuper& super, std::span<const StaticEntry> entries, uint32_t mode = 0555)
      : DirNode(super, kDirectory | mode), entries_(entries) {}
  bool transient() const override { return false; }
  Result<Ref<Inode>> lookup(std::string_view name) override;
  Result<uint64_t> list(DirSink& sink, uint64_t offset) override;
  bool is_always_empty() const override { return entries_.empty(); }

 protected:
  std::span<const StaticEntry> entries() const { return entries_; }
  static uint8_t type_of(const StaticEntry& e);

 private:
  Result<Ref<Inode>> make(const StaticEntry& entry);
  const std::span<const StaticEntry> entries_;
  Vec<Ref<Inode>> made_;  // by entry; under the lock of this inode
};

// Text of one line: for store functions.
std::string_view trimmed(std::string_view text);
Result<uint64_t> parse_decimal(std::string_view text);

}  // namespace runsc::fs
