// sched_yield(2), sched_setaffinity(2), sched_setscheduler(2), getpriority(2) and companions. Policies and
// nice values are kept and shown; the scheduler itself is fair to all.
#include <algorithm>

#include "fs/user_namespace.h"
#include "kernel/pid.h"
#include "kernel/sched/scheduler.h"
#include "kernel/syscalls/tasks.h"
#include "kernel/syscalls/time_args.h"
#include "kernel/thread_group.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

namespace {

constexpr int kOther = 0, kFifo = 1, kRoundRobin = 2, kBatch = 3, kIdle = 5, kDeadline = 6;
constexpr int kResetOnFork = 0x40000000;
// ioprio_set(2).
constexpr uint32_t kIoClassShift = 13, kIoLevelMask = (1 << kIoClassShift) - 1;
constexpr uint32_t kIoNone = 0, kIoRealtime = 1, kIoBestEffort = 2, kIoIdle = 3;
constexpr int kIoWhoProcess = 1, kIoWhoUser = 3;

Result<Ref<Task>> find_target(Task& task, int pid) {
  Ref<Task> t = pid == 0 ? Ref<Task>(task) : find_task(task, pid);
  if (!t) return Errno::srch;
  return t;
}

Result<Ref<Task>> target_of(Task& task, int pid) {
  if (pid < 0) return Errno::inval;
  return find_target(task, pid);
}

Result<void> may_change(const Task& task, const Task& target) {
  const fs::Credentials& c = task.creds();
  Ref<fs::Credentials> t = target.creds_ref();
  if (!t || c.euid == t->euid || c.euid == t->uid || fs::is_capable(c, t->user_ns.get(), fs::Cap::sys_nice))
    return {};
  return Errno::perm;
}

uint64_t all_cpus() {
  unsigned n = arch::cpu_count();
  return n >= 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1;
}

bool real_time(int policy) { return policy == kFifo || policy == kRoundRobin; }

Result<void> set_policy(Task& task, Task& target, int policy, int priority) {
  policy &= ~kResetOnFork;
  if (policy != kOther && policy != kBatch && policy != kIdle && !real_time(policy)) return Errno::inval;
  if (real_time(policy) ? priority < 1 || priority > 99 : priority != 0) return Errno::inval;
  TRY(may_change(task, target));
  if (real_time(policy) && !task.creds().has(fs::Cap::sys_nice) &&
      target.limit(static_cast<unsigned>(Resource::rtprio)) < static_cast<uint64_t>(priority))
    return Errno::perm;
  target.sched.policy.store(policy);
  target.sched.rt_priority.store(priority);
  return {};
}

}  // namespace

Result<void> sys_sched_yield(Task&) {
  sched_yield_cpu();
  return {};
}

Result<size_t> sys_sched_getaffinity(Task& task, int pid, uint32_t size, uint64_t mask) {
  if (size < sizeof(uint64_t) || size % sizeof(uint64_t)) return Errno::inval;
  Ref<Task> t = TRY(find_target(task, pid));
  uint64_t cpus = t->sched.affinity.load() & all_cpus();
  TRY(mm::copy_out(task.mm(), UserPtr<uint64_t>(mask), cpus));
  return sizeof cpus;
}

Result<void> sys_sched_setaffinity(Task& task, int pid, uint32_t size, uint64_t mask) {
  uint64_t cpus = 0;
  TRY(mm::copy_in_bytes(task.mm(), &cpus, mask, std::min<size_t>(size, sizeof cpus)));
  Ref<Task> t = TRY(find_target(task, pid));
  TRY(may_change(task, *t));
  cpus &= all_cpus();
  if (cpus == 0) return Errno::inval;
  t->sched.affinity.store(cpus);
  if (t.get() == &task)
    sched_apply_affinity();
  else
    sched_kick(t->sched);
  return {};
}

