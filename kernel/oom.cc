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
#include "mm/urgent_copy.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

namespace {

// The names that are cached are everybody's: a container that lives at its limit must not keep the cache
// empty.
constexpr uint64_t kShrinkPause = 100'000'000;
// Who was killed and has not ended by then is not waited for any longer.
constexpr uint64_t kPatience = 2'000'000'000;

// Whose memory is short; null: the sandbox's.
using Scope = Container*;

bool short_of_memory(AccountId id) {
  auto* task = static_cast<Task*>(arch::cpu_local().current);
  if (!task || task->account != id) return id == kNoAccount;
  if (id != kNoAccount) task->work.set(Work::memory);
  return true;
}

// The flag is on its CPU, and the task's own for when it goes to another.
bool let_copy_take() {
  auto* task = static_cast<Task*>(arch::cpu_local().current);
  if (!task) return false;
  const bool before = task->unrefused;
  task->unrefused = arch::cpu_local().unrefused = true;
  return before;
}

void end_copy_taking(bool before) {
  auto* task = static_cast<Task*>(arch::cpu_local().current);
  if (!task) return;
  task->unrefused = arch::cpu_local().unrefused = before;
  // What it took is missed elsewhere: what is short is mended before it goes on.
  if (task->failed_faults == 0) task->failed_faults = 1;
  task->work.set(Work::memory);
}

void copy_found_nothing() {
  if (auto* task = static_cast<Task*>(arch::cpu_local().current)) task->work.set(Work::copy);
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

Task* thread_with_memory_locked(ThreadGroup& group) REQUIRES(g_tree_lock) {
  for (Task* t = group.threads; t; t = t->next_thread)
    if (!t->dead && t->resident().any) return t;
  return nullptr;
}

// The largest process, where 1000 of oom_score_adj are worth all memory there is; none: nobody may be killed.
Victim choose(Scope scope) {
  constexpr int32_t kNever = -1000;
  const auto all = static_cast<int64_t>(pages_of(scope));
  Victim best;
  {
    LockGuard tree(g_tree_lock);
    ThreadGroup* largest = nullptr;
    for (ThreadGroup& g : all_groups()) {
      const int32_t adjustment = g.oom_score_adj.load(std::memory_order_relaxed);
      if (!is_in(g, scope) || g.zombie || g.oom_victim || adjustment == kNever) continue;
      const Task* thread = thread_with_memory_locked(g);
      if (!thread) continue;
      const int64_t score = static_cast<int64_t>(thread->resident().pages) + adjustment * all / 1000;
      if (!largest || score > best.score) largest = &g, best.score = score;
    }
    if (largest) best.group = Ref<ThreadGroup>(*largest);
  }
  if (best.group) best.mm = memory_of(*best.group);
  if (!best.mm) best.group = nullptr;  // it has just ended
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

void kill_locked(ThreadGroup& group) REQUIRES(g_tree_lock) {
  group.oom_victim = true;
  (void)queue_signal_tree_locked(group, nullptr, abi::SigInfo(abi::sig::kill, abi::sig_code::kernel),
                                 Origin::outside);
}

// With all who use its memory. False: it has ended meanwhile.
bool kill(const Victim& victim, Scope scope) {
  bool killed = false;
  LockGuard tree(g_tree_lock);
  for (ThreadGroup& g : all_groups()) {
    if (!is_in(g, scope) || g.zombie) continue;
    const Task* thread = &g == victim.group.get() ? nullptr : thread_with_memory_locked(g);
    if (&g != victim.group.get() && !(thread && thread->uses(*victim.mm))) continue;
    kill_locked(g);
    killed = true;
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

constinit Mutex g_killing, g_shrinking;

// True: something may have come back. Whoever else is short meanwhile waits for that, and kills nobody.
bool give_back(Container& container) {
  account_flush(arch::cpu_local().stock);
  const uint64_t asked = monotonic_ns();
  LockGuard guard(g_shrinking);
  if (container.last_shrink_ns >= asked) return true;
  if (monotonic_ns() - container.last_shrink_ns < kShrinkPause) return false;
  fs::dcache_shrink();
  account_flush(arch::cpu_local().stock);
  container.last_shrink_ns = monotonic_ns();
  return true;
}

// Nothing is given to applications of the last pages (Use::user).
bool is_short(Scope scope) { return scope ? scope->account().is_short() : mm::phys_is_short(); }

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

void oom_init() {
  account_set_hook(short_of_memory);
  mm::set_copy_hook(copy_found_nothing);
  mm::set_urgent_copy_hooks({let_copy_take, end_copy_taking});
}

bool mend_shortage(Task& task) {
  task.work.clear(Work::memory);
  Container& container = *task.group().container;
  const Account& account = container.account();
  if (!account.is_short()) {
    if (task.failed_faults > 0 && is_short(nullptr) && !give_back(container)) kill_until(task, nullptr);
    return false;
  }
  while (account.is_short() && !kill_pending(task))
    if (!give_back(container)) kill_until(task, &container);
  return !kill_pending(task);
}

void mend_failed_fault(Task& task) {
  constexpr uint32_t kMost = 64;
  constexpr uint64_t kPause = 10'000'000;
  Container& container = *task.group().container;
  if (container.account().is_short()) {
    (void)mend_shortage(task);
    return;
  }
  if (is_short(nullptr)) {
    if (!give_back(container)) kill_until(task, nullptr);
    return;
  }
  // Somebody was faster; or the host has no memory, or no room for a file's pages, and may have it soon.
  if (++task.failed_faults < kMost) return park_until(task, monotonic_ns() + kPause);
  task.failed_faults = 0;
  log_error("{}: the host has no memory for a page: killed process {}", task.comm().text, task.pid());
  LockGuard tree(g_tree_lock);
  kill_locked(task.group());
}

}  // namespace runsc::kernel
