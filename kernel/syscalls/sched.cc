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

struct Scheduling {
  int policy;
  int priority;
  int nice;
  bool reset_on_fork;
};

bool nice_allowed(const Task& target, int nice) {
  return static_cast<uint64_t>(20 - nice) <= target.limit(static_cast<unsigned>(Resource::nice));
}

// What needs no privilege of who does it (sched(7)).
bool is_harmless(const Task& task, const Task& target, const Scheduling& want) {
  const SchedEntity& now = target.sched;
  if (!may_change(task, target)) return false;
  if (now.reset_on_fork.load() && !want.reset_on_fork) return false;
  if (now.policy.load() == kIdle && want.policy != kIdle && !nice_allowed(target, now.nice.load()))
    return false;
  if (real_time(want.policy)) {
    const uint64_t most = target.limit(static_cast<unsigned>(Resource::rtprio));
    if (want.policy != now.policy.load() && most == 0) return false;
    return want.priority <= now.rt_priority.load() || static_cast<uint64_t>(want.priority) <= most;
  }
  return want.policy == kIdle || want.nice >= now.nice.load() || nice_allowed(target, want.nice);
}

Result<void> set_scheduling(Task& task, Task& target, const Scheduling& want) {
  const int policy = want.policy;
  if (policy != kOther && policy != kBatch && policy != kIdle && !real_time(policy)) return Errno::inval;
  if (real_time(policy) ? want.priority < 1 || want.priority > 99 : want.priority != 0) return Errno::inval;
  if (!is_harmless(task, target, want) && !task.creds().has(fs::Cap::sys_nice)) return Errno::perm;
  target.sched.policy.store(policy);
  target.sched.rt_priority.store(want.priority);
  target.sched.reset_on_fork.store(want.reset_on_fork);
  if (policy == kOther || policy == kBatch) target.sched.nice.store(want.nice);
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
  const SchedEntity& now = t->sched;
  return set_scheduling(task, *t, {now.policy.load(), priority, now.nice.load(), now.reset_on_fork.load()});
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
  const bool reset = policy & kResetOnFork;
  return set_scheduling(task, *t, {policy & ~kResetOnFork, priority, t->sched.nice.load(), reset});
}

Result<int> sys_sched_getscheduler(Task& task, int pid) {
  Ref<Task> t = TRY(target_of(task, pid));
  return t->sched.policy.load() | (t->sched.reset_on_fork.load() ? kResetOnFork : 0);
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
  uint32_t util_min, util_max;
};
static_assert(sizeof(SchedAttr) == 56);
constexpr uint32_t kFirstAttrSize = 48, kLargestAttr = 4096;
constexpr uint64_t kAttrReset = 1, kAttrKeepPolicy = 8, kAttrKeepParams = 16, kAttrUtil = 0x60,
                   kAttrKnown = 0x7f;

// E2BIG, with the size that would be right written there.
Result<SchedAttr> copy_in_attr(Task& task, uint64_t at) {
  SchedAttr a{};
  uint32_t size = TRY(mm::copy_in(task.mm(), UserPtr<uint32_t>(at)));
  if (size == 0) size = kFirstAttrSize;
  bool fits = size >= kFirstAttrSize && size <= kLargestAttr;
  if (fits) TRY(mm::copy_in_bytes(task.mm(), &a, at, std::min<size_t>(size, sizeof a)));
  for (uint32_t i = sizeof a; fits && i < size; ++i)
    fits = TRY(mm::copy_in(task.mm(), UserPtr<uint8_t>(at + i))) == 0;
  if (!fits) {
    TRY(mm::copy_out(task.mm(), UserPtr<uint32_t>(at), uint32_t{sizeof a}));
    return Errno::toobig;
  }
  if ((a.flags & kAttrUtil) && size < sizeof a) return Errno::inval;
  return a;
}

// No deadlines are promised: a request that would be valid is one too many (sched_setattr(2), EBUSY).
Result<void> refuse_deadline(const Task& task, const SchedAttr& a) {
  constexpr uint64_t kLeast = 1024;
  const uint64_t period = a.period ? a.period : a.deadline;
  if (a.priority != 0 || a.deadline == 0 || a.runtime < kLeast || a.deadline > period ||
      a.runtime > a.deadline || (a.deadline | period) >> 63)
    return Errno::inval;
  return task.creds().has(fs::Cap::sys_nice) ? Errno::busy : Errno::perm;
}

}  // namespace

Result<void> sys_sched_getattr(Task& task, int pid, uint64_t attr, uint32_t size, uint32_t flags) {
  if (attr == 0 || flags || size < kFirstAttrSize || size > kLargestAttr) return Errno::inval;
  Ref<Task> t = TRY(target_of(task, pid));
  SchedAttr a{};
  a.size = std::min<uint32_t>(size, sizeof a);
  a.policy = static_cast<uint32_t>(t->sched.policy.load());
  a.flags = t->sched.reset_on_fork.load() ? kAttrReset : 0;
  if (real_time(t->sched.policy.load()))
    a.priority = static_cast<uint32_t>(t->sched.rt_priority.load());
  else
    a.nice = t->sched.nice.load();
  return mm::copy_out_bytes(task.mm(), attr, &a, a.size);
}

Result<void> sys_sched_setattr(Task& task, int pid, uint64_t attr, uint32_t flags) {
  if (attr == 0 || pid < 0 || flags) return Errno::inval;
  SchedAttr a = TRY(copy_in_attr(task, attr));
  if (a.policy >> 31) return Errno::inval;
  Ref<Task> t = TRY(target_of(task, pid));
  if (a.flags & ~kAttrKnown) return Errno::inval;
  if (a.flags & kAttrKeepPolicy) a.policy = static_cast<uint32_t>(t->sched.policy.load());
  if (a.policy == kDeadline) return refuse_deadline(task, a);
  if (a.flags & kAttrUtil) return Errno::opnotsupp;
  Scheduling want{static_cast<int>(a.policy), static_cast<int>(a.priority), std::clamp(a.nice, -20, 19),
                  (a.flags & kAttrReset) != 0};
  if (a.flags & kAttrKeepParams) {
    want.priority = t->sched.rt_priority.load();
    want.nice = t->sched.nice.load();
  }
  return set_scheduling(task, *t, want);
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
    if (nice < t.sched.nice.load() && !task.creds().has(fs::Cap::sys_nice) && !nice_allowed(t, nice))
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
    Ref<IoContext> context = t.io_context_ref();
    uint32_t own = context ? context->priority.load(std::memory_order_relaxed) : 0;
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
    TRY(t.make_io_context())->priority.store(static_cast<uint32_t>(priority), std::memory_order_relaxed);
    return {};
  });
}

}  // namespace runsc::kernel
