// overlay: the container's root. An unchanging host directory below, memory above. Objects of the lower layer
// are shown by inodes of tmpfs that are born below (fs/tmpfs/tmpfs.h): their first change makes them
// permanent, bytes move up page by page as they are written, and directories of both layers are one inode, so
// that renames of directories need no copies. Hard links of the lower layer part at the first change of one
// of them, as in Linux's overlayfs without its index.
#pragma once

#include "fs/hostfs/hostfs.h"
#include "fs/tmpfs/tmpfs_dir.h"

namespace runsc::fs {

class OverlaySuper final : public TmpfsSuper {
 public:
  // ENOTDIR, ENOMEM.
  static Result<Ref<OverlaySuper>> create(Ref<HostSuper> lower);
  std::string_view type_name() const override { return "overlay"; }
  FsStat stat_fs() override;
  void show_options(TextSink&) const override {}

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  explicit OverlaySuper(Ref<HostSuper> lower);
  const Ref<HostSuper> lower_;
  const MountHold lower_hold_;
};

class OverlayDir final : public TmpfsDir {
 public:
  // `parent` null: the root.
  OverlayDir(TmpfsSuper& super, const Attr& attr, Ref<TmpfsDir> parent, String name, Ref<HostInode> lower);
  Result<Ref<File>> open(uint32_t flags) override;
  Result<Ref<HostListing>> lower_names() { return lower_->listing(); }

 protected:
  Result<Ref<TmpfsInode>> lookup_lower(std::string_view name) override;
  Result<bool> empty() override;
  Result<void> load_lower_xattrs(XattrStore& store) override;

 private:
  const Ref<HostInode> lower_;
};

}  // namespace runsc::fs
