#include "kernel/time/process_timers.h"

#include <algorithm>

#include "kernel/pid.h"
#include "kernel/sched/scheduler.h"
#include "kernel/signal/signal.h"
#include "kernel/thread_group.h"
#include "kernel/time/clock.h"

namespace runsc::kernel {

using namespace abi;

// ---- CPU time

CpuTimeNs task_cpu_time(const Task& task) {
  CpuTicks t = sched_cpu_ticks(task.sched);
  return {tsc_to_ns(t.user), tsc_to_ns(t.system)};
}

CpuTimeNs process_cpu_time(ThreadGroup& group) {
  uint64_t user = 0, system = 0;
  {
    LockGuard tree(g_tree_lock);
    user = group.dead_threads.user_ticks;
    system = group.dead_threads.system_ticks;
    for_each_thread_locked(group, [&](Task& t) {
      if (t.dead) return;
      CpuTicks ticks = sched_cpu_ticks(t.sched);
      user += ticks.user;
      system += ticks.system;
    });
  }
  return {tsc_to_ns(user), tsc_to_ns(system)};
}

namespace {

// Moves a timer on; true: it is due.
bool expire(CpuTimer& t, uint64_t used) {
  if (t.deadline_ns == 0 || used < t.deadline_ns) return false;
  t.deadline_ns = t.interval_ns ? used + t.interval_ns : 0;
  return true;
}

void check_cpu_limit(Task& task, uint64_t used_ns) {
  Limit limit = task.group().limits.get(static_cast<unsigned>(Resource::cpu));
  if (limit.soft == kNoLimit) return;
  uint64_t seconds = used_ns / 1'000'000'000;
  if (seconds >= limit.hard) return send_signal_to_group(task.group(), SigInfo(sig::kill, sig_code::kernel));
  if (seconds < limit.soft) return;
  send_signal_to_group(task.group(), SigInfo(sig::xcpu, sig_code::kernel));
  // Once a second from now on.
  if (seconds + 1 <= limit.hard)
    task.group().limits.set(static_cast<unsigned>(Resource::cpu), {seconds + 1, limit.hard});
}

}  // namespace

bool cpu_time_is_watched(ThreadGroup& group) {
  return group.timers.cpu_timers_armed.load(std::memory_order_seq_cst) ||
         group.limits.soft(Resource::cpu) != kNoLimit;
}

void watch_cpu_time(ThreadGroup& group) {
  LockGuard tree(g_tree_lock);
  for_each_thread_locked(group, [](Task& t) { t.work.set(Work::cpu_time); });
}

void check_cpu_timers(Task& task) {
  ThreadGroup& group = task.group();
  // Adding up the threads is dear: once in a millisecond is enough.
  uint64_t now = arch::tsc();
  if (now < task.next_cpu_check_tsc) return;
  task.next_cpu_check_tsc = now + ns_to_tsc(1'000'000);
  CpuTimeNs used = process_cpu_time(group);
  bool virt = false, prof = false;
  Vec<Ref<PosixTimer>> posix;
  size_t room;
  {
    LockGuard guard(group.timers.lock);
    room = group.timers.posix.size();
  }
  if (!posix.reserve(room)) room = 0;  // another time
  {
    LockGuard guard(group.timers.lock);
    virt = expire(group.timers.virt, used.user);
    prof = expire(group.timers.prof, used.user + used.system);
    bool left = group.timers.virt.deadline_ns || group.timers.prof.deadline_ns;
    for (auto& t : group.timers.posix)
      if (t->on_cpu_clock()) {
        left = true;
        if (posix.size() < room) (void)posix.push_back(t);
      }
    group.timers.cpu_timers_armed.store(left, std::memory_order_relaxed);
  }
  for (auto& t : posix) t->check_cpu();
  if (virt) send_signal_to_group(group, SigInfo(sig::vtalrm, sig_code::kernel));
  if (prof) send_signal_to_group(group, SigInfo(sig::prof, sig_code::kernel));
  check_cpu_limit(task, used.user + used.system);
}

// ---- What both kinds have

uint64_t ProcessTimer::deadline() {
  LockGuard guard(lock_);
  return deadline_;
}

void ProcessTimer::settle() {
  for (;;) {
    uint64_t wanted = deadline();
    if (wanted)
      arm(wanted);
    else
      (void)try_cancel();
    if (deadline() == wanted) return;
  }
}

// ---- ITIMER_REAL

TimerSetting RealTimer::get() {
  LockGuard guard(lock_);
  uint64_t now = monotonic_ns();
  TimerSetting s;
  s.interval_ns = interval_;
  if (deadline_ != 0) s.value_ns = deadline_ > now ? deadline_ - now : 1000;
  return s;
}

TimerSetting RealTimer::set(TimerSetting setting) {
  TimerSetting old = get();
  cancel();
  {
    LockGuard guard(lock_);
    deadline_ = setting.value_ns ? monotonic_ns() + setting.value_ns : 0;
    interval_ = setting.interval_ns;
  }
  settle();
  return old;
}

void RealTimer::fire() {
  uint64_t next = 0;
  {
    LockGuard guard(lock_);
    if (deadline_ == 0) return;
    uint64_t now = monotonic_ns();
    if (now < deadline_) return;  // set again meanwhile, by somebody who will arm it
    // Missed periods are one signal.
    next = interval_ ? deadline_ + interval_ : 0;
    if (next != 0 && next <= now) next = now + interval_;
    deadline_ = next;
  }
  send_signal_to_group(group_, SigInfo(sig::alrm, sig_code::kernel));
  if (next) settle();
}

// ---- timer_create(2)

namespace {
constexpr int kNotifySignal = 0, kNotifyNone = 1, kNotifyThread = 4;
constexpr int kRealtimeClock = 0;

uint64_t to_monotonic(int clock, uint64_t ns) {
  if (clock != kRealtimeClock && clock != 8 && clock != 11) return ns;
  int64_t mono = static_cast<int64_t>(ns) - (realtime_ns() - static_cast<int64_t>(monotonic_ns()));
  return mono > 0 ? static_cast<uint64_t>(mono) : 1;
}
}  // namespace

uint64_t PosixTimer::now() {
  if (clock == kProcessCpuClock) {
    CpuTimeNs t = process_cpu_time(group_);
    return t.user + t.system;
  }
  if (clock == kThreadCpuClock) {
    Ref<Task> owner = find_task(owner_tid);
    if (!owner) return 0;
    CpuTimeNs t = task_cpu_time(*owner);
    return t.user + t.system;
  }
  return monotonic_ns();
}

TimerSetting PosixTimer::get() {
  uint64_t at = now();
  LockGuard guard(lock_);
  TimerSetting s;
  s.interval_ns = interval_;
  if (deadline_ != 0) s.value_ns = deadline_ > at ? deadline_ - at : 1;
  return s;
}

void PosixTimer::check_cpu() {
  uint64_t at = now();
  bool due = false;
  {
    LockGuard guard(lock_);
    due = deadline_ != 0 && at >= deadline_;
  }
  if (due) fire();
}

TimerSetting PosixTimer::set(TimerSetting setting, bool absolute) {
  TimerSetting old = get();
  cancel();
  uint64_t deadline = 0;  // on its clock
  if (setting.value_ns)
    deadline = absolute ? to_monotonic(clock, setting.value_ns) : now() + setting.value_ns;
  {
    LockGuard guard(lock_);
    deadline_ = deadline;
    interval_ = setting.interval_ns;
  }
  overruns_.store(0, std::memory_order_relaxed);
  if (deadline && on_cpu_clock()) {
    {
      LockGuard guard(group_.timers.lock);
      group_.timers.cpu_timers_armed.store(true, std::memory_order_relaxed);
    }
    watch_cpu_time(group_);
  } else if (!on_cpu_clock()) {
    settle();
  }
  return old;
}

void PosixTimer::fire() {
  uint64_t next = 0;
  int64_t missed = 0;
  uint64_t at = now();
  {
    LockGuard guard(lock_);
    if (deadline_ == 0 || at < deadline_) return;  // set again meanwhile
    if (interval_) {
      missed = static_cast<int64_t>((at > deadline_ ? at - deadline_ : 0) / interval_);
      next = deadline_ + (static_cast<uint64_t>(missed) + 1) * interval_;
    }
    deadline_ = next;
  }
  if (notify != kNotifyNone) {
    Ref<Task> target = notify == kNotifyThread ? find_task(target_tid) : nullptr;
    entry_.preallocated = true;
    bool fresh = true;
    if (!entry_.queued) {
      entry_.info = SigInfo(signal, sig_code::timer);
      entry_.info.timer.timer_id = id;
      entry_.info.timer.value = value;
    }
    if (notify == kNotifySignal || target) fresh = queue_preallocated(group_, target.get(), entry_);
    overruns_.fetch_add(static_cast<int32_t>(missed) + (fresh ? 0 : 1), std::memory_order_relaxed);
  }
  if (next && !on_cpu_clock()) settle();
}

int32_t PosixTimer::taken() {
  int32_t n = overruns_.exchange(0, std::memory_order_relaxed);
  last_overrun_.store(n, std::memory_order_relaxed);
  return n;
}

void PosixTimer::retire() {
  set({}, false);
  LockGuard tree(g_tree_lock);
  LockGuard guard(group_.signal_lock);
  if (!entry_.queued) return;
  group_.queue.remove(entry_);
  for_each_thread_locked(group_, [&](Task& t) { t.signals.queue.remove(entry_); });
}

Result<Ref<PosixTimer>> ProcessTimers::find(int32_t id) {
  LockGuard guard(lock);
  for (auto& t : posix)
    if (t->id == id) return t;
  return Errno::inval;
}

Result<Ref<PosixTimer>> ProcessTimers::create(ThreadGroup& group, int clock) {
  int32_t id = 0;
  {
    LockGuard guard(lock);
    id = next_id++ & 0x7fffffff;
  }
  auto t = make_ref<PosixTimer>(group, id, clock);
  if (!t) return Errno::again;
  // No memory is taken under the lock.
  for (;;) {
    Vec<Ref<PosixTimer>> room;
    size_t size;
    {
      LockGuard guard(lock);
      size = posix.size();
    }
    TRY(room.reserve(size + 1));
    LockGuard guard(lock);
    if (posix.size() != size) continue;
    for (auto& each : posix) (void)room.push_back(std::move(each));
    (void)room.push_back(t);
    posix.swap(room);
    return t;
  }
}

Result<void> ProcessTimers::remove(int32_t id) {
  Ref<PosixTimer> gone;
  {
    LockGuard guard(lock);
    for (size_t i = 0; i < posix.size(); ++i)
      if (posix[i]->id == id) {
        gone = posix[i];
        posix.erase(i);
        break;
      }
  }
  if (!gone) return Errno::inval;
  gone->retire();
  return {};
}

void ProcessTimers::note_taken(SigInfo& info) {
  // The lock is a leaf: allowed under the signal lock.
  LockGuard guard(lock);
  for (auto& t : posix)
    if (t->id == info.timer.timer_id) info.timer.overrun = t->taken();
}

void ProcessTimers::clear(bool all) {
  Vec<Ref<PosixTimer>> gone;
  {
    LockGuard guard(lock);
    gone.swap(posix);
    if (all) virt = prof = {};
  }
  for (auto& t : gone) t->retire();
  if (all) real.set({});
}

}  // namespace runsc::kernel
