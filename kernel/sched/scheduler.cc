#include "kernel/sched/scheduler.h"

#include "kernel/base/check.h"
#include "kernel/base/cpu_hooks.h"
#include "kernel/events.h"
#include "kernel/sched/cpu.h"
#include "kernel/task.h"
#include "kernel/time/clock.h"
#include "mm/phys.h"

namespace runsc {

Parker& Parker::current() { return *arch::cpu_local().parker; }

}  // namespace runsc

namespace runsc::kernel {

namespace {

// How long a ready task may wait behind the one that woke it before an idle CPU is told of it. Waking a CPU
// costs far more than a switch, and most wakers sleep soon.
constexpr uint64_t kKickDelayNs = 150'000;
// What user code gets at least between two visits of timers that never rest.
constexpr uint64_t kLeastRunNs = 50'000;
constexpr uint64_t kSliceNs = 4'000'000;
// Freed memory stays at hand for so long before an idle CPU gives it back to the host, if it is worth the
// while.
constexpr uint64_t kReclaimIntervalNs = 100'000'000;
constexpr uint64_t kReclaimPages = 2048;  // more than mm keeps anyway

}  // namespace

// constinit: zeroes; init() gives it its shape.
constinit SchedCpus g_cpus{};

void sched_init(unsigned cpus) {
  g_cpus.count = cpus;
  g_cpus.slice_ticks = ns_to_tsc(kSliceNs);
  g_cpus.kick_ticks = ns_to_tsc(kKickDelayNs);
  g_cpus.least_ticks = ns_to_tsc(kLeastRunNs);
  for (unsigned i = 0; i < cpus; ++i) g_cpus.cpu[i].init().id = i;
  arch::cpu_local().parker = &this_cpu().idle_parker;
}

Cpu& this_cpu() { return *g_cpus.cpu[arch::cpu_local().id]; }

TimerQueue& sched_timers() { return this_cpu().timers; }

// ---- Run queues

// Claims an idle CPU out of `mask` and wakes it.
static bool wake_idle_cpu(uint64_t mask) {
  for (;;) {
    uint64_t idle = g_cpus.idle_mask.load(std::memory_order_seq_cst) & mask;
    if (idle == 0) return false;
    unsigned cpu = static_cast<unsigned>(__builtin_ctzll(idle));
    uint64_t bit = uint64_t{1} << cpu;
    if (!(g_cpus.idle_mask.fetch_and(~bit, std::memory_order_seq_cst) & bit)) continue;
    arch::cpu_wake(cpu);
    return true;
  }
}

static void push_ready(Cpu& cpu, SchedEntity& e) {
  LockGuard guard(cpu.lock);
  cpu.ready.push_back(e);
  // seq_cst: pairs with the idle loop, which sets its bit and then looks at the counts.
  cpu.ready_count.fetch_add(1, std::memory_order_seq_cst);
  // Another CPU is told by a wake-up.
  arch::cpu_local().look = true;
}

// Where e may run: here if allowed, else its last CPU, else the first allowed.
static void make_ready(SchedEntity& e) {
  Cpu& here = this_cpu();
  uint64_t allowed = e.affinity.load(std::memory_order_relaxed);
  if (allowed >> here.id & 1) {
    push_ready(here, e);
    return;
  }
  unsigned target = e.cpu.load(std::memory_order_relaxed);
  if (!(allowed >> target & 1)) target = static_cast<unsigned>(__builtin_ctzll(allowed));
  push_ready(*g_cpus.cpu[target], e);
  g_cpus.idle_mask.fetch_and(~(uint64_t{1} << target), std::memory_order_seq_cst);
  arch::cpu_wake(target);
}

static SchedEntity* pop_ready(Cpu& cpu, unsigned for_cpu) {
  if (cpu.ready_count.load(std::memory_order_relaxed) == 0) return nullptr;
  LockGuard guard(cpu.lock);
  for (SchedEntity& e : cpu.ready) {
    if (!(e.affinity.load(std::memory_order_relaxed) >> for_cpu & 1)) continue;
    cpu.ready.erase(cpu.ready.iterator_to(e));
    cpu.ready_count.fetch_sub(1, std::memory_order_relaxed);
    return &e;
  }
  return nullptr;
}

static SchedEntity* pick_next(Cpu& cpu) {
  if (SchedEntity* e = pop_ready(cpu, cpu.id)) return e;
  for (unsigned i = 1; i < g_cpus.count; ++i)
    if (SchedEntity* e = pop_ready(*g_cpus.cpu[(cpu.id + i) % g_cpus.count], cpu.id)) return e;
  return nullptr;
}

// ---- Switching

// Hands the monitor's samples of this CPU to who ran since the last time.
static void take_samples(Cpu& cpu) {
  const hostcall::CpuShared& shared = arch::shared().cpu[cpu.id];
  uint32_t user = shared.user_samples.load(std::memory_order_relaxed);
  uint32_t system = shared.system_samples.load(std::memory_order_relaxed);
  if (user == cpu.seen_user && system == cpu.seen_system) return;
  if (cpu.current) {
    cpu.current->account.add_samples(user - cpu.seen_user, system - cpu.seen_system);
    cpu.busy.add_samples(user - cpu.seen_user, system - cpu.seen_system);
  }
  cpu.seen_user = user;
  cpu.seen_system = system;
}

// Runs on the stack that was switched to: only now may others run the execution that left.
static void finish_switch() {
  Cpu& cpu = this_cpu();
  SchedEntity* gone = cpu.previous;
  if (!gone) return;
  cpu.previous = nullptr;
  gone->on_cpu.store(false, std::memory_order_release);
  switch (cpu.previous_fate) {
    case Fate::yield:
      make_ready(*gone);
      return;
    case Fate::park:
    case Fate::park_event: {
      uint32_t token = cpu.previous_fate == Fate::park ? SchedEntity::kLockToken : SchedEntity::kEventToken;
      uint32_t old = gone->tokens.load(std::memory_order_relaxed);
      while (!(old & token))
        if (gone->tokens.compare_exchange_weak(old, old | SchedEntity::kParked, std::memory_order_acq_rel))
          return;
      make_ready(*gone);  // woken on its way to sleep
      return;
    }
    case Fate::die: {
      gone->task.free_stack();
      // A zombie that nobody reaps keeps no machine state.
      if (arch::UserState* state = std::exchange(TaskInternals::user_state(gone->task), nullptr))
        arch::user_state_destroy(state);
      gone->task.unref();
      return;
    }
  }
}

static void run_next(Cpu& cpu, SchedEntity* prev, Fate fate, SchedEntity* next) {
  uint64_t now = arch::tsc();
  take_samples(cpu);
  if (prev)
    prev->account.end(now);
  else
    cpu.busy.begin(now);
  cpu.previous = prev;
  cpu.previous_fate = fate;
  cpu.current = next;
  ++cpu.switches;
  arch::CpuLocal& local = arch::cpu_local();
  arch::UserState* from = prev ? prev->task.user_state_or_null() : nullptr;
  arch::UserState* to = nullptr;
  arch::UserSpace* space = nullptr;
  if (next) {
    next->on_cpu.store(true, std::memory_order_relaxed);
    next->cpu.store(cpu.id, std::memory_order_relaxed);
    next->account.begin(now);
    cpu.slice_start = now;
    to = next->task.user_state_or_null();
    space = next->task.user_space_or_null();
    local.current = &next->task;
    local.account = next->task.account;
    local.unrefused = next->task.unrefused;
    account_begin(local.account);
    local.parker = next;
    local.look = true;
  } else {
    cpu.busy.end(now);
    account_flush(local.stock);
    local.current = nullptr;
    local.account = kNoAccount;
    local.unrefused = false;
    local.parker = &cpu.idle_parker;
  }
  arch::user_switch(from, to, space);
  arch::context_switch(prev ? prev->context : cpu.idle_context, next ? next->context : cpu.idle_context,
                       fate == Fate::die && prev);
  finish_switch();
}

static void switch_away(Fate fate) {
  Cpu& cpu = this_cpu();
  SchedEntity* prev = cpu.current;
  SchedEntity* next = pick_next(cpu);
  if (cpu.ready_count.load(std::memory_order_relaxed) > 0) wake_idle_cpu(~uint64_t{0});
  run_next(cpu, prev, fate, next);
}

void sched_first_run() { finish_switch(); }

bool sched_yield_cpu() {
  Cpu& cpu = this_cpu();
  if (cpu.ready_count.load(std::memory_order_relaxed) == 0) return false;
  cpu.current->involuntary_switches.fetch_add(1, std::memory_order_relaxed);
  switch_away(Fate::yield);
  return true;
}

void sched_die() {
  switch_away(Fate::die);
  PANIC("a dead task ran");
}

void sched_apply_affinity() {
  Cpu& cpu = this_cpu();
  if (!(cpu.current->affinity.load(std::memory_order_relaxed) >> cpu.id & 1)) switch_away(Fate::yield);
}

Result<void> sched_prepare(SchedEntity& entity, void (*entry)(void*), void* argument) {
  TRY(entity.task.make_stack());
  arch::context_init(entity.context, entity.context.stack, entry, argument);
  return {};
}

void sched_start(SchedEntity& entity) {
  entity.started = true;
  make_ready(entity);
  // A new task means work in parallel: do not wait for the waker to sleep.
  wake_idle_cpu(entity.affinity.load(std::memory_order_relaxed));
}

void sched_kick(SchedEntity& entity) {
  if (!entity.on_cpu.load(std::memory_order_seq_cst)) return;
  unsigned cpu = entity.cpu.load(std::memory_order_relaxed);
  if (cpu != arch::cpu_local().id) arch::cpu_wake(cpu);
}

// ---- Parking

static void park_for(SchedEntity& e, uint32_t token, Fate fate) {
  for (int i = 0; i < 2; ++i) {
    if (e.tokens.fetch_and(~token, std::memory_order_acq_rel) & token) return;
    if (i == 0) {
      e.voluntary_switches.fetch_add(1, std::memory_order_relaxed);
      switch_away(fate);
    }
  }
}

void SchedEntity::park() { park_for(*this, kLockToken, Fate::park); }

void SchedEntity::park_event() {
  asleep.store(true, std::memory_order_relaxed);
  park_for(*this, kEventToken, Fate::park_event);
  asleep.store(false, std::memory_order_relaxed);
}

void SchedEntity::unpark() {
  uint32_t old = tokens.load(std::memory_order_relaxed);
  while (!tokens.compare_exchange_weak(old, (old | kLockToken | kEventToken) & ~kParked,
                                       std::memory_order_acq_rel))
    ;
  if (!(old & kParked)) return;
  asleep.store(false, std::memory_order_relaxed);  // ready, though it has not run yet
  make_ready(*this);
}

void IdleParker::park() { spin_relax(1); }

// ---- Around user mode

static void run_timers(Cpu& cpu) {
  if (cpu.timers.earliest_ns() == ~uint64_t{0}) return;
  cpu.timers.run_expired(monotonic_ns());
  uint64_t next = cpu.timers.earliest_ns();
  cpu.timer_tsc = next == ~uint64_t{0} ? next : tsc_of_monotonic(next);
  cpu.timer_tsc_of = next;
}

static uint64_t timer_tsc(Cpu& cpu) {
  uint64_t next = cpu.timers.earliest_ns();
  if (next != cpu.timer_tsc_of) {
    cpu.timer_tsc = next == ~uint64_t{0} ? next : tsc_of_monotonic(next);
    cpu.timer_tsc_of = next;
  }
  return cpu.timer_tsc;
}

// What should happen on this CPU while it runs user code; ~0: nothing.
static uint64_t next_deadline(Cpu& cpu) {
  uint64_t deadline = timer_tsc(cpu);
  if (cpu.ready_count.load(std::memory_order_relaxed) == 0) {
    cpu.kick_at = 0;
    return deadline;
  }
  uint64_t slice_end = cpu.slice_start + g_cpus.slice_ticks;
  if (slice_end < deadline) deadline = slice_end;
  if (g_cpus.idle_mask.load(std::memory_order_relaxed) != 0) {
    if (cpu.kick_at == 0) cpu.kick_at = arch::tsc() + g_cpus.kick_ticks;
    if (cpu.kick_at < deadline) deadline = cpu.kick_at;
  }
  return deadline;
}

static void deadline_passed(Cpu& cpu, uint64_t now) {
  if (timer_tsc(cpu) <= now) run_timers(cpu);
  if (cpu.ready_count.load(std::memory_order_relaxed) == 0) return;
  if (cpu.kick_at != 0 && cpu.kick_at <= now) {
    cpu.kick_at = 0;
    wake_idle_cpu(~uint64_t{0});
  }
  if (cpu.slice_start + g_cpus.slice_ticks <= now) sched_yield_cpu();
}

// CPUID, in whatever mode.
static void serialise_cpu() {
  uint32_t a = 0, c = 0;
  asm volatile("cpuid" : "+a"(a), "+c"(c) : : "ebx", "edx", "memory");
}

void sched_run_afresh(unsigned which) {
  constexpr uint32_t kPatience = 100'000;
  const unsigned self = this_cpu().id;
  serialise_cpu();
  const auto is_meant = [&](unsigned i) { return i != self && (which == kOtherCpus || which == i); };
  for (unsigned i = 0; i < g_cpus.count; ++i) {
    if (!is_meant(i)) continue;
    g_cpus.cpu[i]->afresh.store(true, std::memory_order_seq_cst);
    arch::cpu_wake(i);
  }
  // One that is past its look, on its way to user code, meets the interrupt there. One that works in the
  // kernel for long looks before it goes back.
  for (unsigned i = 0; i < g_cpus.count; ++i) {
    if (!is_meant(i)) continue;
    const auto& state = arch::shared().cpu[i].state;
    for (uint32_t round = 0; round < kPatience && g_cpus.cpu[i]->afresh.load(std::memory_order_seq_cst) &&
                             state.load(std::memory_order_seq_cst) != hostcall::CpuShared::idle;
         ++round)
      spin_relax(round);
  }
}

uint64_t sched_look(bool ticking) {
  if (this_cpu().afresh.load(std::memory_order_relaxed) &&
      this_cpu().afresh.exchange(false, std::memory_order_seq_cst)) {
    serialise_cpu();
    this_cpu().slice_start = arch::tsc();
  }
  // Timers with periods shorter than their handling takes are due again at once: user code gets its turn.
  constexpr unsigned kMostRounds = 4;
  for (unsigned round = 0;; ++round) {
    Cpu& cpu = this_cpu();
    uint64_t deadline = next_deadline(cpu);
    // Nothing to wait for: until something is queued or armed here, nobody need look.
    bool quiet = deadline == ~uint64_t{0} && !ticking;
    uint64_t now = quiet ? 0 : arch::tsc();
    if (ticking && now + g_cpus.slice_ticks < deadline) deadline = now + g_cpus.slice_ticks;
    if (round == kMostRounds && deadline < now + g_cpus.least_ticks) deadline = now + g_cpus.least_ticks;
    if (now < deadline) {
      std::atomic<uint64_t>& shown = arch::shared().cpu[cpu.id].timer_deadline_tsc;
      if (shown.load(std::memory_order_relaxed) != deadline) shown.store(deadline, std::memory_order_relaxed);
      arch::cpu_local().look = !quiet;
      return cpu.slice_start;
    }
    deadline_passed(cpu, now);
  }
}

void sched_breathe() {
  take_host_events();
  if (sched_must_look()) sched_look(false);
}

// ---- Idling

static bool work_somewhere(const Cpu& cpu) {
  const hostcall::Shared& shared = arch::shared();
  if (shared.events_pending.load(std::memory_order_seq_cst) != 0) return true;
  if (shared.wires_pending.load(std::memory_order_seq_cst) != 0) return true;
  for (unsigned i = 0; i < g_cpus.count; ++i) {
    Cpu& other = *g_cpus.cpu[i];
    if (other.ready_count.load(std::memory_order_seq_cst) == 0) continue;
    if (&other == &cpu) return true;
    LockGuard guard(other.lock);
    for (SchedEntity& e : other.ready)
      if (e.affinity.load(std::memory_order_relaxed) >> cpu.id & 1) return true;
  }
  return false;
}

static void idle_wait(Cpu& cpu, uint64_t housekeeping_tsc) {
  uint64_t bit = uint64_t{1} << cpu.id;
  g_cpus.idle_mask.fetch_or(bit, std::memory_order_seq_cst);
  uint64_t before = arch::tsc();
  uint64_t deadline = timer_tsc(cpu);
  if (housekeeping_tsc < deadline) deadline = housekeeping_tsc;
  if (!work_somewhere(cpu) && before < deadline) {
    auto& state = arch::shared().cpu[cpu.id].state;
    state.store(hostcall::CpuShared::idle, std::memory_order_seq_cst);
    arch::cpu_idle(deadline);
    state.store(hostcall::CpuShared::kernel, std::memory_order_relaxed);
  }
  g_cpus.idle_mask.fetch_and(~bit, std::memory_order_seq_cst);
  cpu.idle_ticks += arch::tsc() - before;
}

// Anchors the clock and gives memory back, now and then. When to be here again although there is nothing to
// run.
static uint64_t idle_housekeeping(Cpu& cpu) {
  uint64_t now = arch::tsc();
  if (now >= cpu.next_reclaim_tsc) {
    cpu.next_reclaim_tsc = now + ns_to_tsc(kReclaimIntervalNs);
    clock_refresh();
    mm::phys_reclaim_to_host();
  }
  return mm::phys_stats().dirty_pages > kReclaimPages ? cpu.next_reclaim_tsc : ~uint64_t{0};
}

void sched_run_cpu() {
  Cpu& mine = this_cpu();
  arch::cpu_local().parker = &mine.idle_parker;
  for (;;) {
    run_timers(mine);
    take_host_events();
    if (SchedEntity* next = pick_next(mine)) {
      run_next(mine, nullptr, Fate::yield, next);
      continue;
    }
    idle_wait(mine, idle_housekeeping(mine));
  }
}

// ---- Numbers

CpuTicks sched_cpu_ticks(const SchedEntity& entity) {
  Cpu& cpu = this_cpu();
  if (&entity == cpu.current) take_samples(cpu);
  return entity.account.read();
}

}  // namespace runsc::kernel
