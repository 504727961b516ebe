// clock_gettime(2), nanosleep(2) and their families.
#include "kernel/futex.h"
#include "kernel/pid.h"
#include "kernel/syscalls/time.h"
#include "kernel/syscalls/time_args.h"
#include "kernel/time/clock.h"
#include "kernel/time/process_timers.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

namespace {

constexpr uint64_t kNsPerSec = 1'000'000'000;
constexpr int kRealtime = 0, kMonotonic = 1, kProcessCpu = 2, kThreadCpu = 3, kMonotonicRaw = 4,
              kRealtimeCoarse = 5, kMonotonicCoarse = 6, kBoottime = 7, kRealtimeAlarm = 8,
              kBoottimeAlarm = 9, kTai = 11;

bool is_wall(int clock) {
  return clock == kRealtime || clock == kRealtimeCoarse || clock == kRealtimeAlarm || clock == kTai;
}
bool is_monotonic(int clock) {
  return clock == kMonotonic || clock == kMonotonicRaw || clock == kMonotonicCoarse || clock == kBoottime ||
         clock == kBoottimeAlarm;
}

// Negative clock ids name the CPU time of another process or thread (clock_getcpuclockid(3)).
Result<uint64_t> dynamic_cpu_clock(Task& task, int clock) {
  constexpr int kPerThread = 4, kKindMask = 3, kSched = 2, kProf = 0, kVirt = 1;
  int32_t id = ~(clock >> 3);
  int kind = clock & kKindMask;
  if (kind == 3) return Errno::inval;
  CpuTimeNs t{};
  if (clock & kPerThread) {
    Ref<Task> target = id == 0 ? Ref<Task>(task) : find_task(task, id);
    if (!target || &target->group() != &task.group()) return Errno::inval;
    t = task_cpu_time(*target);
  } else {
    Ref<ThreadGroup> target = id == 0 ? Ref<ThreadGroup>(task.group()) : find_group(id_meant_by(task, id));
    if (!target) return Errno::inval;
    t = process_cpu_time(*target);
  }
  (void)kSched, (void)kProf;
  return kind == kVirt ? t.user : t.user + t.system;
}

Result<uint64_t> read_clock(Task& task, int clock) {
  if (is_wall(clock)) return static_cast<uint64_t>(realtime_ns());
  if (is_monotonic(clock)) return monotonic_ns();
  if (clock == kProcessCpu) {
    CpuTimeNs t = process_cpu_time(task.group());
    return t.user + t.system;
  }
  if (clock == kThreadCpu) {
    CpuTimeNs t = task_cpu_time(task);
    return t.user + t.system;
  }
  if (clock < 0) return dynamic_cpu_clock(task, clock);
  return Errno::inval;
}

}  // namespace

Result<uint64_t> to_ns(const UserTimespec& t) {
  if (t.sec < 0 || t.nsec < 0 || t.nsec >= static_cast<int64_t>(kNsPerSec)) return Errno::inval;
  constexpr int64_t kMostSeconds = int64_t{1} << 33;
  int64_t sec = t.sec < kMostSeconds ? t.sec : kMostSeconds;
  return static_cast<uint64_t>(sec) * kNsPerSec + static_cast<uint64_t>(t.nsec);
}

UserTimespec to_timespec(uint64_t ns) {
  return {static_cast<int64_t>(ns / kNsPerSec), static_cast<int64_t>(ns % kNsPerSec)};
}

Result<uint64_t> read_relative_deadline(Task& task, uint64_t address) {
  if (address == 0) return kNoDeadline;
  auto t = TRY(mm::copy_in(task.mm(), UserPtr<UserTimespec>(address)));
  return monotonic_ns() + TRY(to_ns(t));
}

Result<uint64_t> read_absolute_deadline(Task& task, uint64_t address, bool wall) {
  if (address == 0) return kNoDeadline;
  uint64_t ns = TRY(to_ns(TRY(mm::copy_in(task.mm(), UserPtr<UserTimespec>(address)))));
  if (!wall) return ns;
  int64_t offset = realtime_ns() - static_cast<int64_t>(monotonic_ns());
  int64_t mono = static_cast<int64_t>(ns) - offset;
  return mono > 0 ? static_cast<uint64_t>(mono) : 0;
}

