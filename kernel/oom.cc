#include "kernel/oom.h"

#include <algorithm>

#include "fs/dentry.h"
#include "kernel/base/log.h"
#include "kernel/blocking.h"
#include "kernel/control/containers.h"
#include "kernel/exit.h"
#include "kernel/pid.h"
#include "kernel/signal/signal.h"
#include "kernel/time/clock.h"
#include "kvm/hostcall/client.h"

namespace runsc::kernel {

namespace {

// The names that are cached are everybody's: a container that lives at its limit must not keep the cache
// empty.
constexpr uint64_t kShrinkPause = 100'000'000;
// Who was killed and has not ended by then is not waited for any longer.
constexpr uint64_t kPatience = 2'000'000'000;

// Whose memory is short; null: the sandbox's.
using Scope = Container*;

void short_of_memory() {
  auto* task = static_cast<Task*>(arch::cpu_local().current);
  if (task && task->account != kNoAccount) task->work.set(Work::memory);
}

bool is_in(const ThreadGroup& group, Scope scope) {
  return group.container && (!scope || group.container.get() == scope);
}

struct Victim {
  Ref<ThreadGroup> group;
  Ref<mm::AddressSpace> mm;
  int64_t score = 0;
};

uint64_t pages_of(Scope scope) {
  const uint64_t all = mm::phys_stats().total_pages;
  if (!scope) return all;
  const auto limit = static_cast<uint64_t>(scope->account().limit.load(std::memory_order_relaxed));
  return std::min(all, limit / mm::kPageSize);
}

// The largest process, where 1000 of oom_score_adj are worth all memory there is; none: nobody may be killed.
Victim choose(Scope scope) {
  constexpr int32_t kNever = -1000;
  const auto all = static_cast<int64_t>(pages_of(scope));
  Victim best;
  int32_t next = 1;
  while (Ref<ThreadGroup> group = next_group(next)) {
    next = group->pid + 1;
    const int32_t adjustment = group->oom_score_adj.load(std::memory_order_relaxed);
    if (!is_in(*group, scope) || group->zombie || group->oom_victim || adjustment == kNever) continue;
    Ref<mm::AddressSpace> mm = memory_of(*group);
    if (!mm) continue;
    const int64_t score = static_cast<int64_t>(mm->resident_pages()) + adjustment * all / 1000;
    if (best.group && score <= best.score) continue;
    best = {std::move(group), std::move(mm), score};
  }
  return best;
}

void report(Task& task, const Victim& victim, Scope scope) {
  const mm::MemoryUsage usage = victim.mm->usage();
  const ThreadGroup& group = *victim.group;
  Ref<Task> leader = find_task(group.pid);
  const Task::Comm comm = leader ? leader->comm() : Task::Comm{};
  Ref<fs::Credentials> creds = leader ? leader->creds_ref() : Ref<fs::Credentials>();
  const uint32_t uid = creds ? creds->uid : 0;
  const int32_t adjustment = group.oom_score_adj.load(std::memory_order_relaxed);
  log_error("{} invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj={}", task.comm().text,
            task.group().oom_score_adj.load(std::memory_order_relaxed));
  if (scope) {
    const Account& account = scope->account();
    log_error("memory: usage {}kB, limit {}kB, failcnt {}",
              account.bytes.load(std::memory_order_relaxed) / 1024,
              account.limit.load(std::memory_order_relaxed) / 1024,
              account.shortages.load(std::memory_order_relaxed));
  }
  log_error(
      "oom-kill:constraint={},nodemask=(null),cpuset=/,mems_allowed=0{},task_memcg=/,task={},pid={},uid={}",
      scope ? "CONSTRAINT_MEMCG" : "CONSTRAINT_NONE", scope ? ",oom_memcg=/" : ",global_oom", comm.text,
      group.pid, uid);
  const uint64_t file = std::min(usage.resident_file, usage.resident);
  log_error(
      "{}: Killed process {} ({}) total-vm:{}kB, anon-rss:{}kB, file-rss:{}kB, shmem-rss:0kB, UID:{} "
      "oom_score_adj:{}",
      scope ? "Memory cgroup out of memory" : "Out of memory", group.pid, comm.text, usage.virtual_pages * 4,
      (usage.resident - file) * 4, file * 4, uid, adjustment);
}

// With all who use its memory. False: it has ended meanwhile.
bool kill(Victim& victim, Scope scope) {
  bool killed = false;
  int32_t next = 1;
  while (Ref<ThreadGroup> group = next_group(next)) {
    next = group->pid + 1;
    if (!is_in(*group, scope)) continue;
    if (group.get() != victim.group.get() && memory_of(*group).get() != victim.mm.get()) continue;
    LockGuard tree(g_tree_lock);
    if (group->zombie) continue;
    group->oom_victim = killed = true;
    (void)queue_signal_tree_locked(*group, nullptr, abi::SigInfo(abi::sig::kill, abi::sig_code::kernel),
                                   Origin::outside);
  }
  return killed;
}

void tell_host(Container& container) {
  container.killed.fetch_add(1, std::memory_order_relaxed);
  (void)hostcall::call<hostcall::ContainerOom>([&](auto& r) { r.container = container.number; });
}

// A process that was killed for this and is still on its way out.
Ref<ThreadGroup> dying(Scope scope) {
  LockGuard tree(g_tree_lock);
  for (ThreadGroup& g : all_groups())
    if (g.oom_victim && !g.zombie && !g.oom_overdue && is_in(g, scope)) return Ref<ThreadGroup>(g);
  return {};
}

bool is_zombie(const ThreadGroup& group) {
  LockGuard tree(g_tree_lock);
  return group.zombie;
}

void wait_for_end(Task& task, ThreadGroup& victim) {
  const uint64_t deadline = monotonic_ns() + kPatience;
  Container& container = *victim.container;
  ParkWaiter waiter;
  container.left.add(waiter);
  while (!is_zombie(victim) && !kill_pending(task) && monotonic_ns() < deadline) park_until(task, deadline);
  container.left.remove(waiter);
  if (monotonic_ns() < deadline) return;
  LockGuard tree(g_tree_lock);
  victim.oom_overdue = !victim.zombie;
}

// True: something may have come back.
bool give_back(Container& container) {
  account_flush(arch::cpu_local().stock);
  const uint64_t now = monotonic_ns();
  uint64_t last = container.last_shrink_ns.load(std::memory_order_relaxed);
  if (now - last < kShrinkPause) return false;
  if (!container.last_shrink_ns.compare_exchange_strong(last, now, std::memory_order_relaxed)) return false;
  fs::dcache_shrink();
  account_flush(arch::cpu_local().stock);
  return true;
}

constinit Mutex g_killing;

// Nothing is given to applications of the last pages (Use::user).
bool is_short(Scope scope) {
  constexpr uint64_t kScarcePages = 4096;
  return scope ? scope->account().is_short() : mm::phys_stats().free_pages <= kScarcePages;
}

// One process, once: whoever else is short meanwhile waits for its end.
void kill_one(Task& task, Scope scope) {
  Victim victim;
  {
    LockGuard guard(g_killing);
    // It may be over since: a victim of somebody else's has ended.
    if (!is_short(scope) || dying(scope) || kill_pending(task)) return;
    victim = choose(scope);
    // Nobody may be killed: then it is who asks.
    if (!victim.group) victim = {Ref<ThreadGroup>(task.group()), task.mm_ref(), 0};
    if (!kill(victim, scope)) return;
  }
  report(task, victim, scope);
  tell_host(*victim.group->container);
}

void kill_until(Task& task, Scope scope) {
  if (scope) scope->shortages.fetch_add(1, std::memory_order_relaxed);
  kill_one(task, scope);
  if (Ref<ThreadGroup> victim = dying(scope); victim && !kill_pending(task)) wait_for_end(task, *victim);
  account_flush(arch::cpu_local().stock);
}

}  // namespace

void oom_init() { account_set_hook(short_of_memory); }

bool mend_shortage(Task& task) {
  task.work.clear(Work::memory);
  Container& container = *task.group().container;
  const Account& account = container.account();
  if (!account.is_short()) return false;
  while (account.is_short() && !kill_pending(task))
    if (!give_back(container)) kill_until(task, &container);
  return !kill_pending(task);
}

void mend_failed_fault(Task& task) {
  Container& container = *task.group().container;
  if (container.account().is_short()) {
    (void)mend_shortage(task);
    return;
  }
  if (!is_short(nullptr)) return;  // somebody was faster
  if (!give_back(container)) kill_until(task, nullptr);
}

}  // namespace runsc::kernel
