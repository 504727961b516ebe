// The files of /proc that are about the whole system.
#include "fs/filesystem.h"
#include "kernel/base/alloc_stats.h"
#include "kernel/control/containers.h"
#include "kernel/pid.h"
#include "kernel/proc/cpuid.h"
#include "kernel/proc/proc.h"
#include "kernel/sched/scheduler.h"
#include "kernel/task_pool.h"
#include "kernel/time/clock.h"
#include "kernel/uts.h"
#include "kvm/arch/stack_stats.h"
#include "mm/phys.h"

namespace runsc::kernel::proc {

namespace {

uint64_t clock_ticks(uint64_t tsc) { return tsc_to_ns(tsc) / (1'000'000'000 / kTicksPerSecond); }

Result<void> show_meminfo(TextSink& out) {
  const VisibleMemory memory = visible_memory(*Task::current().group().container);
  auto row = [&](std::string_view name, uint64_t kib) { format(out, "{:<16}{:8} kB\n", name, kib); };
  const uint64_t total = memory.total * 4, free = memory.free * 4;
  row("MemTotal:", total);
  row("MemFree:", free);
  row("MemAvailable:", free);
  for (std::string_view zero : {"Buffers:", "Cached:", "SwapCached:", "Active:", "Inactive:", "Active(anon):",
                                "Inactive(anon):", "Active(file):", "Inactive(file):", "Unevictable:",
                                "Mlocked:", "SwapTotal:", "SwapFree:", "Dirty:", "Writeback:"})
    row(zero, 0);
  row("AnonPages:", total - free);
  for (std::string_view zero : {"Mapped:", "Shmem:", "KReclaimable:"}) row(zero, 0);
  // What is kept for the next tasks (kernel/task_pool.h) and their stacks is in use by nobody.
  const uint64_t kept = (task_pool_bytes() + arch::stack_kept_bytes()) / 1024,
                 objects = kalloc_bytes() / 1024;
  row("Slab:", objects);
  row("SReclaimable:", kept);
  row("SUnreclaim:", objects - kept);
  row("CommitLimit:", total);
  row("Committed_AS:", total - free);
  row("VmallocTotal:", 34359738367);
  row("VmallocUsed:", 0);
  row("VmallocChunk:", 0);
  format(out,
         "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\nHugePages_Surp:      "
         "  0\n");
  row("Hugepagesize:", 2048);
  return {};
}

void show_cpu_line(std::string_view name, const SchedStats& s, TextSink& out) {
  format(out, "{} {} 0 {} {} 0 0 0 0 0 0\n", name, clock_ticks(s.user_ticks), clock_ticks(s.system_ticks),
         clock_ticks(s.idle_ticks));
}

Result<void> show_stat_file(TextSink& out) {
  SchedStats sum{};
  uint32_t running = 0;
  const unsigned cpus = arch::cpu_count();
  for (unsigned i = 0; i < cpus; ++i) {
    SchedStats s = sched_stats(i);
    sum.switches += s.switches;
    sum.idle_ticks += s.idle_ticks;
    sum.user_ticks += s.user_ticks;
    sum.system_ticks += s.system_ticks;
    running += s.running;
  }
  show_cpu_line("cpu ", sum, out);
  for (unsigned i = 0; i < cpus; ++i) {
    char room[16];
    FixedText name(room);
    format(name, "cpu{}", i);
    show_cpu_line(name.view(), sched_stats(i), out);
  }
  int64_t boot = (realtime_ns() - static_cast<int64_t>(monotonic_ns())) / 1'000'000'000;
  format(out,
         "intr 0\nctxt {}\nbtime {}\nprocesses {}\nprocs_running {}\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 "
         "0 0 0 0\n",
         sum.switches, boot, last_pid(first_pid_namespace()), running ? running : 1);
  return {};
}

Result<void> show_uptime(TextSink& out) {
  uint64_t up = monotonic_ns() / 10'000'000, idle = 0;
  for (unsigned i = 0; i < arch::cpu_count(); ++i) idle += tsc_to_ns(sched_stats(i).idle_ticks) / 10'000'000;
  format(out, "{}.{:02} {}.{:02}\n", up / 100, up % 100, idle / 100, idle % 100);
  return {};
}

Result<void> show_loadavg(TextSink& out) {
  uint64_t load[3];
  sched_load_average(load);
  for (uint64_t l : load) format(out, "{}.{:02} ", l / 2048, l % 2048 * 100 / 2048);
  uint32_t running = 0;
  for (unsigned i = 0; i < arch::cpu_count(); ++i) running += sched_stats(i).running;
  format(out, "{}/{} {}\n", running ? running : 1, task_count(), last_pid(Task::current().pid_namespace()));
  return {};
}

Result<void> show_version(TextSink& out) {
  format(out, "{} version {} {}\n", kSysName, kRelease, kVersion);
  return {};
}

Result<void> show_filesystems(TextSink& out) {
  fs::describe_filesystems(out);
  return {};
}

Result<void> show_kernel_command_line(TextSink& out) {
  out.write("\n");
  return {};
}

Result<void> show_nothing(TextSink&) { return {}; }

Result<void> show_swaps(TextSink& out) {
  out.write("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
  return {};
}

Result<void> show_vmstat(TextSink& out) {
  mm::PhysStats s = mm::phys_stats();
  format(out, "nr_free_pages {}\nnr_anon_pages {}\npgpgin 0\npgpgout 0\npswpin 0\npswpout 0\n", s.free_pages,
         s.total_pages - s.free_pages);
  return {};
}

Result<void> show_partitions(TextSink& out) {
  out.write("major minor  #blocks  name\n\n");
  return {};
}

Result<void> show_devices(TextSink& out) {
  out.write(
      "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n136 pts\n\nBlock "
      "devices:\n");
  return {};
}

Result<Ref<fs::Inode>> make_sysctl(fs::PseudoSuper& super) {
  Ref<fs::Inode> dir = make_ref<fs::StaticDir>(super, sysctl_entries());
  if (!dir) return Errno::nomem;
  return dir;
}

constexpr fs::StaticEntry sysctl_dir() {
  fs::StaticEntry e;
  e.name = "sys";
  e.mode = 0555;
  e.make = make_sysctl;
  e.make_type = 4;  // DT_DIR
  return e;
}

Result<Ref<fs::Inode>> make_sysvipc(fs::PseudoSuper& super) {
  Ref<fs::Inode> dir = make_ref<fs::StaticDir>(super, sysvipc_entries());
  if (!dir) return Errno::nomem;
  return dir;
}

constexpr fs::StaticEntry sysvipc_dir() {
  fs::StaticEntry e;
  e.name = "sysvipc";
  e.mode = 0555;
  e.make = make_sysvipc;
  e.make_type = 4;  // DT_DIR
  return e;
}

constexpr fs::StaticEntry kTty[] = {
    fs::static_text("drivers", show_tty_drivers),
    fs::static_text("ldiscs", show_line_disciplines),
};

constexpr fs::StaticEntry kEntries[] = {
    fs::static_text("buddyinfo", show_buddyinfo),
    fs::static_text("cgroups", show_cgroups),
    fs::static_text("cmdline", show_kernel_command_line),
    fs::static_text("consoles", show_nothing),
    fs::static_text("cpuinfo", show_cpuinfo),
    fs::static_text("crypto", show_nothing),
    fs::static_text("devices", show_devices),
    fs::static_text("diskstats", show_nothing),
    fs::static_text("execdomains", show_exec_domains),
    fs::static_text("filesystems", show_filesystems),
    fs::static_text("interrupts", show_interrupts),
    fs::static_text("loadavg", show_loadavg),
    fs::static_text("locks", show_locks),
    fs::static_text("meminfo", show_meminfo),
    fs::static_link("mounts", "self/mounts"),
    fs::static_text("misc", show_nothing),
    fs::static_text("modules", show_nothing),
    fs::static_link("net", "self/net"),
    fs::static_text("pagetypeinfo", show_pagetypeinfo, 0400),
    fs::static_text("partitions", show_partitions),
    fs::static_text("slabinfo", show_slabinfo, 0400),
    fs::static_text("softirqs", show_softirqs),
    fs::static_text("stat", show_stat_file),
    fs::static_text("swaps", show_swaps),
    sysctl_dir(),
    sysvipc_dir(),
    fs::static_dir("tty", kTty),
    fs::static_text("uptime", show_uptime),
    fs::static_text("version", show_version),
    fs::static_text("vmallocinfo", show_nothing, 0400),
    fs::static_text("vmstat", show_vmstat),
    fs::static_text("zoneinfo", show_zoneinfo),
};

}  // namespace

std::span<const fs::StaticEntry> system_entries() { return kEntries; }

}  // namespace runsc::kernel::proc
