// getrlimit(2), getrusage(2), times(2).
#include <algorithm>

#include "fs/user_namespace.h"
#include "kernel/pid.h"
#include "kernel/sched/scheduler.h"
#include "kernel/syscalls/rusage.h"
#include "kernel/syscalls/tasks.h"
#include "kernel/time/clock.h"
#include "kernel/time/process_timers.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

namespace {

constexpr uint64_t kNrOpen = 1048576;
constexpr uint64_t kTickNs = 10'000'000;

TimeVal timeval(uint64_t ns) {
  return {static_cast<int64_t>(ns / 1'000'000'000), static_cast<int64_t>(ns % 1'000'000'000 / 1000)};
}

ResourceUsage usage_of_task(Task& t) {
  CpuTicks ticks = sched_cpu_ticks(t.sched);
  ResourceUsage u;
  u.user_ticks = ticks.user, u.system_ticks = ticks.system;
  u.minor_faults = t.minor_faults.load(std::memory_order_relaxed);
  u.major_faults = t.major_faults.load(std::memory_order_relaxed);
  u.voluntary = t.sched.voluntary_switches.load(std::memory_order_relaxed);
  u.involuntary = t.sched.involuntary_switches.load(std::memory_order_relaxed);
  return u;
}

// May `task` change the limits of `target` (prlimit(2))?
bool may_touch(const Task& task, const Task& target) {
  const fs::Credentials& c = task.creds();
  if (&task.group() == &target.group() || c.has(fs::Cap::sys_resource)) return true;
  Ref<fs::Credentials> t = target.creds_ref();
  if (t && fs::is_capable(c, t->user_ns.get(), fs::Cap::sys_resource)) return true;
  return t && c.uid == t->euid && c.uid == t->suid && c.uid == t->uid && c.gid == t->egid &&
         c.gid == t->sgid && c.gid == t->gid;
}

Result<void> set_limit(Task& task, Task& target, uint32_t resource, Limit fresh) {
  if (fresh.soft > fresh.hard) return Errno::inval;
  if (resource == static_cast<uint32_t>(Resource::nofile) && fresh.hard > kNrOpen) return Errno::perm;
  Limits& limits = target.group().limits;
  if (fresh.hard > limits.get(resource).hard && !task.creds().has(fs::Cap::sys_resource)) return Errno::perm;
  limits.set(resource, fresh);
  if (resource == static_cast<uint32_t>(Resource::cpu)) watch_cpu_time(target.group());
  if (resource == static_cast<uint32_t>(Resource::stack))
    if (auto mm = target.mm_ref()) mm->set_stack_limit(fresh.soft);
  return {};
}

}  // namespace

RUsage to_rusage(const ResourceUsage& u) {
  RUsage r{};
  r.utime = timeval(tsc_to_ns(u.user_ticks));
  r.stime = timeval(tsc_to_ns(u.system_ticks));
  r.maxrss = static_cast<int64_t>(u.max_rss_kib);
  r.minflt = static_cast<int64_t>(u.minor_faults);
  r.majflt = static_cast<int64_t>(u.major_faults);
  r.nvcsw = static_cast<int64_t>(u.voluntary);
  r.nivcsw = static_cast<int64_t>(u.involuntary);
  return r;
}

Result<void> copy_out_usage(Task& task, uint64_t address, const ResourceUsage& usage) {
  return mm::copy_out(task.mm(), UserPtr<RUsage>(address), to_rusage(usage));
}

ResourceUsage usage_of_group(ThreadGroup& group) {
  LockGuard tree(g_tree_lock);
  ResourceUsage u = group.dead_threads;
  for_each_thread_locked(group, [&](Task& t) {
    if (!t.dead) u.add(usage_of_task(t));
  });
  return u;
}

Result<void> sys_getrlimit(Task& task, uint32_t resource, uint64_t address) {
  return sys_prlimit64(task, 0, resource, 0, address);
}

Result<void> sys_setrlimit(Task& task, uint32_t resource, uint64_t address) {
  if (address == 0) return Errno::fault;
  return sys_prlimit64(task, 0, resource, address, 0);
}

Result<void> sys_prlimit64(Task& task, int pid, uint32_t resource, uint64_t new_limit, uint64_t old_limit) {
  if (resource >= kResources) return Errno::inval;
  Limit fresh{};
  if (new_limit) fresh = TRY(mm::copy_in(task.mm(), UserPtr<Limit>(new_limit)));
  Ref<Task> target = pid == 0 ? Ref<Task>(task) : find_task(task, pid);
  if (!target) return Errno::srch;
  if (!may_touch(task, *target)) return Errno::perm;
  Limit old = target->group().limits.get(resource);
  if (new_limit) TRY(set_limit(task, *target, resource, fresh));
  if (old_limit) TRY(mm::copy_out(task.mm(), UserPtr<Limit>(old_limit), old));
  return {};
}

Result<void> sys_getrusage(Task& task, int who, uint64_t address) {
  constexpr int kSelf = 0, kChildren = -1, kThread = 1;
  ResourceUsage u;
  if (who == kSelf) {
    u = usage_of_group(task.group());
  } else if (who == kThread) {
    u = usage_of_task(task);
  } else if (who == kChildren) {
    LockGuard tree(g_tree_lock);
    u = task.group().dead_children;
  } else {
    return Errno::inval;
  }
  if (who != kChildren) u.max_rss_kib = std::max(u.max_rss_kib, task.mm().usage().peak_resident * 4);
  return copy_out_usage(task, address, u);
}

Result<uint64_t> sys_times(Task& task, uint64_t buffer) {
  struct Tms {
    int64_t utime, stime, cutime, cstime;
  };
  if (buffer) {
    CpuTimeNs own = process_cpu_time(task.group());
    ResourceUsage children;
    {
      LockGuard tree(g_tree_lock);
      children = task.group().dead_children;
    }
    auto ticks = [](uint64_t ns) { return static_cast<int64_t>(ns / kTickNs); };
    Tms t{ticks(own.user), ticks(own.system), ticks(tsc_to_ns(children.user_ticks)),
          ticks(tsc_to_ns(children.system_ticks))};
    TRY(mm::copy_out(task.mm(), UserPtr<Tms>(buffer), t));
  }
  return monotonic_ns() / kTickNs;
}

}  // namespace runsc::kernel
