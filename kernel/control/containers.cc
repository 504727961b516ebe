#include "kernel/control/containers.h"

#include <algorithm>

#include "kernel/pid.h"
#include "kernel/sched/scheduler.h"
#include "kernel/signal/signal.h"

namespace runsc::kernel {

ContainerLimits ContainerLimits::with(const hostcall::Limits& news) const {
  using hostcall::Limits;
  ContainerLimits l = *this;
  if (news.which & Limits::kMemory)
    l.memory = static_cast<int64_t>(std::min<uint64_t>(news.memory, Account::kUnlimited));
  if (news.which & Limits::kTasks) l.tasks = news.tasks;
  if (news.which & Limits::kCpuQuota) l.cpu_quota_us = news.cpu_quota_us;
  if (news.which & Limits::kCpuPeriod && news.cpu_period_us != 0) l.cpu_period_us = news.cpu_period_us;
  if (news.which & Limits::kCpuShares && news.cpu_shares != 0) l.cpu_shares = news.cpu_shares;
  return l;
}

namespace {

constinit SpinLock g_accounts_lock{LockRank::leaf};
constinit bool g_taken[kAccounts] GUARDED_BY(g_accounts_lock) = {};

// What an earlier container has left behind in what others share is still paid for by its account: one where
// nothing is left, else where the least is.
Result<AccountId> take_account() {
  LockGuard guard(g_accounts_lock);
  size_t best = kNoAccount;
  auto left = [](size_t i) {
    return std::max<int64_t>(g_accounts[i].bytes.load(std::memory_order_relaxed), 0);
  };
  for (size_t i = kNoAccount + 1; i < kAccounts; ++i)
    if (!g_taken[i] && (best == kNoAccount || left(i) < left(best))) best = i;
  if (best == kNoAccount) return Errno::again;
  g_taken[best] = true;
  Account& account = g_accounts[best];
  account.peak.store(left(best), std::memory_order_relaxed);
  account.shortages.store(0, std::memory_order_relaxed);
  return static_cast<AccountId>(best);
}

void give_account(AccountId id) {
  g_accounts[id].set_limit(Account::kUnlimited);
  LockGuard guard(g_accounts_lock);
  g_taken[id] = false;
}

}  // namespace

Result<Ref<Container>> Container::create(hostcall::ContainerNumber number) {
  const AccountId account = TRY(take_account());
  Ref<Container> container = make_ref<Container>(number, account);
  if (container) return container;
  give_account(account);
  return Errno::nomem;
}

Container::~Container() { give_account(account_id); }

Result<void> Container::admit_task_locked() {
  if (tasks < limits.tasks) return {};
  refused_tasks.fetch_add(1, std::memory_order_relaxed);
  return Errno::again;
}

void Container::set_limits(const ContainerLimits& wanted) {
  account().set_limit(wanted.memory);
  LockGuard tree(g_tree_lock);
  limits = wanted;
}

ContainerUsage usage_of(const Container& container) {
  ContainerUsage usage;
  account_flush(arch::cpu_local().stock);
  usage.memory = std::max<int64_t>(container.account().bytes.load(std::memory_order_relaxed), 0);
  usage.peak = std::max(usage.memory, container.account().peak.load(std::memory_order_relaxed));
  LockGuard tree(g_tree_lock);
  usage.tasks = container.tasks;
  usage.cpu = container.ended;
  for (ThreadGroup& g : all_groups()) {
    if (g.zombie || g.container.get() != &container) continue;
    usage.cpu.user += g.dead_threads.user_ticks;
    usage.cpu.system += g.dead_threads.system_ticks;
    bool has_memory = false;
    for_each_thread_locked(g, [&](Task& t) {
      if (t.dead) return;
      if (const Task::Resident r = t.resident(); r.any && !std::exchange(has_memory, true)) {
        usage.mapped_files += r.of_files * mm::kPageSize;
        usage.anonymous += (r.pages - r.of_files) * mm::kPageSize;
      }
      const CpuTicks used = sched_cpu_ticks(t.sched);
      usage.cpu.user += used.user;
      usage.cpu.system += used.system;
    });
  }
  return usage;
}

VisibleMemory visible_memory(const Container& container) {
  const mm::PhysStats all = mm::phys_stats();
  VisibleMemory seen{all.total_pages, all.free_pages};
  const Account& account = container.account();
  const int64_t limit = account.limit.load(std::memory_order_relaxed);
  if (limit == Account::kUnlimited) return seen;
  const int64_t used = std::clamp<int64_t>(account.bytes.load(std::memory_order_relaxed), 0, limit);
  seen.total = std::min(seen.total, static_cast<uint64_t>(limit) / mm::kPageSize);
  seen.free = std::min(seen.free, static_cast<uint64_t>(limit - used) / mm::kPageSize);
  return seen;
}

Ref<mm::AddressSpace> memory_of(ThreadGroup& group) {
  Ref<Task> task;
  {
    LockGuard tree(g_tree_lock);
    for_each_thread_locked(group, [&](Task& t) {
      if (!task && !t.dead) task = Ref<Task>(t);
    });
  }
  return task ? task->mm_ref() : Ref<mm::AddressSpace>();
}

Ref<Container> find_container(hostcall::ContainerNumber number) {
  LockGuard tree(g_tree_lock);
  for (ThreadGroup& g : all_groups())
    if (g.container && g.container->number == number && g.container->init) return g.container;
  return {};
}

Ref<Task> init_of(Container& container) {
  LockGuard tree(g_tree_lock);
  return container.init && container.init->leader ? Ref<Task>(*container.init->leader) : Ref<Task>();
}

namespace {

// True: nobody is left.
bool end_container_step(Container& container, ThreadGroup& init) {
  bool left = false;
  LockGuard tree(g_tree_lock);
  container.init = nullptr;
  for (ThreadGroup& g : all_groups()) {
    if (&g == &init || g.zombie || g.container.get() != &container) continue;
    (void)queue_signal_tree_locked(g, nullptr, abi::SigInfo(abi::sig::kill, abi::sig_code::kernel),
                                   Origin::outside);
    left = true;
  }
  return !left;
}

}  // namespace

void end_container_of(Task& task) {
  ThreadGroup& init = task.group();
  Container& container = *init.container;
  ParkWaiter waiter;
  container.left.add(waiter);
  while (!end_container_step(container, init)) task.sched.park_event();
  container.left.remove(waiter);
}

}  // namespace runsc::kernel
