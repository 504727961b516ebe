// The containers of a sandbox: the one that it starts and ends with, and those that join it later (a pod).
#pragma once

#include "kernel/base/account.h"
#include "kernel/base/lock_rank.h"
#include "kernel/base/wait_queue.h"
#include "kernel/sched/sched_entity.h"
#include "kernel/seccomp/seccomp.h"
#include "kernel/thread_group.h"
#include "kvm/hostcall/container_spec.h"
#include "kvm/hostcall/control_calls.h"

namespace runsc::kernel {

// What config.json or `runsc update` says (cgroups(7)).
struct ContainerLimits {
  static constexpr uint32_t kAnyTasks = ~0u;
  // With what `news` says.
  ContainerLimits with(const hostcall::Limits& news) const;

  int64_t memory = Account::kUnlimited;  // bytes
  uint32_t tasks = kAnyTasks;
  // Kept by the host; told to the application.
  uint64_t cpu_quota_us = 0;  // 0: none
  uint64_t cpu_period_us = 100'000, cpu_shares = 1024;
};

// Every process is of the container that its parent is of.
class Container final : public RefCounted<Container> {
 public:
  // ENOMEM; EAGAIN: there are as many as can be.
  static Result<Ref<Container>> create(hostcall::ContainerNumber number);
  const hostcall::ContainerNumber number;
  // Of its tasks; g_accounts has its memory and the limit of that. Nothing else ever has the same number
  // while the container is.
  const AccountId account_id;
  Account& account() const { return g_accounts[account_id]; }
  bool is_first() const { return number == hostcall::kFirstContainer; }

  // What config.json filters: of the init, and of what joins.
  SeccompState seccomp;

  // The command that lets the init go on; 0: it has not come.
  std::atomic<uint32_t> start{0};
  WaitQueue start_wait;

  // ---- Under g_tree_lock.
  ThreadGroup* init = nullptr;  // null: not yet, or no more
  bool frozen = false;
  uint32_t tasks = 0, peak_tasks = 0;
  ContainerLimits limits;
  CpuTicks ended{};  // what processes that have ended had used
  WaitQueue left;    // a process has ended

  std::atomic<uint64_t> refused_tasks{0}, shortages{0}, killed{0};  // pids.events, memory.events
  uint64_t last_shrink_ns = 0;                                      // kernel/oom.cc

  // EAGAIN: it has as many tasks as it may.
  Result<void> admit_task_locked() REQUIRES(g_tree_lock);
  void set_limits(const ContainerLimits& limits);

  ~Container();

 private:
  template <class T, class... A>
  friend Ref<T> runsc::make_ref(A&&...);
  Container(hostcall::ContainerNumber n, AccountId account) : number(n), account_id(account) {}
};

// Null: there is none, or its init has been reaped.
Ref<Container> find_container(hostcall::ContainerNumber number);
// Its init; null: it has ended.
Ref<Task> init_of(Container& container);
// What a container uses now. No locks held.
struct ContainerUsage {
  int64_t memory = 0, peak = 0;  // bytes
  uint64_t anonymous = 0, mapped_files = 0;
  uint32_t tasks = 0;
  CpuTicks cpu{};
};
// The memory of a process, null at its end. No locks held.
Ref<mm::AddressSpace> memory_of(ThreadGroup& group);
ContainerUsage usage_of(const Container& container);
// The memory that its processes may believe the machine to have, in pages: as far as its limit lets them.
struct VisibleMemory {
  uint64_t total = 0, free = 0;
};
VisibleMemory visible_memory(const Container& container);
// Its init, `task`, is the last of its process: comes back when nobody else in the container lives.
void end_container_of(Task& task);

}  // namespace runsc::kernel