Result<void> sys_clock_gettime(Task& task, int clock, uint64_t time) {
  uint64_t ns = TRY(read_clock(task, clock));
  return mm::copy_out(task.mm(), UserPtr<UserTimespec>(time), to_timespec(ns));
}

// CPU time cannot be set.
static Result<void> refuse_dynamic_clock(Task& task, int clock) {
  (void)TRY(read_clock(task, clock));
  return Errno::perm;
}

Result<void> sys_clock_settime(Task& task, int clock, uint64_t time) {
  if (clock != kRealtime) return clock < 0 ? refuse_dynamic_clock(task, clock) : Errno::inval;
  (void)TRY(to_ns(TRY(mm::copy_in(task.mm(), UserPtr<UserTimespec>(time)))));
  return Errno::perm;  // the clock is the host's
}

Result<void> sys_clock_getres(Task& task, int clock, uint64_t resolution) {
  (void)TRY(read_clock(task, clock));
  if (resolution == 0) return {};
  bool coarse = clock == kRealtimeCoarse || clock == kMonotonicCoarse;
  return mm::copy_out(task.mm(), UserPtr<UserTimespec>(resolution), UserTimespec{0, coarse ? 4'000'000 : 1});
}

Result<void> sys_gettimeofday(Task& task, uint64_t time, uint64_t zone) {
  if (time) {
    uint64_t ns = static_cast<uint64_t>(realtime_ns());
    UserTimeval t{static_cast<int64_t>(ns / kNsPerSec), static_cast<int64_t>(ns % kNsPerSec / 1000)};
    TRY(mm::copy_out(task.mm(), UserPtr<UserTimeval>(time), t));
  }
  constexpr uint64_t kUtc = 0;  // struct timezone: two ints
  if (zone) TRY(mm::copy_out(task.mm(), UserPtr<uint64_t>(zone), kUtc));
  return {};
}

Result<void> sys_settimeofday(Task& task, uint64_t time, uint64_t zone) {
  constexpr int64_t kUsecPerSec = 1'000'000;
  if (time) {
    UserTimeval t = TRY(mm::copy_in(task.mm(), UserPtr<UserTimeval>(time)));
    if (t.sec < 0 || t.usec < 0 || t.usec >= kUsecPerSec) return Errno::inval;
  }
  if (zone) (void)TRY(mm::copy_in(task.mm(), UserPtr<uint64_t>(zone)));
  if (!time && !zone && task.creds().has(fs::Cap::sys_time)) return {};
  return Errno::perm;  // the clock is the host's
}

Result<int64_t> sys_time(Task& task, uint64_t time) {
  int64_t sec = realtime_ns() / static_cast<int64_t>(kNsPerSec);
  if (time) TRY(mm::copy_out(task.mm(), UserPtr<int64_t>(time), sec));
  return sec;
}

// Read-only: the host disciplines the clock (adjtimex(2)).
Result<int> sys_adjtimex(Task& task, uint64_t buffer) {
  struct Timex {
    uint32_t modes, pad0;
    int64_t offset, freq, maxerror, esterror;
    int32_t status, pad1;
    int64_t constant, precision, tolerance;
    UserTimeval time;
    int64_t tick, ppsfreq, jitter;
    int32_t shift, pad2;
    int64_t stabil, jitcnt, calcnt, errcnt, stbcnt;
    int32_t tai;
    int32_t reserved[11];
  };
  static_assert(sizeof(Timex) == 208);
  Timex t = TRY(mm::copy_in(task.mm(), UserPtr<Timex>(buffer)));
  constexpr uint32_t kAdjtime = 0x8000, kReadOnly = 0x2000;
  const bool asks = t.modes == 0 || (t.modes & kAdjtime && t.modes & kReadOnly);
  if (!asks) return Errno::perm;
  constexpr int kUnsynchronised = 0x40, kTimeError = 5;
  t = {};
  t.status = kUnsynchronised;
  t.maxerror = t.esterror = 16'000'000;
  t.constant = 2;
  t.precision = 1;
  t.tolerance = 32768000;
  t.tick = 10000;
  uint64_t ns = static_cast<uint64_t>(realtime_ns());
  t.time = {static_cast<int64_t>(ns / kNsPerSec), static_cast<int64_t>(ns % kNsPerSec / 1000)};
  TRY(mm::copy_out(task.mm(), UserPtr<Timex>(buffer), t));
  return kTimeError;
}

