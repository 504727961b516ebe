// The scheduler: run queues per CPU, stealing, idling, time slices. No kernel preemption.
#pragma once

#include <cstdint>

#include "kernel/sched/sched_entity.h"
#include "kernel/time/timer.h"

namespace runsc::kernel {

void sched_init(unsigned cpus);
// The idle context of this CPU: schedules for ever. Called once on each CPU's boot stack.
[[noreturn]] void sched_run_cpu();

// Makes a new entity's first run possible: its stack, and where it starts. ENOMEM.
Result<void> sched_prepare(SchedEntity& entity, void (*entry)(void*), void* argument);
// Hands a prepared entity to the CPUs.
void sched_start(SchedEntity& entity);
// Called first by every entry function: what the switch to it left to do.
void sched_first_run();
// Lets others run if any wait. False: none did.
bool sched_yield_cpu();
// The current execution ends: its stack is freed by who runs next, and the scheduler's reference to the task
// dropped.
[[noreturn]] void sched_die();
// Moves the current task to a CPU that its affinity allows.
void sched_apply_affinity();
// Makes a task that runs on some CPU enter the kernel soon (a signal waits for it).
void sched_kick(SchedEntity& entity);

// Before run_user(), if sched_must_look(): timers, preemption. May let others run: then the task looks again
// whether it has work of its own to do. `ticking`: the task wants to come back every few milliseconds
// (CPU-time timers). Returns when (TSC) the task was put on this CPU: another number than before says that it
// was off meanwhile.
uint64_t sched_look(bool ticking);
inline bool sched_must_look() { return arch::cpu_local().look; }
// An interrupt ended run_user(), so others may have queued tasks here; or the task wants ticks from now on.
inline void sched_ask_to_look() { arch::cpu_local().look = true; }

// Whoever runs on CPU `which`, or on any other than this (kOtherCpus), is from its next user instruction on
// as if it had been off its CPU: its restartable sequence is given up, and the CPU has serialised itself.
inline constexpr unsigned kOtherCpus = ~0u;
void sched_run_afresh(unsigned which);

// Within a call that works for long: host events, timers, and others whose turn it is. Nothing may be locked.
void sched_breathe();

// The timers of this CPU.
TimerQueue& sched_timers();
// CPU time of an entity including the slice that runs now.
CpuTicks sched_cpu_ticks(const SchedEntity& entity);

struct SchedStats {
  uint64_t switches, idle_ticks, user_ticks, system_ticks;
  uint32_t running;
};
SchedStats sched_stats(unsigned cpu);
// Load averages as /proc/loadavg shows them, in 1/2048.
void sched_load_average(uint64_t (&out)[3]);

}  // namespace runsc::kernel
