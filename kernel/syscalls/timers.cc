// setitimer(2), alarm(2), timer_create(2) and its companions.
#include "kernel/pid.h"
#include "kernel/signal/signal.h"
#include "kernel/syscalls/time.h"
#include "kernel/syscalls/time_args.h"
#include "kernel/thread_group.h"
#include "kernel/time/process_timers.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

namespace {

constexpr int kItimerReal = 0, kItimerVirtual = 1, kItimerProf = 2;
constexpr uint64_t kNsPerSec = 1'000'000'000;

struct ITimerVal {
  UserTimeval interval, value;
};
struct ITimerSpec {
  UserTimespec interval, value;
};

Result<uint64_t> usec_to_ns(const UserTimeval& t) {
  if (t.usec < 0 || t.usec >= 1'000'000) return Errno::inval;
  return to_ns({t.sec, t.usec * 1000});
}

UserTimeval to_timeval(uint64_t ns) {
  return {static_cast<int64_t>(ns / kNsPerSec), static_cast<int64_t>(ns % kNsPerSec / 1000)};
}

ITimerVal to_itimerval(const TimerSetting& s) { return {to_timeval(s.interval_ns), to_timeval(s.value_ns)}; }

uint64_t cpu_time_for(Task& task, int which) {
  CpuTimeNs t = process_cpu_time(task.group());
  return which == kItimerVirtual ? t.user : t.user + t.system;
}

// The CPU-time timers: deadlines on the CPU clock of the process.
TimerSetting exchange_cpu_timer(Task& task, int which, const TimerSetting* fresh) {
  uint64_t used = cpu_time_for(task, which);
  ProcessTimers& timers = task.group().timers;
  LockGuard guard(timers.lock);
  CpuTimer& t = which == kItimerVirtual ? timers.virt : timers.prof;
  TimerSetting old;
  old.interval_ns = t.interval_ns;
  if (t.deadline_ns) old.value_ns = t.deadline_ns > used ? t.deadline_ns - used : 1000;
  if (fresh) {
    t.deadline_ns = fresh->value_ns ? used + fresh->value_ns : 0;
    t.interval_ns = fresh->interval_ns;
    if (t.deadline_ns) timers.cpu_timers_armed.store(true, std::memory_order_relaxed);
  }
  return old;
}

Result<TimerSetting> itimer(Task& task, int which, const TimerSetting* fresh) {
  if (which < kItimerReal || which > kItimerProf) return Errno::inval;
  if (which != kItimerReal) {
    TimerSetting old = exchange_cpu_timer(task, which, fresh);
    if (fresh) watch_cpu_time(task.group());
    return old;
  }
  RealTimer& real = task.group().timers.real;
  return fresh ? real.set(*fresh) : real.get();
}

}  // namespace

Result<void> sys_getitimer(Task& task, int which, uint64_t value) {
  TimerSetting s = TRY(itimer(task, which, nullptr));
  return mm::copy_out(task.mm(), UserPtr<ITimerVal>(value), to_itimerval(s));
}

Result<void> sys_setitimer(Task& task, int which, uint64_t value, uint64_t old_value) {
  TimerSetting fresh;
  if (value) {
    ITimerVal v = TRY(mm::copy_in(task.mm(), UserPtr<ITimerVal>(value)));
    fresh.value_ns = TRY(usec_to_ns(v.value));
    fresh.interval_ns = TRY(usec_to_ns(v.interval));
  }
  TimerSetting old = TRY(itimer(task, which, &fresh));
  if (old_value) TRY(mm::copy_out(task.mm(), UserPtr<ITimerVal>(old_value), to_itimerval(old)));
  return {};
}

Result<uint64_t> sys_alarm(Task& task, uint32_t seconds) {
  TimerSetting fresh;
  fresh.value_ns = seconds * kNsPerSec;
  TimerSetting old = task.group().timers.real.set(fresh);
  // Rounded, but never to 0 while something was armed.
  uint64_t left = (old.value_ns + kNsPerSec / 2) / kNsPerSec;
  return old.value_ns && left == 0 ? 1 : left;
}

