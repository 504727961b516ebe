// One CPU as the scheduler sees it. Private to sched/.
#pragma once

#include "kernel/late.h"
#include "kernel/sched/scheduler.h"
#include "kvm/hostcall/boot_info.h"

namespace runsc::kernel {

// Of the idle context: it waits for locks by spinning, which it hardly ever must.
class IdleParker final : public Parker {
 public:
  void park() override;
  void unpark() override {}
};

struct alignas(64) Cpu {
  unsigned id = 0;
  SpinLock lock{LockRank::run_queue};
  using Queue = boost::intrusive::list<SchedEntity, boost::intrusive::constant_time_size<false>>;
  Queue ready GUARDED_BY(lock);
  std::atomic<uint32_t> ready_count{0};
  TimerQueue timers;

  // Only this CPU touches what follows.
  SchedEntity* current = nullptr;   // null: idle
  SchedEntity* previous = nullptr;  // left by the switch that goes on
  Fate previous_fate = Fate::yield;
  arch::Context idle_context;
  IdleParker idle_parker;
  uint64_t slice_start = 0;
  std::atomic<bool> afresh{false};          // sched_run_afresh()
  uint64_t kick_at = 0;                     // when ready tasks here have waited long enough; 0: not counting
  uint64_t timer_tsc = ~uint64_t{0};        // deadline of the earliest timer, cached
  uint64_t timer_tsc_of = ~uint64_t{0};     // for this deadline in ns
  uint32_t seen_user = 0, seen_system = 0;  // samples that were handed on
  uint64_t next_reclaim_tsc = 0;
  uint64_t idle_ticks = 0;
  uint64_t switches = 0;
  CpuTimeAccount busy;  // others read it
};

struct SchedCpus {
  unsigned count = 0;
  uint64_t slice_ticks = 0, kick_ticks = 0, least_ticks = 0;
  std::atomic<uint64_t> idle_mask{0};
  Late<Cpu> cpu[hostcall::kMaxCpus];
};
extern SchedCpus g_cpus;

// Never keep the reference across a switch.
Cpu& this_cpu();

}  // namespace runsc::kernel
