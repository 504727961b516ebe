// What /proc/stat and /proc/loadavg show of the scheduler.
#include "kernel/sched/cpu.h"
#include "kernel/task.h"
#include "kernel/time/clock.h"

namespace runsc::kernel {

namespace {
// Exponential averages over 1, 5 and 15 minutes, in steps of 5 seconds, 1/2048 units.
constexpr uint64_t kFixed = 2048, kDecay[3] = {1884, 2014, 2037}, kStepNs = 5'000'000'000;
constinit SpinLock g_load_lock{LockRank::leaf};
constinit uint64_t g_load[3] GUARDED_BY(g_load_lock) = {};
constinit uint64_t g_load_time GUARDED_BY(g_load_lock) = 0;

uint32_t running_now() {
  uint32_t n = 0;
  for (unsigned i = 0; i < g_cpus.count; ++i) {
    Cpu& cpu = *g_cpus.cpu[i];
    n += cpu.ready_count.load(std::memory_order_relaxed) + (cpu.current ? 1 : 0);
  }
  return n;
}
}  // namespace

SchedStats sched_stats(unsigned cpu_number) {
  Cpu& cpu = *g_cpus.cpu[cpu_number];
  CpuTicks busy = cpu.busy.read();
  return {cpu.switches, cpu.idle_ticks, busy.user, busy.system,
          cpu.ready_count.load(std::memory_order_relaxed) + (cpu.current ? 1 : 0)};
}

// Computed when asked for: an idle sandbox must not wake up only to keep an average.
void sched_load_average(uint64_t (&out)[3]) {
  uint32_t running = running_now();
  uint64_t now = monotonic_ns();
  LockGuard guard(g_load_lock);
  for (int steps = 0; now - g_load_time >= kStepNs; ++steps) {
    g_load_time = steps < 500 ? g_load_time + kStepNs : now;
    for (int i = 0; i < 3; ++i)
      g_load[i] = (g_load[i] * kDecay[i] + running * kFixed * (kFixed - kDecay[i])) / kFixed;
  }
  for (int i = 0; i < 3; ++i) out[i] = g_load[i];
}

}  // namespace runsc::kernel
