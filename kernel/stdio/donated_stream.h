// DonatedStream: a pipe, socket, file, terminal or device of the host that the container has as a standard
// stream. Any number of open file descriptions of the container stand on it.
#pragma once

#include "fs/file.h"
#include "fs/hostfs/host_handle.h"

namespace runsc::kernel {

class DonatedStream final : public RefCounted<DonatedStream> {
 public:
  // `owner`: who owns it in the container's eyes; runc gives it to the container's user on the host. ENOMEM,
  // EBADF.
  static Result<Ref<DonatedStream>> adopt(hostcall::Handle handle, uint32_t owner);
  ~DonatedStream();

  // What the host opened it for: access mode and O_APPEND.
  uint32_t flags() const { return flags_; }
  uint32_t type() const { return type_; }  // type bits of the mode
  uint64_t ino() const { return ino_; }
  bool is_null() const { return is_null_; }  // /dev/null
  fs::HostHandle& handle() const { return *handle_; }

  // At the position that the host's description keeps. EAGAIN; whoever polls or fails hears by queue() when
  // it may go on.
  Result<size_t> read(mm::IoBuf& buf);
  Result<size_t> write(mm::IoBuf& buf);
  uint32_t poll(uint32_t events);
  WaitQueue& queue() { return queue_; }

  Result<fs::Attr> get_attr();
  // Owner and mode change for the container only: the host's object is not its own. EINVAL: the size of what
  // has none.
  Result<void> set_attr(const fs::SetAttr& attr);
  // One write with O_APPEND at a time.
  Mutex append_lock{LockRank::inode};

  static void ready(hostcall::Handle handle, uint32_t events);

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  DonatedStream(Ref<fs::HostHandle> handle, mm::Page& page, const hostcall::HostStat& stat, uint32_t owner);
  template <class Call>
  Result<size_t> transfer(size_t size) REQUIRES(io_lock_);
  Result<size_t> write_page(mm::IoBuf& buf) REQUIRES(io_lock_);

  const Ref<fs::HostHandle> handle_;
  DonatedStream* next_ = nullptr;  // in the list of all, under its lock
  mm::Page& page_;                 // one page goes back and forth with each call; io_lock_
  const uint32_t flags_, type_;
  const uint64_t ino_;
  const bool is_null_;
  Mutex io_lock_{LockRank::hostfs};
  WaitQueue queue_;
  SpinLock owner_lock_{LockRank::leaf};
  uint32_t mode_ GUARDED_BY(owner_lock_), uid_ GUARDED_BY(owner_lock_), gid_ GUARDED_BY(owner_lock_);
};

}  // namespace runsc::kernel
