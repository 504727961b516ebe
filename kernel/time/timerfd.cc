#include "kernel/time/timerfd.h"

#include "kernel/time/clock.h"

namespace runsc::kernel {

namespace {
constexpr uint32_t kIn = fs::poll_bit::in | fs::poll_bit::rdnorm;
}

// Takes into account what has expired up to `now`, and moves an interval timer on.
void TimerFd::count_locked(uint64_t now) {
  if (next_ns_ == 0 || now < next_ns_) return;
  if (interval_ns_ == 0) {
    ++expirations_;
    next_ns_ = 0;
    return;
  }
  uint64_t n = (now - next_ns_) / interval_ns_ + 1;
  expirations_ += n;
  next_ns_ += n * interval_ns_;
}

void TimerFd::fire() {
  {
    LockGuard guard(lock_);
    count_locked(monotonic_ns());
    if (next_ns_ != 0) arm(next_ns_);
  }
  queue_.wake(kIn);
}

TimerFd::Setting TimerFd::get_locked(uint64_t now) const {
  Setting s;
  s.interval_ns = interval_ns_;
  if (next_ns_ != 0) s.value_ns = next_ns_ > now ? next_ns_ - now : 1;
  return s;
}

TimerFd::Setting TimerFd::get() const {
  LockGuard guard(lock_);
  uint64_t now = monotonic_ns();
  const_cast<TimerFd*>(this)->count_locked(now);
  return get_locked(now);
}

TimerFd::Setting TimerFd::set(Setting setting, bool absolute) {
  cancel();
  Setting old;
  {
    LockGuard guard(lock_);
    uint64_t now = monotonic_ns();
    count_locked(now);
    old = get_locked(now);
    expirations_ = 0;
    interval_ns_ = setting.interval_ns;
    next_ns_ = 0;
    if (setting.value_ns != 0) {
      uint64_t base = now;
      if (absolute) base = 0;
      uint64_t when = base + setting.value_ns;
      if (absolute && clock_ == TimerFdClock::realtime) {
        int64_t ahead = static_cast<int64_t>(setting.value_ns) - realtime_ns();
        when = ahead > 0 ? now + static_cast<uint64_t>(ahead) : now;
      }
      next_ns_ = when ? when : 1;
      arm(next_ns_);
    }
  }
  return old;
}

Result<size_t> TimerFd::read(mm::IoBuf& buf, uint64_t) {
  if (buf.remaining() < sizeof(uint64_t)) return Errno::inval;
  uint64_t n;
  {
    LockGuard guard(lock_);
    count_locked(monotonic_ns());
    if (expirations_ == 0) return Errno::again;
    n = std::exchange(expirations_, 0);
  }
  return buf.put(&n, sizeof n);
}

uint32_t TimerFd::poll() {
  LockGuard guard(lock_);
  count_locked(monotonic_ns());
  return expirations_ ? kIn : 0;
}

void TimerFd::fdinfo(TextSink& out) const {
  Setting s = get();
  uint64_t ticks;
  {
    LockGuard guard(lock_);
    ticks = expirations_;
  }
  format(out, "clockid: {}\nticks: {}\nsettime flags: 00\nit_value: ({}, {})\nit_interval: ({}, {})\n",
         clock_id_, ticks, s.value_ns / 1'000'000'000, s.value_ns % 1'000'000'000,
         s.interval_ns / 1'000'000'000, s.interval_ns % 1'000'000'000);
}

}  // namespace runsc::kernel
