// /proc/sys.
#include "fs/dentry.h"
#include "fs/file_count.h"
#include "fs/inotify/inotify.h"
#include "fs/lease.h"
#include "fs/user_namespace.h"
#include "kernel/aio/context.h"
#include "kernel/core/core_name.h"
#include "kernel/namespaces.h"
#include "kernel/pid.h"
#include "kernel/proc/proc.h"
#include "kernel/random.h"
#include "mm/phys_blocks.h"

namespace runsc::kernel::proc {

namespace {

using fs::static_dir;
using fs::static_text;
using fs::StaticEntry;

// A number that is what it is.
template <uint64_t N>
Result<void> number(TextSink& out) {
  format(out, "{}\n", N);
  return {};
}

template <const std::string_view& S>
Result<void> text(TextSink& out) {
  format(out, "{}\n", S);
  return {};
}

// Of whoever reads or writes.
UtsNamespace& uts() { return Task::current().namespaces().uts(); }

Result<void> show_hostname(TextSink& out) {
  format(out, "{}\n", uts().hostname().view());
  return {};
}
Result<void> store_hostname(std::string_view text) { return uts().set_hostname(fs::trimmed(text)); }
Result<void> show_domainname(TextSink& out) {
  format(out, "{}\n", uts().domainname().view());
  return {};
}
Result<void> store_domainname(std::string_view text) { return uts().set_domainname(fs::trimmed(text)); }

void show_uuid(uint64_t high, uint64_t low, TextSink& out) {
  high = (high & ~uint64_t{0xf000}) | 0x4000;                // version 4 (RFC 4122)
  low = (low & ~(uint64_t{3} << 62)) | (uint64_t{2} << 62);  // variant 1
  format(out, "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}\n", high >> 32, high >> 16 & 0xffff, high & 0xffff,
         low >> 48, low & 0xffffffffffff);
}

Result<void> show_fresh_uuid(TextSink& out) {
  show_uuid(random_u64(), random_u64(), out);
  return {};
}

SpinLock g_boot_id_lock{LockRank::leaf};
uint64_t g_boot_id[2] GUARDED_BY(g_boot_id_lock);

Result<void> show_boot_id(TextSink& out) {
  const uint64_t fresh[2] = {random_u64(), random_u64()};
  uint64_t id[2];
  {
    LockGuard guard(g_boot_id_lock);
    if (g_boot_id[0] == 0) g_boot_id[0] = fresh[0] | 1, g_boot_id[1] = fresh[1];
    id[0] = g_boot_id[0], id[1] = g_boot_id[1];
  }
  show_uuid(id[0], id[1], out);
  return {};
}

Result<void> show_threads_max(TextSink& out) {
  format(out, "{}\n", uint64_t{kPidMax});
  return {};
}

Result<void> show_file_nr(TextSink& out) {
  format(out, "{}\t0\t1048576\n", fs::file_count());
  return {};
}

// System V IPC: limits of the namespace of whoever reads or writes, numbers of objects by their tables.
IpcNamespace& ipc() { return Task::current().namespaces().ipc(); }

template <class T, std::atomic<T> IpcLimits::*Limit>
Result<void> show_ipc(TextSink& out) {
  format(out, "{}\n", (ipc().limits().*Limit).load(std::memory_order_relaxed));
  return {};
}
template <class T, std::atomic<T> IpcLimits::*Limit>
Result<void> store_ipc(std::string_view text) {
  const uint64_t n = TRY(fs::parse_decimal(fs::trimmed(text)));
  if (sizeof(T) < sizeof n && n > 0x7fffffff) return Errno::inval;
  (ipc().limits().*Limit).store(static_cast<T>(n), std::memory_order_relaxed);
  return {};
}
template <class T, std::atomic<T> IpcLimits::*Limit>
constexpr StaticEntry ipc_limit(std::string_view name) {
  return static_text(name, show_ipc<T, Limit>, 0644, store_ipc<T, Limit>);
}
template <IpcTable& (IpcNamespace::*Table)() const>
Result<void> show_objects(TextSink& out) {
  format(out, "{}\n", (ipc().*Table)().limit());
  return {};
}
template <IpcTable& (IpcNamespace::*Table)() const>
Result<void> store_objects(std::string_view text) {
  const uint64_t n = TRY(fs::parse_decimal(fs::trimmed(text)));
  if (n > IpcTable::kMost) return Errno::inval;
  (ipc().*Table)().set_limit(static_cast<uint32_t>(n));
  return {};
}
template <IpcTable& (IpcNamespace::*Table)() const>
constexpr StaticEntry object_limit(std::string_view name) {
  return static_text(name, show_objects<Table>, 0644, store_objects<Table>);
}

// SEMMSL, SEMMNS, SEMOPM, SEMMNI.
Result<void> show_sem(TextSink& out) {
  const IpcLimits& l = ipc().limits();
  constexpr auto kRelaxed = std::memory_order_relaxed;
  format(out, "{}\t{}\t{}\t{}\n", l.sem_of_set.load(kRelaxed), l.sem_of_all.load(kRelaxed),
         l.sem_of_call.load(kRelaxed), ipc().semaphores().limit());
  return {};
}
// As many of the four as there are in the text.
Result<void> store_sem(std::string_view text) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  IpcLimits& l = ipc().limits();
  uint32_t values[4] = {l.sem_of_set.load(kRelaxed), l.sem_of_all.load(kRelaxed),
                        l.sem_of_call.load(kRelaxed), ipc().semaphores().limit()};
  size_t count = 0;
  for (text = fs::trimmed(text); !text.empty() && count < 4; ++count) {
    const size_t end = std::min(text.find_first_of(" \t"), text.size());
    const uint64_t n = TRY(fs::parse_decimal(text.substr(0, end)));
    if (n > 0x7fffffff) return Errno::inval;
    values[count] = static_cast<uint32_t>(n);
    text = fs::trimmed(text.substr(end));
  }
  if (count == 0 || values[3] > IpcTable::kMost) return Errno::inval;
  l.sem_of_set.store(values[0], kRelaxed);
  l.sem_of_all.store(values[1], kRelaxed);
  l.sem_of_call.store(values[2], kRelaxed);
  ipc().semaphores().set_limit(values[3]);
  return {};
}

Result<void> show_printk(TextSink& out) {
  out.write("4\t4\t1\t7\n");
  return {};
}

Result<void> show_core_pattern(TextSink& out) {
  format(out, "{}\n", core_pattern().text);
  return {};
}
Result<void> store_core_pattern(std::string_view text) { return set_core_pattern(fs::trimmed(text)); }
Result<void> show_core_uses_pid(TextSink& out) {
  format(out, "{}\n", core_pattern().with_pid ? 1 : 0);
  return {};
}
Result<void> store_core_uses_pid(std::string_view text) {
  set_core_uses_pid(TRY(fs::parse_decimal(fs::trimmed(text))) != 0);
  return {};
}

Result<void> show_ns_last_pid(TextSink& out) {
  format(out, "{}\n", last_pid(Task::current().pid_namespace()));
  return {};
}
Result<void> store_ns_last_pid(std::string_view text) {
  PidNamespace& ns = Task::current().pid_namespace();
  const fs::Credentials& creds = Task::current().creds();
  if (!fs::is_capable(creds, ns.owner(), fs::Cap::sys_admin) &&
      !fs::is_capable(creds, ns.owner(), fs::Cap::checkpoint_restore))
    return Errno::perm;
  uint64_t n = TRY(fs::parse_decimal(fs::trimmed(text)));
  if (n >= kPidMax) return Errno::inval;
  set_last_pid(ns, static_cast<int32_t>(n));
  return {};
}

constexpr StaticEntry kRandom[] = {
    static_text("boot_id", show_boot_id),
    static_text("entropy_avail", number<256>),
    static_text("poolsize", number<256>),
    static_text("uuid", show_fresh_uuid),
};
constexpr StaticEntry kKernel[] = {
    static_text("cap_last_cap", number<40>),
    static_text("core_pattern", show_core_pattern, 0644, store_core_pattern),
    static_text("core_uses_pid", show_core_uses_pid, 0644, store_core_uses_pid),
    static_text("domainname", show_domainname, 0644, store_domainname),
    static_text("hostname", show_hostname, 0644, store_hostname),
    ipc_limit<uint32_t, &IpcLimits::msg_max>("msgmax"),
    ipc_limit<uint32_t, &IpcLimits::msg_mnb>("msgmnb"),
    object_limit<&IpcNamespace::messages>("msgmni"),
    static_text("ngroups_max", number<65536>),
    static_text("ns_last_pid", show_ns_last_pid, 0666, store_ns_last_pid),
    static_text("osrelease", text<kRelease>),
    static_text("ostype", text<kSysName>),
    static_text("overflowgid", number<65534>),
    static_text("overflowuid", number<65534>),
    static_text("panic", number<0>),
    static_text("pid_max", number<kPidMax>),
    static_text("printk", show_printk),
    static_dir("random", kRandom),
    static_text("randomize_va_space", number<2>),
    static_text("sem", show_sem, 0644, store_sem),
    ipc_limit<uint64_t, &IpcLimits::shm_all>("shmall"),
    ipc_limit<uint64_t, &IpcLimits::shm_max>("shmmax"),
    object_limit<&IpcNamespace::segments>("shmmni"),
    static_text("tainted", number<0>),
    static_text("threads-max", show_threads_max),
    static_text("version", text<kVersion>),
};
template <std::atomic<uint32_t> fs::InotifyLimits::*Limit>
Result<void> show_inotify(TextSink& out) {
  format(out, "{}\n", (fs::inotify_limits().*Limit).load(std::memory_order_relaxed));
  return {};
}
template <std::atomic<uint32_t> fs::InotifyLimits::*Limit>
Result<void> store_inotify(std::string_view text) {
  uint64_t n = TRY(fs::parse_decimal(fs::trimmed(text)));
  if (n > 0x7fffffff) return Errno::inval;
  (fs::inotify_limits().*Limit).store(static_cast<uint32_t>(n), std::memory_order_relaxed);
  return {};
}
template <std::atomic<uint32_t> fs::InotifyLimits::*Limit>
constexpr StaticEntry inotify_limit(std::string_view name) {
  return static_text(name, show_inotify<Limit>, 0644, store_inotify<Limit>);
}
constexpr StaticEntry kInotify[] = {
    inotify_limit<&fs::InotifyLimits::queued_events>("max_queued_events"),
    inotify_limit<&fs::InotifyLimits::user_instances>("max_user_instances"),
    inotify_limit<&fs::InotifyLimits::user_watches>("max_user_watches"),
};
// A number with bounds.
template <std::atomic<uint32_t> PosixQueueSpace::*Limit>
Result<void> show_mqueue(TextSink& out) {
  format(out, "{}\n", (Task::current().namespaces().ipc().queues().*Limit).load(std::memory_order_relaxed));
  return {};
}
template <std::atomic<uint32_t> PosixQueueSpace::*Limit, uint32_t Least, uint32_t Most>
Result<void> store_mqueue(std::string_view text) {
  uint64_t n = TRY(fs::parse_decimal(fs::trimmed(text)));
  if (n < Least || n > Most) return Errno::inval;
  (Task::current().namespaces().ipc().queues().*Limit)
      .store(static_cast<uint32_t>(n), std::memory_order_relaxed);
  return {};
}
template <std::atomic<uint32_t> PosixQueueSpace::*Limit, uint32_t Least, uint32_t Most>
constexpr StaticEntry mqueue_limit(std::string_view name) {
  return static_text(name, show_mqueue<Limit>, 0644, store_mqueue<Limit, Least, Most>);
}
constexpr uint32_t kMostMessages = 65536, kMostBytes = 16 << 20;
constexpr StaticEntry kMqueue[] = {
    mqueue_limit<&PosixQueueSpace::msg_default, 1, kMostMessages>("msg_default"),
    mqueue_limit<&PosixQueueSpace::msg_max, 1, kMostMessages>("msg_max"),
    mqueue_limit<&PosixQueueSpace::msgsize_default, 128, kMostBytes>("msgsize_default"),
    mqueue_limit<&PosixQueueSpace::msgsize_max, 128, kMostBytes>("msgsize_max"),
    mqueue_limit<&PosixQueueSpace::queues_max, 0, 0x7fffffff>("queues_max"),
};
Result<void> show_aio_nr(TextSink& out) {
  format(out, "{}\n", aio_requests());
  return {};
}
Result<void> show_aio_max(TextSink& out) {
  format(out, "{}\n", g_aio_max.load(std::memory_order_relaxed));
  return {};
}
Result<void> store_aio_max(std::string_view text) {
  g_aio_max.store(TRY(fs::parse_decimal(fs::trimmed(text))), std::memory_order_relaxed);
  return {};
}
Result<void> show_lease_break_time(TextSink& out) {
  format(out, "{}\n", fs::lease_break_time().load(std::memory_order_relaxed));
  return {};
}
Result<void> store_lease_break_time(std::string_view text) {
  const uint64_t n = TRY(fs::parse_decimal(fs::trimmed(text)));
  if (n > 0x7fffffff) return Errno::inval;
  fs::lease_break_time().store(static_cast<uint32_t>(n), std::memory_order_relaxed);
  return {};
}
constexpr StaticEntry kFs[] = {
    static_text("aio-max-nr", show_aio_max, 0644, store_aio_max),
    static_text("aio-nr", show_aio_nr),
    static_dir("inotify", kInotify),
    static_dir("mqueue", kMqueue),
    static_text("file-max", number<1048576>),
    static_text("file-nr", show_file_nr),
    static_text("lease-break-time", show_lease_break_time, 0644, store_lease_break_time),
    static_text("leases-enable", number<1>),
    static_text("nr_open", number<1048576>),
    static_text("pipe-max-size", number<1048576>),
    static_text("protected_hardlinks", number<0>),
    static_text("protected_symlinks", number<0>),
};
// proc_sys_vm(5): bit 0 is clean pages, bit 1 names and inodes. Pages are kept by files alone.
Result<void> store_drop_caches(std::string_view text) {
  uint64_t what = TRY(fs::parse_decimal(fs::trimmed(text)));
  if (what < 1 || what > 4) return Errno::inval;
  if (what & 2) fs::dcache_shrink();
  return {};
}
Result<void> show_write_only(TextSink&) { return Errno::acces; }
Result<void> show_min_free(TextSink& out) {
  format(out, "{}\n", mm::phys_reserve() * (mm::kPageSize / 1024));
  return {};
}
Result<void> show_lowmem_reserve(TextSink& out) {
  out.write("256\t256\t32\t0\n");
  return {};
}
// What Linux starts with, of what has a meaning without swap, huge pages or disks; the rest is off.
constexpr StaticEntry kVm[] = {
    static_text("admin_reserve_kbytes", number<0>),
    static_text("compaction_proactiveness", number<0>),
    static_text("dirty_background_bytes", number<0>),
    static_text("dirty_background_ratio", number<10>),
    static_text("dirty_bytes", number<0>),
    static_text("dirty_expire_centisecs", number<3000>),
    static_text("dirty_ratio", number<20>),
    static_text("dirty_writeback_centisecs", number<500>),
    static_text("dirtytime_expire_seconds", number<43200>),
    static_text("drop_caches", show_write_only, 0200, store_drop_caches),
    static_text("extfrag_threshold", number<500>),
    static_text("hugetlb_shm_group", number<0>),
    static_text("laptop_mode", number<0>),
    static_text("legacy_va_layout", number<0>),
    static_text("lowmem_reserve_ratio", show_lowmem_reserve),
    static_text("max_map_count", number<65530>),
    static_text("min_free_kbytes", show_min_free),
    static_text("mmap_min_addr", number<65536>),
    static_text("nr_hugepages", number<0>),
    static_text("nr_overcommit_hugepages", number<0>),
    static_text("oom_dump_tasks", number<0>),
    static_text("oom_kill_allocating_task", number<0>),
    static_text("overcommit_kbytes", number<0>),
    static_text("overcommit_memory", number<0>),
    static_text("overcommit_ratio", number<50>),
    static_text("page-cluster", number<3>),
    static_text("panic_on_oom", number<0>),
    static_text("percpu_pagelist_high_fraction", number<0>),
    static_text("stat_interval", number<1>),
    static_text("swappiness", number<60>),
    static_text("unprivileged_userfaultfd", number<0>),
    static_text("user_reserve_kbytes", number<0>),
    static_text("vfs_cache_pressure", number<100>),
    static_text("watermark_boost_factor", number<0>),
    static_text("watermark_scale_factor", number<10>),
    static_text("zone_reclaim_mode", number<0>),
};
constexpr StaticEntry made_dir(std::string_view name, Result<Ref<fs::Inode>> (*make)(fs::PseudoSuper&)) {
  constexpr uint8_t kDirectoryType = 4;  // DT_DIR
  StaticEntry e;
  e.name = name;
  e.make = make;
  e.make_type = kDirectoryType;
  return e;
}
constexpr StaticEntry kSys[] = {
    static_dir("fs", kFs),
    static_dir("kernel", kKernel),
    made_dir("net", make_sysctl_net),
    static_dir("vm", kVm),
};

}  // namespace

std::span<const fs::StaticEntry> sysctl_entries() { return kSys; }

}  // namespace runsc::kernel::proc