// ---- timer_create

namespace {

struct SigEvent {
  uint64_t value;
  int32_t signo, notify, tid, pad[11];
};
static_assert(sizeof(SigEvent) == 64);

constexpr int kSigevSignal = 0, kSigevNone = 1, kSigevThread = 2, kSigevThreadId = 4;

Result<SigEvent> check_event(Task& task, SigEvent e) {
  switch (e.notify) {
    case kSigevNone:
      return e;
    case kSigevSignal:
    case kSigevThread:
      break;
    case kSigevSignal | kSigevThreadId: {
      Ref<Task> target = find_task(task, e.tid);
      if (!target || &target->group() != &task.group()) return Errno::inval;
      e.tid = target->tid();
      break;
    }
    default:
      return Errno::inval;
  }
  if (!signal_valid(e.signo)) return Errno::inval;
  return e;
}

ITimerSpec to_itimerspec(const TimerSetting& s) {
  return {to_timespec(s.interval_ns), to_timespec(s.value_ns)};
}

bool timer_clock(int clock) {
  // realtime, monotonic, CPU time, boottime, alarms, TAI
  return clock == 2 || clock == 3 || clock == 0 || clock == 1 || clock == 7 || clock == 8 || clock == 9 ||
         clock == 11;
}

}  // namespace

Result<void> sys_timer_create(Task& task, int clock, uint64_t event, uint64_t id) {
  // What clock_getcpuclockid(3) gives for the caller itself.
  constexpr int kOwnProcess = -6, kOwnThread = -2;
  if (clock == kOwnProcess) clock = PosixTimer::kProcessCpuClock;
  if (clock == kOwnThread) clock = PosixTimer::kThreadCpuClock;
  if (!timer_clock(clock)) return clock < 0 ? Errno::opnotsupp : Errno::inval;
  SigEvent e{};
  e.signo = abi::sig::alrm;
  if (event) e = TRY(check_event(task, TRY(mm::copy_in(task.mm(), UserPtr<SigEvent>(event)))));
  Ref<PosixTimer> timer = TRY(task.group().timers.create(task.group(), clock));
  timer->notify = e.notify == kSigevThread ? kSigevSignal : e.notify;
  timer->signal = e.signo;
  timer->value = event ? e.value : static_cast<uint64_t>(timer->id);
  timer->target_tid = e.tid;
  timer->owner_tid = task.tid();
  auto r = mm::copy_out(task.mm(), UserPtr<int32_t>(id), timer->id);
  if (!r) (void)task.group().timers.remove(timer->id);
  return r;
}

Result<void> sys_timer_settime(Task& task, int id, uint32_t flags, uint64_t value, uint64_t old_value) {
  constexpr uint32_t kAbsolute = 1;
  if (value == 0) return Errno::inval;
  ITimerSpec spec = TRY(mm::copy_in(task.mm(), UserPtr<ITimerSpec>(value)));
  TimerSetting fresh;
  fresh.value_ns = TRY(to_ns(spec.value));
  fresh.interval_ns = TRY(to_ns(spec.interval));
  Ref<PosixTimer> timer = TRY(task.group().timers.find(id));
  TimerSetting old = timer->set(fresh, flags & kAbsolute);
  if (old_value) TRY(mm::copy_out(task.mm(), UserPtr<ITimerSpec>(old_value), to_itimerspec(old)));
  return {};
}

Result<void> sys_timer_gettime(Task& task, int id, uint64_t value) {
  Ref<PosixTimer> timer = TRY(task.group().timers.find(id));
  return mm::copy_out(task.mm(), UserPtr<ITimerSpec>(value), to_itimerspec(timer->get()));
}

Result<int> sys_timer_getoverrun(Task& task, int id) { return TRY(task.group().timers.find(id))->overrun(); }

Result<void> sys_timer_delete(Task& task, int id) { return task.group().timers.remove(id); }

}  // namespace runsc::kernel
