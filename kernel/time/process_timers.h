// The timers of a process: setitimer(2) and timer_create(2).
#pragma once

#include <cstdint>

#include "kernel/base/alloc.h"
#include "kernel/base/lock.h"
#include "kernel/base/result.h"
#include "kernel/base/vec.h"
#include "kernel/signal/state.h"
#include "kernel/time/timer.h"

namespace runsc::kernel {

class Task;
class ThreadGroup;

struct TimerSetting {
  uint64_t value_ns = 0, interval_ns = 0;  // value 0: disarmed
};

// What timers of a process have in common. Any thread may set one while it fires.
class ProcessTimer : public Timer {
 protected:
  explicit ProcessTimer(ThreadGroup& group) : group_(group) {}
  // Arms it for its deadline, also when several threads change that at once.
  void settle();

  ThreadGroup& group_;
  SpinLock lock_{LockRank::leaf};
  uint64_t interval_ GUARDED_BY(lock_) = 0;
  uint64_t deadline_ GUARDED_BY(lock_) = 0;  // 0: none

 private:
  uint64_t deadline();
};

// ITIMER_REAL: one Timer that signals its process.
class RealTimer final : public ProcessTimer {
 public:
  explicit RealTimer(ThreadGroup& group) : ProcessTimer(group) {}
  TimerSetting get();
  TimerSetting set(TimerSetting setting);

 private:
  void fire() override;
};

// ITIMER_VIRTUAL, ITIMER_PROF, RLIMIT_CPU: looked at when tasks enter the kernel by a tick.
struct CpuTimer {
  uint64_t deadline_ns = 0;  // of CPU time used; 0: disarmed
  uint64_t interval_ns = 0;
};

class PosixTimer final : public ProcessTimer, public RefCounted<PosixTimer> {
 public:
  PosixTimer(ThreadGroup& group, int32_t timer_id, int clock_id)
      : ProcessTimer(group), id(timer_id), clock(clock_id) {}
  ~PosixTimer() { cancel(); }
  TimerSetting get();
  TimerSetting set(TimerSetting setting, bool absolute);
  // No further signals; a queued one is taken back. No locks held.
  void retire();
  // Called under the signal lock when its signal is taken; the overrun count to show.
  int32_t taken();
  // On a CPU-time clock: fires if it is due. No locks held.
  void check_cpu();
  bool on_cpu_clock() const { return clock == kProcessCpuClock || clock == kThreadCpuClock; }
  int32_t overrun() const { return last_overrun_.load(std::memory_order_relaxed); }

  const int32_t id;
  const int clock;
  int notify = 0;  // SIGEV_SIGNAL 0, SIGEV_NONE 1, SIGEV_THREAD_ID 4
  int signal = 14;
  uint64_t value = 0;
  int32_t target_tid = 0;
  int32_t owner_tid = 0;  // whose time the thread clock is
  static constexpr int kProcessCpuClock = 2, kThreadCpuClock = 3;

 private:
  void fire() override;
  uint64_t now();
  QueuedSignal entry_;                // queued at most once: further expirations count as overruns
  std::atomic<int32_t> overruns_{0};  // since it was queued
  std::atomic<int32_t> last_overrun_{0};
};

// CPU time used by all threads of a process, in nanoseconds.
struct CpuTimeNs {
  uint64_t user, system;
};
CpuTimeNs process_cpu_time(ThreadGroup& group);
CpuTimeNs task_cpu_time(const Task& task);
// ITIMER_VIRTUAL, ITIMER_PROF, timers on CPU-time clocks and RLIMIT_CPU of the current task's process:
// signals what is due.
void check_cpu_timers(Task& task);
// Whether there is any such timer or limit.
bool cpu_time_is_watched(ThreadGroup& group);
// There is one now: every thread of the process gets Work::cpu_time. Takes g_tree_lock.
void watch_cpu_time(ThreadGroup& group);

struct ProcessTimers {
  // A SI_TIMER signal is being taken: its overrun count. Under the signal lock.
  void note_taken(abi::SigInfo& info);
  explicit ProcessTimers(ThreadGroup& group) : real(group) {}
  RealTimer real;
  SpinLock lock{LockRank::leaf};
  CpuTimer virt GUARDED_BY(lock), prof GUARDED_BY(lock);
  std::atomic<bool> cpu_timers_armed{
      false};  // set under `lock`, then watch_cpu_time(); cleared by check_cpu_timers()
  Vec<Ref<PosixTimer>> posix GUARDED_BY(lock);
  int32_t next_id GUARDED_BY(lock) = 0;
  Result<Ref<PosixTimer>> find(int32_t id);
  Result<Ref<PosixTimer>> create(ThreadGroup& group, int clock);
  Result<void> remove(int32_t id);
  // Stops everything: the process ends or executes another program (`all`: ITIMER_REAL too).
  void clear(bool all);
};

}  // namespace runsc::kernel
