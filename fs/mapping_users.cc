#include "fs/mapping_users.h"

#include "fs/mount.h"

namespace runsc::fs {

void MappingUsers::unmapped(uint64_t size) {
  if (total_.fetch_sub(size, std::memory_order_acq_rel) == size) forget_unused_name();
}

void MappingUsers::set_name(const Path& path) {
  Path fresh = path;
  LockGuard guard(lock_);
  if (name_) return;
  std::swap(name_.mount, fresh.mount);
  std::swap(name_.dentry, fresh.dentry);
}

void MappingUsers::forget_unused_name() {
  Path gone;
  LockGuard guard(lock_);
  if (any()) return;
  std::swap(gone.mount, name_.mount);
  std::swap(gone.dentry, name_.dentry);
}

bool MappingUsers::path(Path& out) const {
  LockGuard guard(lock_);
  out = name_;
  return static_cast<bool>(out);
}

void MappingUsers::describe(TextSink& out) const {
  Path path;
  if (!this->path(path)) return;
  Result<String> name = path_name(path, {});
  if (name) out.write(name->view());
}

}  // namespace runsc::fs
