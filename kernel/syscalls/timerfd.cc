// timerfd_create(2) and its companions.
#include "kernel/time/timerfd.h"

#include "kernel/syscalls/events.h"
#include "kernel/syscalls/poll_set.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

namespace {

constexpr unsigned kNofile = 7;
constexpr int kRealtime = 0, kMonotonic = 1, kBoottime = 7, kRealtimeAlarm = 8, kBoottimeAlarm = 9;
constexpr uint32_t kAbsolute = 1, kCancelOnSet = 2;

struct ITimerSpec {
  TimeSpec interval, value;
};

Result<uint64_t> nanoseconds(const TimeSpec& t) {
  if (t.sec < 0 || t.nsec < 0 || t.nsec >= 1'000'000'000) return Errno::inval;
  constexpr int64_t kMaxSeconds = int64_t{1} << 32;
  return static_cast<uint64_t>(t.sec < kMaxSeconds ? t.sec : kMaxSeconds) * 1'000'000'000 +
         static_cast<uint64_t>(t.nsec);
}

TimeSpec timespec(uint64_t ns) {
  return {static_cast<int64_t>(ns / 1'000'000'000), static_cast<int64_t>(ns % 1'000'000'000)};
}

Result<Ref<fs::File>> timer_file(Task& task, int fd) {
  Ref<fs::File> file = TRY(task.files().get(fd));
  if (file->kind() != fs::FileKind::timerfd) return Errno::inval;
  return file;
}

ITimerSpec to_spec(const TimerFd::Setting& s) { return {timespec(s.interval_ns), timespec(s.value_ns)}; }

}  // namespace

Result<int> sys_timerfd_create(Task& task, int clock, uint32_t flags) {
  using namespace fs::open_flag;
  if (flags & ~(nonblock | cloexec)) return Errno::inval;
  TimerFdClock kind = TimerFdClock::monotonic;
  switch (clock) {
    case kMonotonic:
    case kBoottime:
      break;
    case kRealtime:
      kind = TimerFdClock::realtime;
      break;
    case kRealtimeAlarm:
    case kBoottimeAlarm:
      return task.creds().has(fs::Cap::wake_alarm) ? Errno::opnotsupp : Errno::perm;
    default:
      return Errno::inval;
  }
  Ref<fs::File> file = make_ref<TimerFd>(kind, clock, flags);
  if (!file) return Errno::nomem;
  return task.files().install(std::move(file), flags & cloexec, task.limit(kNofile));
}

Result<void> sys_timerfd_settime(Task& task, int fd, uint32_t flags, uint64_t new_value, uint64_t old_value) {
  if (flags & ~(kAbsolute | kCancelOnSet)) return Errno::inval;
  ITimerSpec spec = TRY(mm::copy_in(task.mm(), UserPtr<ITimerSpec>(new_value)));
  Ref<fs::File> file = TRY(timer_file(task, fd));
  TimerFd::Setting setting{TRY(nanoseconds(spec.value)), TRY(nanoseconds(spec.interval))};
  TimerFd::Setting old = static_cast<TimerFd&>(*file).set(setting, flags & kAbsolute);
  if (old_value) TRY(mm::copy_out(task.mm(), UserPtr<ITimerSpec>(old_value), to_spec(old)));
  return {};
}

Result<void> sys_timerfd_gettime(Task& task, int fd, uint64_t value) {
  Ref<fs::File> file = TRY(timer_file(task, fd));
  return mm::copy_out(task.mm(), UserPtr<ITimerSpec>(value), to_spec(static_cast<TimerFd&>(*file).get()));
}

}  // namespace runsc::kernel
