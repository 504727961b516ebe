// Pulls CPUs out of user code when their time slice is over: a thread that looks at CpuShared every two
// milliseconds at most while some CPU is busy, and rests while all are idle.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "kvm/hostcall/boot_info.h"
#include "kvm/monitor/services/cpu_control.h"

namespace runsc::monitor {

class PreemptTimer {
 public:
  // The references outlive the timer. `tsc_offset`: what the sentry's TSC is ahead of this process's.
  PreemptTimer(hostcall::Shared& shared, CpuControl& cpus, unsigned cpu_count, std::uint64_t tsc_hz,
               std::int64_t tsc_offset);
  ~PreemptTimer();
  PreemptTimer(const PreemptTimer&) = delete;
  PreemptTimer& operator=(const PreemptTimer&) = delete;

  void start();
  void stop();
  // A CPU leaves idle. Cheap when the timer is at work already. Without this call the timer finds out by
  // itself, within kLongestRest.
  void poke();

 private:
  void run();
  // Looks once; true if some CPU is not idle.
  bool look();

  hostcall::Shared& shared_;
  CpuControl& cpus_;
  const unsigned cpu_count_;
  const std::uint64_t tsc_hz_;
  const std::int64_t tsc_offset_;
  std::uint64_t kicked_[hostcall::kMaxCpus] = {};  // the timer thread's: deadline that was kicked for last
  std::atomic<bool> resting_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;  // guarded by mutex_
  bool poked_ = false;     // guarded by mutex_
  std::thread thread_;
};

}  // namespace runsc::monitor
