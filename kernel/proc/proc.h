// proc(5) and sysfs.
#pragma once

#include "fs/pseudo/pseudo.h"
#include "kernel/job_control.h"
#include "kernel/pid_namespace.h"
#include "kernel/task.h"
#include "kernel/thread_group.h"

namespace runsc::kernel {

// For register_filesystem().
Result<Ref<fs::SuperBlock>> mount_proc(std::string_view source, std::string_view data);
Result<Ref<fs::SuperBlock>> mount_sysfs(std::string_view source, std::string_view data);
Result<Ref<fs::SuperBlock>> mount_cgroup(std::string_view source, std::string_view data);

namespace proc {

// An instance of proc shows the tasks of the PID namespace in which it was mounted.
class ProcSuper final : public fs::PseudoSuper {
 public:
  explicit ProcSuper(Ref<PidNamespace> ns);
  const PidNamespace& pid_namespace() const { return *ns_; }

 private:
  const Ref<PidNamespace> ns_;
};
inline const PidNamespace& shown_namespace(const fs::PseudoSuper& super) {
  return static_cast<const ProcSuper&>(super).pid_namespace();
}

// /proc/sys and the files of /proc that are about the whole system.
std::span<const fs::StaticEntry> system_entries();
std::span<const fs::StaticEntry> sysctl_entries();
// /proc/sys/net. ENOMEM.
Result<Ref<fs::Inode>> make_sysctl_net(fs::PseudoSuper& super);
// /proc/sys/net/ipv{4,6}/{conf,neigh}. ENOMEM.
Result<Ref<fs::Inode>> make_link_settings(fs::PseudoSuper& super, bool v6, bool neighbours);
// /sys/class/net (links) and /sys/devices/virtual/net. ENOMEM.
Result<Ref<fs::Inode>> make_net_class(fs::PseudoSuper& super, bool links);
std::span<const fs::StaticEntry> sysvipc_entries();

// The directory of a process, or of one thread (/proc/PID/task/TID).
Result<Ref<fs::Inode>> make_task_dir(fs::PseudoSuper& super, Ref<Task> task, bool whole_process);
Result<Ref<fs::Inode>> make_net_dir(fs::PseudoSuper& super, Task& task);
Result<Ref<fs::Inode>> make_fd_dir(fs::PseudoSuper& super, Ref<Task> task, bool info);
Result<Ref<fs::Inode>> make_ns_dir(fs::PseudoSuper& super, Ref<Task> task);
Result<Ref<fs::Inode>> make_mem_node(fs::PseudoSuper& super, Ref<Task> task);

// Text of the files of a task. `process`: of the whole process, else of the thread.
Result<void> show_status(Task& task, const PidNamespace& ns, TextSink& out);
Result<void> show_stat(Task& task, bool process, const PidNamespace& ns, TextSink& out);
Result<void> show_statm(Task& task, TextSink& out);
Result<void> show_limits(Task& task, TextSink& out);
Result<void> show_maps(Task& task, TextSink& out);
void show_map_line(const mm::Vma& v, TextSink& out);
Result<void> show_smaps(Task& task, TextSink& out);
Result<void> show_smaps_rollup(Task& task, TextSink& out);
// Bytes [from, to) of the task's memory, as they are (cmdline, environ, auxv).
Result<void> show_memory(Task& task, uint64_t from, uint64_t to, TextSink& out);

// system_more.cc
Result<void> show_locks(TextSink& out);
Result<void> show_buddyinfo(TextSink& out);
Result<void> show_pagetypeinfo(TextSink& out);
Result<void> show_zoneinfo(TextSink& out);
Result<void> show_slabinfo(TextSink& out);
Result<void> show_interrupts(TextSink& out);
Result<void> show_softirqs(TextSink& out);
Result<void> show_cgroups(TextSink& out);
Result<void> show_exec_domains(TextSink& out);
Result<void> show_tty_drivers(TextSink& out);
Result<void> show_line_disciplines(TextSink& out);

// "3": as %*pb of Linux shows a set of CPUs.
void show_cpu_mask(uint64_t mask, TextSink& out);
char state_letter(Task& task);
bool may_inspect(Task& task);  // ptrace(2)'s access check, reading side

inline constexpr uint64_t kTicksPerSecond = 100;  // USER_HZ

}  // namespace proc
}  // namespace runsc::kernel
