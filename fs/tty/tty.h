// Tty: a pseudo-terminal pair (pty(7)): the slave with its line discipline, and the master that plays the
// device.
#pragma once

#include "fs/file.h"
#include "fs/inode.h"
#include "fs/tty/line_discipline.h"

namespace runsc::fs {

class DevPts;

class Tty final : public RefCounted<Tty> {
 public:
  // ENOMEM. `index` as in /dev/pts/INDEX.
  static Result<Ref<Tty>> create(uint32_t index);
  uint32_t index() const { return index_; }
  ~Tty();

  // ---- the slave's side. EAGAIN: would block. EIO after the master is gone.
  Result<size_t> slave_read(mm::IoBuf& buf);
  Result<size_t> slave_write(mm::IoBuf& buf);
  uint32_t slave_poll();
  void slave_opened();
  void slave_closed();
  // ---- the master's side. EIO once no slave is open (after one was).
  Result<size_t> master_read(mm::IoBuf& buf);
  Result<size_t> master_write(mm::IoBuf& buf);
  uint32_t master_poll();
  void master_closed();  // hangs the slave up
  // For a master inside the sentry (the console bridge): bytes from and to the terminal. Returns what was
  // moved.
  size_t input(std::span<const uint8_t> bytes);
  size_t take_output(std::span<uint8_t> out);

  Result<uint64_t> ioctl(bool master, uint32_t request, uint64_t argument, const IoctlContext& context);
  WaitQueue& slave_queue() { return slave_queue_; }
  WaitQueue& master_queue() { return master_queue_; }
  void set_window_size(WindowSize size);  // SIGWINCH to the foreground group when it changes
  void unlock() { locked_.store(false, std::memory_order_relaxed); }
  bool locked() const { return locked_.load(std::memory_order_relaxed); }
  bool exclusive() {
    LockGuard guard(lock_);
    return exclusive_;
  }

  int32_t session() const { return session_.load(std::memory_order_relaxed); }
  int32_t foreground_group() const { return foreground_.load(std::memory_order_relaxed); }
  // Makes this the controlling terminal of the current session if it is free and the caller leads a session
  // without one (open(2) without O_NOCTTY, TIOCSCTTY). EPERM.
  Result<void> become_controlling(bool steal);
  // The session gives the terminal up (its leader exits, TIOCNOTTY).
  void disassociate();
  uint64_t read_timeout_ns();  // VTIME in canonical-off mode with VMIN == 0, else 0

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  explicit Tty(uint32_t index) : index_(index) {}
  // Job control of background processes: ERESTARTSYS after SIGTTIN/SIGTTOU was sent, EIO.
  Result<void> check_background(int signo);
  Result<void> set_termios(uint32_t request, uint64_t argument, const IoctlContext& context);
  Result<uint64_t> queue_ioctl(bool master, uint32_t request, uint64_t argument, const IoctlContext& context);
  Result<uint64_t> control_ioctl(bool master, uint32_t request, uint64_t argument,
                                 const IoctlContext& context);
  Result<uint64_t> master_ioctl(uint32_t request, uint64_t argument, const IoctlContext& context);
  Result<uint64_t> flush(uint64_t which);
  void deliver(uint64_t signals);
  void wake_both();

  const uint32_t index_;
  Mutex lock_{LockRank::tty};
  LineDiscipline discipline_ GUARDED_BY(lock_);
  WindowSize size_ GUARDED_BY(lock_);
  uint8_t packet_status_ GUARDED_BY(lock_) = 0;
  bool packet_mode_ GUARDED_BY(lock_) = false;
  bool exclusive_ GUARDED_BY(lock_) = false;
  uint32_t slaves_ GUARDED_BY(lock_) = 0;
  bool slave_seen_ GUARDED_BY(lock_) = false;
  bool hung_up_ GUARDED_BY(lock_) = false;
  std::atomic<bool> locked_{true};  // TIOCSPTLCK
  std::atomic<int32_t> session_{0}, foreground_{0};
  WaitQueue slave_queue_, master_queue_;
};

// The two ends as files.
class TtyFile : public File {
 public:
  FileKind kind() const override { return FileKind::tty; }
  bool is_master() const { return master_; }
  Tty& tty() { return *tty_; }

 protected:
  TtyFile(Ref<Tty> tty, uint32_t flags, Ref<Inode> inode, bool master)
      : File(flags, std::move(inode)), tty_(std::move(tty)), master_(master) {}
  const Ref<Tty> tty_;

 private:
  const bool master_;
};

class TtySlave final : public TtyFile {
 public:
  TtySlave(Ref<Tty> tty, uint32_t flags, Ref<Inode> inode)
      : TtyFile(std::move(tty), flags, std::move(inode), false) {
    tty_->slave_opened();
  }
  ~TtySlave() override { tty_->slave_closed(); }
  Result<size_t> read(mm::IoBuf& buf, uint64_t) override { return tty_->slave_read(buf); }
  Result<size_t> write(mm::IoBuf& buf, uint64_t) override { return tty_->slave_write(buf); }
  uint32_t poll() override { return tty_->slave_poll(); }
  WaitQueue* wait_queue() override { return &tty_->slave_queue(); }
  uint64_t read_timeout_ns() override { return tty_->read_timeout_ns(); }
  Result<uint64_t> ioctl(uint32_t request, uint64_t argument, const IoctlContext& context) override {
    return tty_->ioctl(false, request, argument, context);
  }
  // Through /proc/PID/fd, where the console has no path.
  Result<Ref<File>> reopen(uint32_t flags) override;
};

class TtyMaster final : public TtyFile {
 public:
  TtyMaster(Ref<Tty> tty, uint32_t flags, Ref<Inode> inode, Ref<DevPts> home);
  ~TtyMaster() override;
  Result<size_t> read(mm::IoBuf& buf, uint64_t) override { return tty_->master_read(buf); }
  Result<size_t> write(mm::IoBuf& buf, uint64_t) override { return tty_->master_write(buf); }
  uint32_t poll() override { return tty_->master_poll(); }
  WaitQueue* wait_queue() override { return &tty_->master_queue(); }
  Result<uint64_t> ioctl(uint32_t request, uint64_t argument, const IoctlContext& context) override {
    return tty_->ioctl(true, request, argument, context);
  }
  DevPts& home() { return *home_; }

 private:
  Ref<DevPts> home_;
};

// The slave behind a file, or null.
Tty* tty_of(File& file);

}  // namespace runsc::fs
