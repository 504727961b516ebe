#include "fs/mount.h"
#include "fs/namespace.h"

namespace runsc::fs {

Path FsContext::root() const {
  LockGuard guard(lock_);
  return root_;
}

Path FsContext::cwd() const {
  LockGuard guard(lock_);
  return cwd_;
}

// The path that was there is dropped outside the lock: it may be the last count of a dentry.
void FsContext::set_root(Path p) {
  LockGuard guard(lock_);
  std::swap(root_.mount, p.mount);
  std::swap(root_.dentry, p.dentry);
}

void FsContext::set_cwd(Path p) {
  LockGuard guard(lock_);
  std::swap(cwd_.mount, p.mount);
  std::swap(cwd_.dentry, p.dentry);
}

Result<Ref<FsContext>> FsContext::clone() const {
  Ref<FsContext> c = make_ref<FsContext>(root(), cwd(), umask());
  if (!c) return Errno::nomem;
  return c;
}

}  // namespace runsc::fs