Result<void> sys_sched_setparam(Task& task, int pid, uint64_t param) {
  if (param == 0) return Errno::inval;
  int32_t priority = TRY(mm::copy_in(task.mm(), UserPtr<int32_t>(param)));
  Ref<Task> t = TRY(target_of(task, pid));
  return set_policy(task, *t, t->sched.policy.load(), priority);
}

Result<void> sys_sched_getparam(Task& task, int pid, uint64_t param) {
  if (param == 0) return Errno::inval;
  Ref<Task> t = TRY(target_of(task, pid));
  return mm::copy_out(task.mm(), UserPtr<int32_t>(param), t->sched.rt_priority.load());
}

Result<void> sys_sched_setscheduler(Task& task, int pid, int policy, uint64_t param) {
  if (policy < 0 || param == 0) return Errno::inval;
  int32_t priority = TRY(mm::copy_in(task.mm(), UserPtr<int32_t>(param)));
  Ref<Task> t = TRY(target_of(task, pid));
  return set_policy(task, *t, policy, priority);
}

Result<int> sys_sched_getscheduler(Task& task, int pid) {
  return TRY(target_of(task, pid))->sched.policy.load();
}

Result<int> sys_sched_get_priority_max(Task&, int policy) {
  if (real_time(policy)) return 99;
  if (policy == kOther || policy == kBatch || policy == kIdle || policy == kDeadline) return 0;
  return Errno::inval;
}

Result<int> sys_sched_get_priority_min(Task&, int policy) {
  if (real_time(policy)) return 1;
  if (policy == kOther || policy == kBatch || policy == kIdle || policy == kDeadline) return 0;
  return Errno::inval;
}

Result<void> sys_sched_rr_get_interval(Task& task, int pid, uint64_t interval) {
  Ref<Task> t = TRY(target_of(task, pid));
  uint64_t ns = t->sched.policy.load() == kFifo ? 0 : 4'000'000;
  return mm::copy_out(task.mm(), UserPtr<UserTimespec>(interval), to_timespec(ns));
}

namespace {
struct SchedAttr {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};
static_assert(sizeof(SchedAttr) == 48);
}  // namespace

Result<void> sys_sched_getattr(Task& task, int pid, uint64_t attr, uint32_t size, uint32_t flags) {
  if (flags || size < sizeof(SchedAttr)) return Errno::inval;
  Ref<Task> t = TRY(target_of(task, pid));
  SchedAttr a{sizeof(SchedAttr),
              static_cast<uint32_t>(t->sched.policy.load()),
              0,
              t->sched.nice.load(),
              static_cast<uint32_t>(t->sched.rt_priority.load()),
              0,
              0,
              0};
  return mm::copy_out(task.mm(), UserPtr<SchedAttr>(attr), a);
}

Result<void> sys_sched_setattr(Task& task, int pid, uint64_t attr, uint32_t flags) {
  if (flags) return Errno::inval;
  SchedAttr a = TRY(mm::copy_in(task.mm(), UserPtr<SchedAttr>(attr)));
  if (a.size < sizeof(SchedAttr)) return Errno::inval;
  Ref<Task> t = TRY(target_of(task, pid));
  TRY(set_policy(task, *t, static_cast<int>(a.policy), static_cast<int>(a.priority)));
  if (a.nice >= -20 && a.nice <= 19) t->sched.nice.store(a.nice);
  return {};
}

// ---- nice values

