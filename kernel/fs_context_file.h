// What fsopen(2) and fspick(2) give: a file system in the making, or to be configured anew.
#pragma once

#include <optional>

#include "fs/file.h"
#include "fs/mount.h"
#include "kernel/base/string.h"
#include "kernel/task.h"

namespace runsc::kernel {

class FsContextFile final : public fs::File {
 public:
  // A new file system of this kind, for who has these credentials.
  FsContextFile(String type, Ref<fs::Credentials> creds);
  // The one that is mounted with this root.
  explicit FsContextFile(fs::Path root);

  // fsconfig(2). EBUSY: not now. EINVAL: the file system knows no such option, or says so of its value; more
  // than a page of them.
  Result<void> set(std::string_view key, std::string_view value, bool has_value);
  Result<void> create(Task& task);  // EPERM too
  // What was set, and nothing else. EPERM too.
  Result<void> reconfigure(Task& task);
  // fsmount(2): its first mount. EINVAL: it is not created; EBUSY: it is mounted already.
  Result<fs::DetachedMount> mount(Task& task, uint64_t flags);

  Result<size_t> read(mm::IoBuf& buf, uint64_t offset) override;  // ENODATA: there are no messages
  fs::FileKind kind() const override { return fs::FileKind::fs_context; }
  void describe(TextSink& out) const override { out.write("anon_inode:[fscontext]"); }

 private:
  enum class Phase : uint8_t { parameters, awaits_mount, reconfigures, failed };
  Mutex lock_{LockRank::none};
  const String type_;
  const Ref<fs::Credentials> creds_;
  const fs::Path root_;  // to be reconfigured
  Phase phase_ GUARDED_BY(lock_);
  String source_ GUARDED_BY(lock_), options_ GUARDED_BY(lock_);
  std::optional<bool> read_only_ GUARDED_BY(lock_);
  std::optional<fs::MountHold> hold_ GUARDED_BY(lock_);  // what was created
};

// A descriptor's way to a mount that nothing else leads to: with it the mount goes, unless it was moved.
class DetachedMountFile final : public fs::File {
 public:
  DetachedMountFile(fs::DetachedMount mount, Ref<fs::Inode> inode);

 private:
  const Ref<fs::MountNamespace> holder_;
};

}  // namespace runsc::kernel
