// File: an open file description (open(2)). Every kind of object that a descriptor can name derives from it.
#pragma once

#include <atomic>
#include <cstdint>

#include "fs/attr.h"
#include "kernel/base/format.h"
#include "kernel/base/lock.h"
#include "kernel/base/ref.h"
#include "kernel/base/result.h"
#include "kernel/base/wait_queue.h"
#include "mm/io_buf.h"
#include "mm/mappable.h"
#include "mm/user_ptr.h"

namespace runsc::mm {
class AddressSpace;
}

namespace runsc::fs {

class Dentry;
class Mount;
class Inode;
struct Credentials;

// A place in the tree of mounts. Both null: none (a pipe, an eventfd).
struct Path {
  Ref<Mount> mount;
  Ref<Dentry> dentry;
  Path();
  Path(Ref<Mount> m, Ref<Dentry> d);
  Path(const Path& o);
  Path(Path&& o) noexcept;
  Path& operator=(Path o) noexcept;
  ~Path();
  explicit operator bool() const { return static_cast<bool>(dentry); }
};

// Where readdir puts entries. False: no room, stop before this entry.
class DirSink {
 public:
  // next_offset: the position to continue after this entry.
  virtual bool add(std::string_view name, uint64_t ino, uint8_t type, uint64_t next_offset) = 0;

 protected:
  ~DirSink() = default;
};

// Who asks for an ioctl; handlers copy through it.
struct IoctlContext {
  mm::AddressSpace& space;
  const Credentials& creds;
};

class File;

// Somebody (an epoll) who wants to hear of a file's end without keeping it alive. Guarded by epoll's watch
// lock.
class FileWatch {
 public:
  virtual void file_gone() = 0;  // the last reference is gone; detaches and destroys itself

 protected:
  ~FileWatch() = default;
  void attach(File& file);
  void detach();

 private:
  FileWatch* next_ = nullptr;
  FileWatch** previous_ = nullptr;
};

// Files that some system calls must know exactly; the sentry has no RTTI.
enum class FileKind : uint8_t {
  other,
  pipe,
  epoll,
  eventfd,
  timerfd,
  signalfd,
  tty,
  socket,
  inotify,
  pidfd,
  memfd,
  mqueue,
  fs_context
};

class File : public RefCounted<File> {
 public:
  virtual ~File();

  // All operations may sleep and call the host. None blocks for events: they fail with EAGAIN when they
  // would, and kernel/syscalls/blocking_io.cc waits on wait_queue() and retries (unless O_NONBLOCK). A
  // partial transfer is a success.
  //
  // offset: where to start; seekable files only (others ignore it). read() returns 0 at the end of the file.
  virtual Result<size_t> read(mm::IoBuf& buf, uint64_t offset);  // default EINVAL
  virtual Result<size_t> write(
      mm::IoBuf& buf, uint64_t offset);  // default EINVAL; `append` handled inside by the file itself
  // Readiness now (poll(2) bits). Default: always readable and writable.
  virtual uint32_t poll() { return poll_bit::in | poll_bit::out | poll_bit::rdnorm | poll_bit::wrnorm; }
  // Woken with the bits that became ready; null: readiness never changes.
  virtual WaitQueue* wait_queue() { return nullptr; }
  // The same for who stays beyond one call (epoll): never depends on who asks.
  virtual WaitQueue* watch_queue() { return wait_queue(); }
  // True for files with a position (lseek works, pread allowed). Default false.
  virtual bool seekable() const { return false; }
  // End of file for SEEK_END, and SEEK_DATA/SEEK_HOLE (whence 3, 4). Default ESPIPE.
  virtual Result<uint64_t> seek(int64_t offset, int whence, uint64_t current);
  virtual Result<uint64_t> read_dir(DirSink& sink, uint64_t offset);  // new offset; default ENOTDIR
  virtual Result<uint64_t> ioctl(uint32_t request, uint64_t argument,
                                 const IoctlContext& context);  // default ENOTTY
  // What mmap(2) maps. Default ENODEV. `shared_write`: a shared mapping that may be written.
  virtual Result<mm::MappableRef> mappable(bool shared_write);
  virtual Result<Attr> get_attr();                     // default: of inode()
  virtual Result<void> set_attr(const SetAttr& attr);  // default: of inode(); ftruncate, fchmod...
  virtual Result<void> sync(bool data_only);           // default EINVAL
  virtual Result<void> allocate(int mode, uint64_t offset, uint64_t size);  // default EOPNOTSUPP
  // Nonzero: a blocking read that got nothing for so long returns 0 (VTIME of termios(3)).
  virtual uint64_t read_timeout_ns() { return 0; }
  // open(2) through /proc/PID/fd/N of a file that has no path: a new description of the same object. Default
  // ENXIO.
  virtual Result<Ref<File>> reopen(uint32_t flags);
  virtual FileKind kind() const { return FileKind::other; }
  // Asked after open(2) made the file, before a descriptor names it: EAGAIN to wait on wait_queue() for
  // poll_bit::out and ask again (a FIFO's other end), unless O_NONBLOCK.
  virtual Result<void> complete_open() { return {}; }
  // At the last close(2) of a descriptor by a process (not: last reference).
  virtual Result<void> flush() { return {}; }
  // "pipe:[12]" and the like for /proc/PID/fd when there is no path.
  virtual void describe(TextSink& out) const;
  // The extra lines of /proc/PID/fdinfo.
  virtual void fdinfo(TextSink& out) const { (void)out; }
  // Asked when O_NONBLOCK, O_APPEND, O_DIRECT... are set by fcntl. EINVAL to refuse.
  virtual Result<void> check_flags(uint32_t flags) {
    (void)flags;
    return {};
  }

  Inode* inode() const { return inode_.get(); }
  const Path& path() const { return path_; }
  void set_path(Path path) { path_ = std::move(path); }

  uint32_t flags() const { return flags_.load(std::memory_order_relaxed); }  // status flags and access mode
  void set_flags(uint32_t f) { flags_.store(f, std::memory_order_relaxed); }
  bool readable() const {
    return (flags() & open_flag::accmode) != open_flag::wronly && !(flags() & open_flag::path);
  }
  bool writable() const {
    return (flags() & open_flag::accmode) != open_flag::rdonly && !(flags() & open_flag::path);
  }
  bool nonblocking() const { return flags() & open_flag::nonblock; }

  // RefCounted's hook.
  void last_ref() {
    if (watches_) forget_watches();
    delete this;
  }

  std::atomic<int32_t> owner_signal{0};  // F_SETSIG

  Mutex position_lock{LockRank::file_position};
  uint64_t position GUARDED_BY(position_lock) = 0;

 protected:
  explicit File(uint32_t flags);
  File(uint32_t flags, Ref<Inode> inode);

 private:
  std::atomic<uint32_t> flags_;
  Ref<Inode> inode_;
  Path path_;
  friend class FileWatch;
  void forget_watches();
  FileWatch* watches_ = nullptr;
};

}  // namespace runsc::fs
