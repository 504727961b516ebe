// HostHandle: an open file of the host, and the bounded cache of those that are kept for later.
#pragma once

#include "kernel/base/lock.h"
#include "kernel/base/ref.h"
#include "kernel/base/result.h"
#include "kvm/hostcall/client.h"
#include "mm/io_buf.h"

namespace runsc::fs {

class HostHandle final : public RefCounted<HostHandle> {
 public:
  HostHandle(hostcall::Handle number, bool writable) : number_(number), writable_(writable) {}
  ~HostHandle();  // closes it on the host
  hostcall::Handle number() const { return number_; }
  bool writable() const { return writable_; }

  // Through a bounce buffer: short at the end of the file. EFAULT, EIO, ENOMEM when nothing was moved.
  Result<size_t> read(mm::IoBuf& buf, uint64_t offset, size_t size) const;
  Result<size_t> write(mm::IoBuf& buf, uint64_t offset) const;
  // Into memory of the direct map.
  Result<size_t> read_direct(void* to, uint64_t offset, size_t size) const;

 private:
  const hostcall::Handle number_;
  const bool writable_;
};

// Something that keeps a handle while the cache has room. At most kMaxCached are kept; the owner's users hold
// counts of their own.
class HandleOwner {
 public:
  static constexpr size_t kMaxCached = 1024;
  // What is kept, if it serves (`write`: opened for writing); null: open one and keep() it.
  Ref<HostHandle> kept(bool write);
  void keep(Ref<HostHandle> handle);
  void drop_kept();

 protected:
  HandleOwner() = default;
  ~HandleOwner() { drop_kept(); }

 private:
  friend struct HandleCache;
  Ref<HostHandle> handle_;  // under the cache's lock
  HandleOwner *next_ = nullptr, *prev_ = nullptr;
};

}  // namespace runsc::fs
