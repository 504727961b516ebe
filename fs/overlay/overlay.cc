#include "fs/overlay/overlay.h"

#include "fs/dir_helpers.h"

namespace runsc::fs {

namespace {

constexpr uint64_t kOverlayMagic = 0x794c7630;
// Inode numbers of the upper layer start where no host file system counts to.
constexpr uint64_t kFirstUpperIno = uint64_t{1} << 52;
// Positions in a directory: lower names first, then upper ones from here on.
constexpr uint64_t kUpperPositions = uint64_t{1} << 48;

class OverlayDirFile final : public File {
 public:
  OverlayDirFile(uint32_t flags, Ref<OverlayDir> dir) : File(flags, dir), dir_(std::move(dir)) {}
  bool seekable() const override { return true; }
  Result<uint64_t> seek(int64_t offset, int whence, uint64_t current) override {
    return seek_in_directory(offset, whence, current);
  }
  Result<uint64_t> read_dir(DirSink& sink, uint64_t offset) override;
  Result<void> sync(bool) override { return {}; }

 private:
  Ref<OverlayDir> dir_;
};

Result<uint64_t> OverlayDirFile::read_dir(DirSink& sink, uint64_t offset) {
  uint64_t at = TRY(emit_dots(*this, sink, offset));
  if (at < 2) return at;
  TmpfsDir::Listed e;
  if (at < kUpperPositions) {
    Ref<HostListing> names = TRY(dir_->lower_names());
    for (; at - 2 < names->entries.size(); ++at) {
      const HostListing::Entry& below = names->entries[at - 2];
      TmpfsDir::Shown shown = dir_->upper_of(below.name.view(), e);
      if (shown == TmpfsDir::Shown::hidden) continue;
      bool same = shown == TmpfsDir::Shown::as_below;
      if (!sink.add(below.name.view(), same ? below.ino : e.ino, same ? below.type : e.type, at + 1))
        return at;
    }
    at = kUpperPositions;
  }
  while (dir_->next_upper(at - kUpperPositions, e)) {
    uint64_t next = kUpperPositions + e.position + 1;
    if (!sink.add({e.name, e.size}, e.ino, e.type, next)) return at;
    at = next;
  }
  return at;
}

}  // namespace

OverlaySuper::OverlaySuper(Ref<HostSuper> lower)
    : TmpfsSuper(kFirstUpperIno), lower_(std::move(lower)), lower_hold_(lower_) {}

Result<Ref<OverlaySuper>> OverlaySuper::create(Ref<HostSuper> lower) {
  MountHold hold(lower);  // if this fails, the lower root goes
  Ref<HostInode> lower_root = lower->host_root();
  if (!lower_root->is_dir()) return Errno::notdir;
  Attr attr = TRY(lower_root->get_attr());
  Ref<OverlaySuper> super = make_ref<OverlaySuper>(std::move(lower));
  if (!super) return Errno::nomem;
  super->root_ = make_ref<OverlayDir>(*super, attr, Ref<TmpfsDir>(), String(), std::move(lower_root));
  if (!super->root_) return Errno::nomem;
  return super;
}

FsStat OverlaySuper::stat_fs() {
  FsStat s = TmpfsSuper::stat_fs();
  s.type = kOverlayMagic;
  return s;
}

OverlayDir::OverlayDir(TmpfsSuper& super, const Attr& attr, Ref<TmpfsDir> parent, String name,
                       Ref<HostInode> lower)
    : TmpfsDir(super, attr, std::move(parent), std::move(name)), lower_(std::move(lower)) {}

Result<Ref<TmpfsInode>> OverlayDir::lookup_lower(std::string_view name) {
  Ref<HostInode> below = TRY(lower_->lookup_host(name));
  Attr attr = TRY(below->cached_attr());
  String own_name = TRY(String::from(name));
  Ref<TmpfsDir> parent(*this);
  Ref<TmpfsInode> node;
  switch (below->type()) {
    case kDirectory:
      node = make_ref<OverlayDir>(tmpfs(), attr, std::move(parent), std::move(own_name), std::move(below));
      break;
    case kRegular: {
      PageSource& source = *below;
      node = make_ref<TmpfsFile>(tmpfs(), attr, std::move(parent), std::move(own_name),
                                 Ref<Inode>(std::move(below)), source);
      break;
    }
    case kSymlink: {
      String target = TRY(below->read_link());
      node = make_ref<TmpfsSymlink>(tmpfs(), attr, std::move(parent), std::move(own_name), std::move(target));
      break;
    }
    default:
      node = make_ref<TmpfsNode>(tmpfs(), attr, std::move(parent), std::move(own_name));
  }
  if (!node) return Errno::nomem;
  return node;
}

// Every whiteout hides one name below.
Result<bool> OverlayDir::empty() {
  if (has_visible_entries()) return false;
  Ref<HostListing> names = TRY(lower_->listing());
  return whiteouts() >= names->entries.size();
}

Result<void> OverlayDir::load_lower_xattrs(XattrStore& store) { return copy_xattrs(*lower_, store); }

Result<Ref<File>> OverlayDir::open(uint32_t flags) {
  Ref<File> file = make_ref<OverlayDirFile>(flags, Ref<OverlayDir>(*this));
  if (!file) return Errno::nomem;
  return file;
}

}  // namespace runsc::fs