namespace {

constexpr int kWhichProcess = 0, kWhichGroup = 1, kWhichUser = 2;

template <class F>
Result<void> each_chosen(Task& task, int which, int who, F&& f) {
  if (which < kWhichProcess || which > kWhichUser) return Errno::inval;
  if (which == kWhichProcess) {
    Ref<Task> t = who == 0 ? Ref<Task>(task) : find_task(task, who);
    if (!t) return Errno::srch;
    return f(*t);
  }
  bool any = false;
  int32_t group_id = who == 0 ? task.group().pgid.load() : id_meant_by(task, who);
  uint32_t uid =
      who == 0 ? task.creds().uid : fs::global_uid(task.creds().user_ns.get(), static_cast<uint32_t>(who));
  for (int32_t from = 1;;) {
    Ref<ThreadGroup> group = next_group(from);
    if (!group) break;
    from = group->pid + 1;
    Ref<Task> leader = next_thread_of(*group, group->pid);
    if (!leader) continue;
    Ref<fs::Credentials> c = leader->creds_ref();
    if (number_for(task, group->pid) == 0) continue;
    if (which == kWhichGroup ? group->pgid != group_id : !c || c->uid != uid) continue;
    any = true;
    TRY(f(*leader));
  }
  return any ? Result<void>() : Errno::srch;
}

}  // namespace

// The raw call returns 20 - nice, so that errors can be told apart (getpriority(2)).
Result<int> sys_getpriority(Task& task, int which, int who) {
  int best = 20;
  TRY(each_chosen(task, which, who, [&](Task& t) -> Result<void> {
    best = std::min(best, t.sched.nice.load());
    return {};
  }));
  return 20 - best;
}

Result<void> sys_setpriority(Task& task, int which, int who, int nice) {
  nice = std::clamp(nice, -20, 19);
  return each_chosen(task, which, who, [&](Task& t) -> Result<void> {
    TRY(may_change(task, t));
    uint64_t allowed = t.limit(static_cast<unsigned>(Resource::nice));
    if (nice < t.sched.nice.load() && !task.creds().has(fs::Cap::sys_nice) &&
        static_cast<uint64_t>(20 - nice) > allowed)
      return Errno::acces;
    t.sched.nice.store(nice);
    return {};
  });
}

Result<void> check_io_priority(Task& task, uint32_t priority) {
  constexpr uint32_t kLevels = 8;
  const uint32_t level = priority & kIoLevelMask;
  switch (priority >> kIoClassShift) {
    case kIoNone:
      return level == 0 ? Result<void>() : Errno::inval;
    case kIoRealtime:
      if (!task.creds().has(fs::Cap::sys_admin) && !task.creds().has(fs::Cap::sys_nice)) return Errno::perm;
      return level < kLevels ? Result<void>() : Errno::inval;
    case kIoBestEffort:
      return level < kLevels ? Result<void>() : Errno::inval;
    case kIoIdle:
      return {};
    default:
      return Errno::inval;
  }
}

// Of several tasks the best, where one without a priority of its own has what its niceness gives.
Result<int> sys_ioprio_get(Task& task, int which, int who) {
  if (which < kIoWhoProcess || which > kIoWhoUser) return Errno::inval;
  uint32_t best = ~0u;
  TRY(each_chosen(task, which - 1, who, [&](Task& t) -> Result<void> {
    uint32_t own = t.io_priority.load(std::memory_order_relaxed);
    if (own == 0 && which != kIoWhoProcess)
      own = kIoBestEffort << kIoClassShift | static_cast<uint32_t>(t.sched.nice.load() + 20) / 5;
    best = std::min(best, own);
    return {};
  }));
  return static_cast<int>(best);
}

Result<void> sys_ioprio_set(Task& task, int which, int who, int priority) {
  TRY(check_io_priority(task, static_cast<uint32_t>(priority)));
  if (which < kIoWhoProcess || which > kIoWhoUser) return Errno::inval;
  return each_chosen(task, which - 1, who, [&](Task& t) -> Result<void> {
    Ref<fs::Credentials> theirs = t.creds_ref();
    if (theirs && theirs->uid != task.creds().euid && theirs->uid != task.creds().uid &&
        !task.creds().has(fs::Cap::sys_nice))
      return Errno::perm;
    t.io_priority.store(static_cast<uint32_t>(priority), std::memory_order_relaxed);
    return {};
  });
}

}  // namespace runsc::kernel
