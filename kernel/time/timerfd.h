// timerfd_create(2): a timer behind a descriptor.
#pragma once

#include "fs/file.h"
#include "kernel/time/timer.h"

namespace runsc::kernel {

enum class TimerFdClock : uint8_t { realtime, monotonic };

class TimerFd final : public fs::File, private Timer {
 public:
  TimerFd(TimerFdClock clock, int clock_id, uint32_t flags)
      : File(fs::open_flag::rdwr | (flags & fs::open_flag::nonblock)), clock_(clock), clock_id_(clock_id) {}
  ~TimerFd() override { cancel(); }

  struct Setting {
    uint64_t value_ns = 0;     // until the next expiration; 0: disarmed
    uint64_t interval_ns = 0;  // 0: once
  };
  // value_ns is relative, or on the timer's clock when `absolute`. Returns what was set before.
  Setting set(Setting setting, bool absolute);
  Setting get() const;

  Result<size_t> read(mm::IoBuf& buf, uint64_t offset) override;  // EINVAL below 8 bytes
  uint32_t poll() override;
  WaitQueue* wait_queue() override { return &queue_; }
  fs::FileKind kind() const override { return fs::FileKind::timerfd; }
  void describe(TextSink& out) const override { format(out, "anon_inode:[timerfd]"); }
  void fdinfo(TextSink& out) const override;

 private:
  void fire() override;
  void count_locked(uint64_t now) REQUIRES(lock_);
  Setting get_locked(uint64_t now) const REQUIRES(lock_);

  const TimerFdClock clock_;
  const int clock_id_;
  mutable SpinLock lock_{LockRank::signal};
  uint64_t next_ns_ GUARDED_BY(lock_) = 0;  // monotonic; 0: disarmed
  uint64_t interval_ns_ GUARDED_BY(lock_) = 0;
  uint64_t expirations_ GUARDED_BY(lock_) = 0;
  WaitQueue queue_;
};

}  // namespace runsc::kernel
