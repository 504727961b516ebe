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
};

// task_more.cc: what few programs ask for, of processes and threads alike, and of one of them alone.
std::span<const TaskTextRow> more_files();
std::span<const TaskTextRow> more_files_of(bool process);
// mounts and mountinfo: nothing of a task that has ended.
Result<void> show_mounts_of(Task& task, TextSink& out, bool mountinfo);
// oom_score_adj and its older form. EINVAL, EACCES.
Result<void> store_oom_score_adj(Task& task, std::string_view text);

}  // namespace runsc::kernel::proc
