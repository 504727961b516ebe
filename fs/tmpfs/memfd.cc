#include "fs/tmpfs/memfd.h"

#include "fs/mount.h"
#include "fs/tmpfs/tmpfs_dir.h"
#include "fs/write_access.h"

namespace runsc::fs {

namespace {

// The file system of all memfds; made at the first use and kept.
constinit std::atomic<TmpfsSuper*> shared_super{nullptr};

Result<TmpfsSuper*> memfd_super() {
  if (TmpfsSuper* super = shared_super.load(std::memory_order_acquire)) return super;
  Ref<TmpfsSuper> fresh = TRY(TmpfsSuper::create({}));
  TmpfsSuper* expected = nullptr;
  if (shared_super.compare_exchange_strong(expected, fresh.get(), std::memory_order_acq_rel))
    return fresh.leak();
  return expected;
}

}  // namespace

Result<Ref<File>> make_memfd(std::string_view name, bool allow_sealing, const Credentials& creds) {
  TmpfsSuper* super = TRY(memfd_super());
  NewNode node;
  node.mode = kRegular | 0777;
  node.uid = creds.fsuid;
  node.gid = creds.fsgid;
  Ref<TmpfsFile> inode = make_ref<TmpfsFile>(*super, node);
  if (!inode) return Errno::nomem;
  inode->change_links(-1);
  if (allow_sealing) inode->seals()->store(0, std::memory_order_relaxed);
  String shown = TRY(String::concat("/memfd:", name));
  Path path = TRY(anonymous_path(inode, shown.view()));
  dcache_drop(*path.dentry, true);  // " (deleted)"
  WriteClaim claim;
  TRY(claim.take(*inode));
  Ref<File> file = TRY(inode->open(open_flag::rdwr | open_flag::largefile));
  file->set_path(std::move(path));
  return file;
}

}  // namespace runsc::fs
