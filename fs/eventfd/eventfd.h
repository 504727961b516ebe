// eventfd(2): a 64-bit counter behind a descriptor.
#pragma once

#include "fs/file.h"

namespace runsc::fs {

inline constexpr uint32_t kEfdSemaphore = 1;

class EventFd final : public File {
 public:
  EventFd(uint64_t initial, uint32_t flags, bool semaphore)
      : File(open_flag::rdwr | (flags & open_flag::nonblock)), semaphore_(semaphore), count_(initial) {}
  Result<size_t> read(mm::IoBuf& buf, uint64_t offset) override;   // EINVAL below 8 bytes
  Result<size_t> write(mm::IoBuf& buf, uint64_t offset) override;  // EINVAL below 8 bytes and for ~0
  uint32_t poll() override;
  WaitQueue* wait_queue() override { return &queue_; }
  FileKind kind() const override { return FileKind::eventfd; }
  void describe(TextSink& out) const override { format(out, "anon_inode:[eventfd]"); }
  void fdinfo(TextSink& out) const override;

 private:
  const bool semaphore_;
  mutable SpinLock lock_{LockRank::leaf};
  uint64_t count_ GUARDED_BY(lock_);
  WaitQueue queue_;
};

}  // namespace runsc::fs
