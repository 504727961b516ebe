// What a container sees of its control group: a file system of version 2 whose only directory is its own
// group (cgroups(7), Documentation/admin-guide/cgroup-v2.rst). Who reads is shown the group that it is in.
// The limits are the host's to change.
#include <algorithm>

#include "kernel/control/containers.h"
#include "kernel/pid.h"
#include "kernel/proc/proc.h"
#include "kernel/thread_group.h"
#include "kernel/time/clock.h"

namespace runsc::kernel {

namespace {

constexpr uint64_t kCgroup2Magic = 0x63677270;

using fs::static_text;
using fs::StaticEntry;

const Container& own_container() { return *Task::current().group().container; }

ContainerLimits own_limits() {
  LockGuard tree(g_tree_lock);
  return own_container().limits;
}

template <class T>
void row(TextSink& out, std::string_view name, const T& value) {
  format(out, "{} {}\n", name, value);
}

template <uint64_t kValue>
Result<void> show_number(TextSink& out) {
  format(out, "{}\n", kValue);
  return {};
}

Result<void> show_max(TextSink& out) {
  out.write("max\n");
  return {};
}

Result<void> show_nothing(TextSink&) { return {}; }

Result<void> show_type(TextSink& out) {
  out.write("domain\n");
  return {};
}

Result<void> show_controllers(TextSink& out) {
  out.write("cpuset cpu memory pids\n");
  return {};
}

Result<void> show_group_events(TextSink& out) {
  LockGuard tree(g_tree_lock);
  row(out, "populated", 1);
  row(out, "frozen", own_container().frozen ? 1 : 0);
  return {};
}

Result<void> show_group_stat(TextSink& out) {
  row(out, "nr_descendants", 0);
  row(out, "nr_dying_descendants", 0);
  return {};
}

// Calls f(group) for each process of the container that the reader's PID namespace has a number for.
template <class F>
void for_each_own_process(F&& f) {
  const Container& container = own_container();
  const PidNamespace& ns = Task::current().pid_namespace();
  int32_t next = 1;
  for (;;) {
    NumberedGroup found = next_group_in(ns, next);
    if (!found.group) return;
    next = found.number + 1;
    if (!found.group->zombie && found.group->container.get() == &container) f(*found.group, found.number);
  }
}

Result<void> show_procs(TextSink& out) {
  for_each_own_process([&](ThreadGroup&, int32_t number) { format(out, "{}\n", number); });
  return {};
}

Result<void> show_threads(TextSink& out) {
  const PidNamespace& ns = Task::current().pid_namespace();
  for_each_own_process([&](ThreadGroup& group, int32_t) {
    LockGuard tree(g_tree_lock);
    for (Task* t = group.threads; t; t = t->next_thread)
      if (!t->dead) format(out, "{}\n", number_in_locked(ns, t->tid()));
  });
  return {};
}

Result<void> show_cpu_max(TextSink& out) {
  const ContainerLimits limits = own_limits();
  if (limits.cpu_quota_us == 0)
    format(out, "max {}\n", limits.cpu_period_us);
  else
    format(out, "{} {}\n", limits.cpu_quota_us, limits.cpu_period_us);
  return {};
}

// Kubernetes' mapping of 2..262144 shares to a weight of 1..10000.
Result<void> show_cpu_weight(TextSink& out) {
  constexpr uint64_t kLeast = 2, kMost = 262144;
  const uint64_t shares = std::clamp(own_limits().cpu_shares, kLeast, kMost);
  format(out, "{}\n", shares == 1024 ? 100 : 1 + (shares - kLeast) * 9999 / (kMost - kLeast));
  return {};
}

Result<void> show_cpu_stat(TextSink& out) {
  const CpuTicks cpu = usage_of(own_container()).cpu;
  const uint64_t user = tsc_to_ns(cpu.user) / 1000, system = tsc_to_ns(cpu.system) / 1000;
  row(out, "usage_usec", user + system);
  row(out, "user_usec", user);
  row(out, "system_usec", system);
  for (std::string_view name : {"nr_periods", "nr_throttled", "throttled_usec"}) row(out, name, 0);
  return {};
}

Result<void> show_cpus(TextSink& out) {
  const unsigned n = arch::cpu_count();
  if (n == 1)
    out.write("0\n");
  else
    format(out, "0-{}\n", n - 1);
  return {};
}

Result<void> show_memory_max(TextSink& out) {
  const int64_t limit = own_limits().memory;
  if (limit == Account::kUnlimited) return show_max(out);
  format(out, "{}\n", static_cast<uint64_t>(limit) & ~mm::kPageMask);
  return {};
}

Result<void> show_memory_current(TextSink& out) {
  format(out, "{}\n", usage_of(own_container()).memory & ~static_cast<int64_t>(mm::kPageMask));
  return {};
}

Result<void> show_memory_peak(TextSink& out) {
  format(out, "{}\n", usage_of(own_container()).peak & ~static_cast<int64_t>(mm::kPageMask));
  return {};
}

Result<void> show_memory_events(TextSink& out) {
  const Container& container = own_container();
  row(out, "low", 0);
  row(out, "high", 0);
  row(out, "max", container.account().shortages.load(std::memory_order_relaxed));
  row(out, "oom", container.shortages.load(std::memory_order_relaxed));
  row(out, "oom_kill", container.killed.load(std::memory_order_relaxed));
  row(out, "oom_group_kill", 0);
  return {};
}

// What is counted, and no more. All but the processes' own memory is files in memory and what the kernel
// keeps.
Result<void> show_memory_stat(TextSink& out) {
  const ContainerUsage usage = usage_of(own_container());
  const auto memory = static_cast<uint64_t>(usage.memory);
  const uint64_t anonymous = std::min(usage.anonymous, memory);
  row(out, "anon", anonymous);
  row(out, "kernel", memory - anonymous);
  row(out, "file_mapped", usage.mapped_files);
  return {};
}

Result<void> show_pids_max(TextSink& out) {
  const uint32_t tasks = own_limits().tasks;
  if (tasks == ContainerLimits::kAnyTasks) return show_max(out);
  format(out, "{}\n", tasks);
  return {};
}

Result<void> show_pids_current(TextSink& out) {
  LockGuard tree(g_tree_lock);
  format(out, "{}\n", own_container().tasks);
  return {};
}

Result<void> show_pids_peak(TextSink& out) {
  LockGuard tree(g_tree_lock);
  format(out, "{}\n", own_container().peak_tasks);
  return {};
}

Result<void> show_pids_events(TextSink& out) {
  row(out, "max", own_container().refused_tasks.load(std::memory_order_relaxed));
  return {};
}

constexpr StaticEntry kRoot[] = {
    static_text("cgroup.controllers", show_controllers),
    static_text("cgroup.events", show_group_events),
    static_text("cgroup.freeze", show_number<0>),
    static_text("cgroup.max.depth", show_number<0>),
    static_text("cgroup.max.descendants", show_number<0>),
    static_text("cgroup.procs", show_procs),
    static_text("cgroup.stat", show_group_stat),
    static_text("cgroup.subtree_control", show_nothing),
    static_text("cgroup.threads", show_threads),
    static_text("cgroup.type", show_type),
    static_text("cpu.max", show_cpu_max),
    static_text("cpu.stat", show_cpu_stat),
    static_text("cpu.weight", show_cpu_weight),
    static_text("cpuset.cpus.effective", show_cpus),
    static_text("cpuset.mems.effective", show_number<0>),
    static_text("memory.current", show_memory_current),
    static_text("memory.events", show_memory_events),
    static_text("memory.events.local", show_memory_events),
    static_text("memory.high", show_max),
    static_text("memory.low", show_number<0>),
    static_text("memory.max", show_memory_max),
    static_text("memory.min", show_number<0>),
    static_text("memory.oom.group", show_number<0>),
    static_text("memory.peak", show_memory_peak),
    static_text("memory.stat", show_memory_stat),
    static_text("memory.swap.current", show_number<0>),
    static_text("memory.swap.max", show_number<0>),
    static_text("pids.current", show_pids_current),
    static_text("pids.events", show_pids_events),
    static_text("pids.max", show_pids_max),
    static_text("pids.peak", show_pids_peak),
};

}  // namespace

Result<Ref<fs::SuperBlock>> mount_cgroup(std::string_view, std::string_view) {
  Ref<fs::PseudoSuper> super = make_ref<fs::PseudoSuper>("cgroup2", kCgroup2Magic);
  if (!super) return Errno::nomem;
  Ref<fs::Inode> root = make_ref<fs::StaticDir>(*super, std::span<const StaticEntry>(kRoot), 0755);
  if (!root) return Errno::nomem;
  super->set_root(std::move(root));
  return Ref<fs::SuperBlock>(super);
}

}  // namespace runsc::kernel
