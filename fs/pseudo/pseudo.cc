#include "fs/pseudo/pseudo.h"

namespace runsc::fs {

namespace {

constexpr uint8_t kDtChr = 2, kDtDir = 4, kDtReg = 8, kDtLnk = 10;
constexpr size_t kMaxStore = 4096;

// lseek(2) over a made-up length.
Result<uint64_t> plain_seek(int64_t offset, int whence, uint64_t current) {
  if (whence == 1) offset += static_cast<int64_t>(current);
  if (whence > 1 || offset < 0) return Errno::inval;
  return static_cast<uint64_t>(offset);
}

class TextFile final : public File {
 public:
  TextFile(uint32_t flags, Ref<TextNode> node) : File(flags, node), node_(std::move(node)) {}
  bool seekable() const override { return true; }
  Result<uint64_t> seek(int64_t offset, int whence, uint64_t current) override {
    return plain_seek(offset, whence, current);
  }

  Result<size_t> read(mm::IoBuf& buf, uint64_t offset) override {
    Vec<char> fresh;
    bool make_fresh;
    {
      LockGuard guard(lock_);
      make_fresh = offset == 0 || !made_;
    }
    if (make_fresh) {
      HeapText text;
      TRY(node_->show(text));
      TRY(text.status());
      fresh = text.take();
    }
    LockGuard guard(lock_);
    if (make_fresh) {
      text_ = std::move(fresh);
      made_ = true;
    }
    if (offset >= text_.size()) return size_t{0};
    size_t n = text_.size() - offset;
    if (n > buf.remaining()) n = buf.remaining();
    return buf.put(text_.data() + offset, n);
  }

  Result<size_t> write(mm::IoBuf& buf, uint64_t) override {
    size_t n = buf.remaining();
    if (n > kMaxStore) return Errno::inval;
    Vec<char> text;
    TRY(text.resize(n));
    if (n > 0 && TRY(buf.get(text.data(), n)) != n) return Errno::fault;
    TRY(node_->store({text.data(), n}));
    return n;
  }

 private:
  const Ref<TextNode> node_;
  Mutex lock_{LockRank::inode};
  Vec<char> text_ GUARDED_BY(lock_);
  bool made_ GUARDED_BY(lock_) = false;
};

class DirFile final : public File {
 public:
  DirFile(uint32_t flags, Ref<DirNode> node) : File(flags, node), node_(std::move(node)) {}
  bool seekable() const override { return true; }
  Result<uint64_t> seek(int64_t offset, int whence, uint64_t current) override {
    return plain_seek(offset, whence, current);
  }
  Result<size_t> read(mm::IoBuf&, uint64_t) override { return Errno::isdir; }

  // Offsets 0 and 1 are "." and ".."; 2 + n is the node's n.
  Result<uint64_t> read_dir(DirSink& sink, uint64_t offset) override {
    if (offset == 0) {
      if (!sink.add(".", node_->ino(), kDtDir, 1)) return offset;
      offset = 1;
    }
    if (offset == 1) {
      if (!sink.add("..", node_->ino(), kDtDir, 2)) return offset;
      offset = 2;
    }
    class Shifted final : public DirSink {
     public:
      Shifted(DirSink& to, uint64_t directory) : to_(to), directory_(directory) {}
      bool add(std::string_view name, uint64_t, uint8_t type, uint64_t next) override {
        return to_.add(name, PseudoInode::ino_in(directory_, name), type, next + 2);
      }

     private:
      DirSink& to_;
      const uint64_t directory_;
    } shifted(sink, node_->ino());
    return TRY(node_->list(shifted, offset - 2)) + 2;
  }

 private:
  const Ref<DirNode> node_;
};

class StaticText final : public TextNode {
 public:
  StaticText(PseudoSuper& super, const StaticEntry& entry)
      : TextNode(super, kRegular | entry.mode), entry_(entry) {}
  bool transient() const override { return false; }
  Result<void> show(TextSink& out) override { return entry_.show(out); }
  Result<void> store(std::string_view text) override {
    if (!entry_.store) return Errno::inval;
    return entry_.store(text);
  }

 private:
  const StaticEntry& entry_;
};

class StaticLink final : public LinkNode {
 public:
  StaticLink(PseudoSuper& super, std::string_view target) : LinkNode(super), target_(target) {}
  bool transient() const override { return false; }
  Result<String> read_link() override { return String::from(target_); }