Result<int> sys_clock_adjtime(Task& task, int clock, uint64_t buffer) {
  char probe[208];  // struct timex; a bad address is told before a bad clock
  TRY(mm::copy_in_bytes(task.mm(), probe, buffer, sizeof probe));
  if (clock == kRealtime) return sys_adjtimex(task, buffer);
  (void)TRY(read_clock(task, clock));
  return Errno::opnotsupp;
}

// ---- Sleeping

namespace {

// Until the deadline; on a signal the rest goes to `remaining` and restart_syscall(2) goes on.
Result<void> sleep_until(Task& task, uint64_t deadline, uint64_t remaining) {
  for (;;) {
    auto r = park_interruptible(task, deadline);
    if (r) continue;
    if (r.error() == Errno::timedout) return {};
    break;
  }
  uint64_t now = monotonic_ns();
  if (now >= deadline) return {};
  if (remaining) TRY(mm::copy_out(task.mm(), UserPtr<UserTimespec>(remaining), to_timespec(deadline - now)));
  task.restart = {RestartBlock::Kind::nanosleep, deadline, remaining, 0, 0, 0};
  return Errno::restart_restartblock;
}

Result<void> sleep_absolute(Task& task, uint64_t deadline) {
  for (;;) {
    auto r = park_interruptible(task, deadline);
    if (r) continue;
    return r.error() == Errno::timedout ? Result<void>() : Errno::restartnohand;
  }
}

// CPU-time clocks advance with work: look now and then.
Result<void> sleep_cpu_clock(Task& task, int clock, uint64_t until) {
  constexpr uint64_t kStepNs = 1'000'000;
  for (;;) {
    uint64_t now = TRY(read_clock(task, clock));
    if (now >= until) return {};
    uint64_t wait = until - now > kStepNs ? until - now : kStepNs;
    auto r = park_interruptible(task, monotonic_ns() + wait);
    if (!r && r.error() != Errno::timedout) return Errno::restartnohand;
  }
}

}  // namespace

Result<void> sys_nanosleep(Task& task, uint64_t request, uint64_t remaining) {
  uint64_t ns = TRY(to_ns(TRY(mm::copy_in(task.mm(), UserPtr<UserTimespec>(request)))));
  return sleep_until(task, monotonic_ns() + ns, remaining);
}

Result<void> sys_clock_nanosleep(Task& task, int clock, uint32_t flags, uint64_t request,
                                 uint64_t remaining) {
  constexpr uint32_t kAbsolute = 1;
  if (clock == kThreadCpu || clock == kMonotonicRaw || clock == kRealtimeCoarse || clock == kMonotonicCoarse)
    return clock == kThreadCpu ? Errno::inval : Errno::opnotsupp;
  (void)TRY(read_clock(task, clock));
  UserTimespec t = TRY(mm::copy_in(task.mm(), UserPtr<UserTimespec>(request)));
  uint64_t ns = TRY(to_ns(t));
  if (!is_wall(clock) && !is_monotonic(clock)) {
    uint64_t until = flags & kAbsolute ? ns : TRY(read_clock(task, clock)) + ns;
    return sleep_cpu_clock(task, clock, until);
  }
  if (!(flags & kAbsolute)) return sleep_until(task, monotonic_ns() + ns, remaining);
  return sleep_absolute(task, TRY(read_absolute_deadline(task, request, is_wall(clock))));
}

Result<uint64_t> sys_restart_syscall(Task& task) {
  RestartBlock block = std::exchange(task.restart, RestartBlock{});
  switch (block.kind) {
    case RestartBlock::Kind::nanosleep:
      TRY(sleep_until(task, block.deadline_ns, block.a));
      return uint64_t{0};
    case RestartBlock::Kind::futex: {
      auto r = futex_wait(task, block.a, block.c >> 32, static_cast<uint32_t>(block.b),
                          static_cast<uint32_t>(block.c), block.deadline_ns);
      if (r) return uint64_t{0};
      if (r.error() != Errno::restartsys) return r.error();
      task.restart = block;
      return Errno::restart_restartblock;
    }
    default:
      return Errno::intr;
  }
}

}  // namespace runsc::kernel
