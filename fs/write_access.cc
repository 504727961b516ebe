#include "fs/write_access.h"

#include "fs/mount.h"
#include "mm/write_mappings.h"

namespace runsc::fs {

Result<Ref<WriteAccess>> WriteAccess::of(Inode& inode) {
  if (Ref<WriteAccess> there = existing(inode)) return there;
  Ref<WriteAccess> fresh = make_ref<WriteAccess>();
  if (!fresh) return Errno::nomem;
  // Only this class attaches to regular files.
  return Ref<WriteAccess>(
      static_cast<WriteAccess&>(*inode.attach(AttachmentKind::special, std::move(fresh))));
}

Ref<WriteAccess> WriteAccess::existing(const Inode& inode) {
  if (inode.type() != kRegular) return {};
  Ref<InodeAttachment> there = inode.attachment(AttachmentKind::special);
  return Ref<WriteAccess>::adopt(static_cast<WriteAccess*>(there.leak()));
}

// direction 1: a writer, -1: an execution.
Result<void> WriteAccess::enter(int32_t direction) {
  int32_t now = count_.load(std::memory_order_relaxed);
  do {
    if (now * direction < 0) return Errno::txtbsy;
  } while (!count_.compare_exchange_weak(now, now + direction, std::memory_order_acquire));
  return {};
}

Result<void> WriteAccess::begin_write() { return enter(1); }
Result<void> WriteAccess::begin_execution() { return enter(-1); }

Result<void> WriteClaim::take(Inode& inode) {
  if (inode.type() != kRegular) return {};
  Ref<WriteAccess> access = TRY(WriteAccess::of(inode));
  TRY(access->begin_write());
  access_ = std::move(access);
  return {};
}

WriteClaim::~WriteClaim() {
  if (access_) access_->end_write();
}

Result<ExecutionClaim> ExecutionClaim::take(File& file) {
  if (!file.inode() || file.inode()->type() != kRegular) return ExecutionClaim();
  Ref<WriteAccess> access = TRY(WriteAccess::of(*file.inode()));
  TRY(access->begin_execution());
  ExecutionClaim claim(std::move(access));
  if (!claim.access_->shared_mapping_noted()) return claim;
  Result<mm::MappableRef> mapping = file.mappable(false);
  if (mapping && mm::is_mapped_for_writing(*mapping->get())) return Errno::txtbsy;
  return claim;
}

ExecutionClaim::~ExecutionClaim() {
  if (access_) access_->end_execution();
}

namespace {
Ref<WriteAccess> access_of(const Path& path) {
  if (!path.dentry || path.dentry->negative()) return {};
  return WriteAccess::existing(*path.dentry->inode());
}
}  // namespace

void hold_execution_of(const Path& path) {
  if (Ref<WriteAccess> access = access_of(path)) access->hold_execution();
}

void end_execution_of(const Path& path) {
  if (Ref<WriteAccess> access = access_of(path)) access->end_execution();
}

}  // namespace runsc::fs
