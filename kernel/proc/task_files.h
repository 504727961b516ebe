// The files of /proc/PID that are text.
#pragma once

#include <span>

#include "kernel/proc/proc.h"

namespace runsc::kernel::proc {

struct TaskTextRow {
  std::string_view name;
  uint32_t mode;
  Result<void> (*show)(Task& task, TextSink& out);
  bool is_private = false;  // only for those who may inspect the process
  Result<void> (*store)(Task& task, std::string_view text) = nullptr;
  // Instead of `show` where numbers of tasks are shown, as they are in `ns`.
  Result<void> (*show_in)(Task& task, const PidNamespace& ns, TextSink& out) = nullptr;
};

// task_more.cc: what few programs ask for, of processes and threads alike, and of one of them alone.
std::span<const TaskTextRow> more_files();
std::span<const TaskTextRow> more_files_of(bool process);
// id_maps.cc: uid_map, gid_map, projid_map, setgroups (user_namespaces(7)). Null: out of memory.
bool is_id_map(std::string_view name);
Ref<fs::Inode> make_id_map_node(fs::PseudoSuper& super, Ref<Task> task, std::string_view name);
// memory_files.cc: of processes and threads alike, and of processes alone.
std::span<const TaskTextRow> memory_files();
std::span<const TaskTextRow> process_memory_files();
Result<Ref<fs::Inode>> make_pagemap_node(fs::PseudoSuper& super, Ref<Task> task);
// map_files.cc
Result<Ref<fs::Inode>> make_map_files_dir(fs::PseudoSuper& super, Ref<Task> task);
Result<Ref<fs::Inode>> make_attribute_dir(fs::PseudoSuper& super, Ref<Task> task);
// mounts and mountinfo: nothing of a task that has ended.
Result<void> show_mounts_of(Task& task, TextSink& out, bool mountinfo);
// oom_score_adj and its older form. EINVAL, EACCES.
Result<void> store_oom_score_adj(Task& task, std::string_view text);

}  // namespace runsc::kernel::proc
