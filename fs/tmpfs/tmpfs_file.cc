#include "fs/acl.h"
#include "fs/dir_helpers.h"
#include "fs/tmpfs/tmpfs_dir.h"

namespace runsc::fs {

namespace {

class TmpfsRegularFile final : public File {
 public:
  TmpfsRegularFile(uint32_t flags, Ref<TmpfsFile> node) : File(flags, node), node_(std::move(node)) {
    node_->count_open_file(1);
  }
  ~TmpfsRegularFile() override {
    node_->count_open_file(-1);
    node_->cache().mappings().forget_unused_name();
  }

  bool seekable() const override { return true; }
  Result<size_t> read(mm::IoBuf& buf, uint64_t offset) override;
  Result<size_t> write(mm::IoBuf& buf, uint64_t offset) override;
  Result<uint64_t> seek(int64_t offset, int whence, uint64_t current) override;
  Result<mm::MappableRef> mappable(bool shared_write) override;
  Result<void> sync(bool) override { return {}; }
  Result<void> allocate(int mode, uint64_t offset, uint64_t size) override;

 private:
  Ref<TmpfsFile> node_;
};

Result<size_t> TmpfsRegularFile::read(mm::IoBuf& buf, uint64_t offset) {
  if (!(flags() & open_flag::noatime)) node_->touch_access();
  return node_->cache().read(buf, offset);
}

Result<size_t> TmpfsRegularFile::write(mm::IoBuf& buf, uint64_t offset) {
  if (buf.remaining() == 0) return size_t{0};
  if (node_->seals()->load(std::memory_order_relaxed) & (seal::write | seal::future_write))
    return Errno::perm;
  LockGuard guard(node_->lock);
  if (flags() & open_flag::append) offset = node_->cache().size();
  if ((node_->seals()->load(std::memory_order_relaxed) & seal::grow) &&
      offset + buf.remaining() > node_->cache().size())
    return Errno::perm;
  node_->touch(true);
  return node_->cache().write(buf, offset);
}

Result<uint64_t> TmpfsRegularFile::seek(int64_t offset, int whence, uint64_t current) {
  constexpr int kData = 3, kHole = 4;
  if (whence == kData || whence == kHole) {
    if (offset < 0) return Errno::nxio;
    uint64_t from = static_cast<uint64_t>(offset);
    return whence == kData ? node_->cache().next_data(from) : node_->cache().next_hole(from);
  }
  return seek_in_file(offset, whence, current, node_->cache().size());
}

Result<mm::MappableRef> TmpfsRegularFile::mappable(bool shared_write) {
  if (shared_write) {
    if (node_->seals()->load(std::memory_order_relaxed) & (seal::write | seal::future_write))
      return Errno::perm;
    node_->make_permanent();
    node_->cache().prepare_shared_writes();
  }
  if (path()) node_->cache().mappings().set_name(path());
  return mm::MappableRef(node_->cache());
}

// fallocate(2): plain, KEEP_SIZE (1), PUNCH_HOLE (2, with KEEP_SIZE), ZERO_RANGE (16).
Result<void> TmpfsRegularFile::allocate(int mode, uint64_t offset, uint64_t size) {
  constexpr int kKeepSize = 1, kPunchHole = 2, kZeroRange = 16;
  if (mode & ~(kKeepSize | kPunchHole | kZeroRange)) return Errno::opnotsupp;
  PageCache& cache = node_->cache();
  uint32_t seals = node_->seals()->load(std::memory_order_relaxed);
  LockGuard guard(node_->lock);
  if ((mode & (kPunchHole | kZeroRange)) && (seals & (seal::write | seal::future_write))) return Errno::perm;
  if (mode & kPunchHole) {
    if (!(mode & kKeepSize)) return Errno::opnotsupp;
    node_->touch(true);
    return cache.punch(offset, size);
  }
  bool grows = !(mode & kKeepSize) && offset + size > cache.size();
  if (grows && (seals & seal::grow)) return Errno::perm;
  node_->touch(true);
  if (mode & kZeroRange) TRY(cache.punch(offset, size));
  TRY(cache.allocate(offset, size));
  if (grows) TRY(cache.resize(offset + size));
  return {};
}

}  // namespace

TmpfsFile::TmpfsFile(TmpfsSuper& super, const NewNode& node)
    : TmpfsInode(super, node), cache_(*this, super.account, super.dev(), ino()) {}

TmpfsFile::TmpfsFile(TmpfsSuper& super, const Attr& attr, Ref<TmpfsDir> parent, String name, Ref<Inode> keep,
                     PageSource& source)
    : TmpfsInode(super, attr, std::move(parent), std::move(name)),
      cache_(*this, super.account, super.dev(), ino()),
      lower_(keep) {
  cache_.set_backing(std::move(keep), source, attr.size);
}

Result<Attr> TmpfsFile::get_attr() {
  Attr attr = TRY(TmpfsInode::get_attr());
  attr.size = cache_.size();
  if (!cache_.backed()) attr.blocks = 0;  // else: what the file of the lower layer has
  attr.blocks += cache_.pages() * (mm::kPageSize / 512);
  return attr;
}

Result<void> TmpfsFile::set_attr(const SetAttr& attr) {
  SetAttr rest = attr;
  if (attr.mask & SetAttr::kSize) {
    make_permanent();
    LockGuard guard(lock);
    uint32_t sealed = seals_.load(std::memory_order_relaxed);
    if ((attr.size > cache_.size() && (sealed & seal::grow)) ||
        (attr.size < cache_.size() && (sealed & seal::shrink)))
      return Errno::perm;
    TRY(cache_.resize(attr.size));
    touch(true);
    rest.mask &= ~(SetAttr::kSize | SetAttr::kMtimeNow);
    if (rest.mask == 0) return {};
  }
  return TmpfsInode::set_attr(rest);
}

Result<Ref<File>> TmpfsFile::open(uint32_t flags) {
  Ref<File> file = make_ref<TmpfsRegularFile>(flags, Ref<TmpfsFile>(*this));
  if (!file) return Errno::nomem;
  return file;
}

Result<void> TmpfsFile::load_lower_xattrs(XattrStore& store) {
  if (!lower_) return {};
  return copy_xattrs(*lower_, store);
}

// Values of one page at most, as the host's interface gives them.
Result<void> copy_xattrs(Inode& from, XattrStore& to) {
  constexpr size_t kRoom = 4096;
  struct Room : HeapObject {
    char names[kRoom];
    std::byte value[kRoom];
  };
  Unique<Room> room = make<Room>();
  if (!room) return Errno::nomem;
  Result<size_t> size = from.list_xattr(room->names);
  if (!size) return {};  // no attributes there
  std::string_view names(room->names, *size);
  while (!names.empty()) {
    std::string_view name = names.substr(0, names.find('\0'));
    names.remove_prefix(name.size() < names.size() ? name.size() + 1 : names.size());
    // The lists of the lower layer are not asked for at each lookup: nobody sees them, and nobody is kept out
    // by them.
    if (is_acl_name(name)) continue;
    Result<size_t> n = from.get_xattr(name, room->value);
    if (n) TRY(to.set(name, std::span<const std::byte>(room->value, *n), 0));
  }
  return {};
}

}  // namespace runsc::fs