 private:
  const std::string_view target_;
};

}  // namespace

FsStat PseudoSuper::stat_fs() {
  FsStat s;
  s.type = magic_;
  return s;
}

// FNV-1a of the way there, above the numbers that next_ino() gives out.
uint64_t PseudoInode::ino_in(uint64_t directory, std::string_view name) {
  constexpr uint64_t kPrime = 0x100000001b3, kBasis = 0xcbf29ce484222325, kBits = (uint64_t{1} << 46) - 1;
  uint64_t hash = kBasis;
  for (unsigned shift = 0; shift < 64; shift += 8) hash = (hash ^ (directory >> shift & 0xff)) * kPrime;
  for (char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * kPrime;
  return (hash & kBits) | (kBits + 1);
}

void PseudoInode::found_in(const Inode& directory, std::string_view name) {
  // Nodes of these file systems alone are found in their directories.
  ino_.store(ino_in(static_cast<const PseudoInode&>(directory).ino(), name), std::memory_order_relaxed);
}

Result<Attr> PseudoInode::get_attr() {
  Attr a;
  a.dev = super().dev();
  a.ino = ino();
  a.mode = mode_;
  a.nlink = is_dir() ? 2 : 1;
  a.uid = uid_;
  a.gid = gid_;
  a.block_size = 1024;
  a.atime = a.mtime = a.ctime = a.btime = born_;
  return a;
}

Result<void> PseudoInode::set_attr(const SetAttr& attr) {
  // open(O_TRUNC) and utimes are let through without effect, as proc does.
  constexpr uint32_t kHarmless =
      SetAttr::kSize | SetAttr::kAtime | SetAttr::kMtime | SetAttr::kAtimeNow | SetAttr::kMtimeNow;
  if (attr.mask & ~kHarmless) return Errno::perm;
  return {};
}

Result<void> TextNode::store(std::string_view) { return Errno::inval; }
Result<void> TextNode::check_open(uint32_t) { return {}; }

Result<Ref<File>> TextNode::open(uint32_t flags) {
  TRY(check_open(flags));
  Ref<File> file = make_ref<TextFile>(flags, Ref<TextNode>(*this));
  if (!file) return Errno::nomem;
  return file;
}

Result<Ref<File>> DirNode::open(uint32_t flags) {
  Ref<File> file = make_ref<DirFile>(flags, Ref<DirNode>(*this));
  if (!file) return Errno::nomem;
  return file;
}

uint8_t StaticDir::type_of(const StaticEntry& e) {
  if (e.make) return e.make_type;
  if (e.children) return kDtDir;
  return e.show ? kDtReg : e.target.empty() ? kDtChr : kDtLnk;
}

Result<Ref<Inode>> StaticDir::lookup(std::string_view name) {
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].name != name) continue;
    if (made_.empty()) TRY(made_.resize(entries_.size()));
    if (!made_[i]) made_[i] = TRY(make(entries_[i]));
    return made_[i];
  }
  return Errno::noent;
}

Result<Ref<Inode>> StaticDir::make(const StaticEntry& e) {
  if (e.make) return e.make(pseudo());
  Ref<Inode> node;
  if (e.children)
    node = make_ref<StaticDir>(pseudo(), std::span(e.children, e.child_count), e.mode);
  else if (e.show)
    node = make_ref<StaticText>(pseudo(), e);
  else
    node = make_ref<StaticLink>(pseudo(), e.target);
  if (!node) return Errno::nomem;
  return node;
}

Result<uint64_t> StaticDir::list(DirSink& sink, uint64_t offset) {
  for (; offset < entries_.size(); ++offset) {
    const StaticEntry& e = entries_[offset];
    if (!sink.add(e.name, 0, type_of(e), offset + 1)) break;
  }
  return offset;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ' || text.back() == 0))
    text.remove_suffix(1);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return text;
}

Result<uint64_t> parse_decimal(std::string_view text) {
  text = trimmed(text);
  if (text.empty()) return Errno::inval;
  uint64_t v = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return Errno::inval;
    if (v > (~uint64_t{0} - 9) / 10) return Errno::inval;
    v = v * 10 + static_cast<uint64_t>(c - '0');
  }
  return v;
}

}  // namespace runsc::fs
