// The directory /proc/PID, and /proc/PID/task/TID.
#include <array>

#include "fs/mount.h"
#include "kernel/core/core_dump.h"
#include "kernel/inspect.h"
#include "kernel/pid.h"
#include "kernel/proc/task_files.h"
#include "kernel/sched/scheduler.h"
#include "kernel/time/clock.h"

namespace runsc::kernel::proc {

namespace {

constexpr uint8_t kDtDir = 4, kDtReg = 8, kDtLnk = 10;

using TaskShow = Result<void> (*)(Task& task, TextSink& out);
using TaskLink = Result<fs::Path> (*)(Task& task);

Result<void> show_title(Task& task, uint64_t from, uint64_t to, TextSink& out) {
  HeapText text;
  TRY(show_memory(task, from, to - from < mm::kPageSize ? to : from + mm::kPageSize, text));
  TRY(text.status());
  const size_t end = text.view().find('\0');
  out.write(text.view().substr(0, end == std::string_view::npos ? end : end + 1));
  return {};
}

Result<void> show_cmdline(Task& task, TextSink& out) {
  Ref<mm::AddressSpace> mm = task.mm_ref();
  if (!mm) return {};
  auto layout = mm->layout();
  // A process that wrote over the end of its arguments gave itself a title, which may go on where its
  // environment was: up to the first zero, and no longer than a page.
  std::byte last{};
  if (layout.arg_end > layout.arg_start && layout.env_start == layout.arg_end &&
      mm->read_remote(layout.arg_end - 1, std::span(&last, 1)) && last != std::byte{})
    return show_title(task, layout.arg_start, layout.env_end, out);
  return show_memory(task, layout.arg_start, layout.arg_end, out);
}

Result<void> show_environ(Task& task, TextSink& out) {
  Ref<mm::AddressSpace> mm = task.mm_ref();
  if (!mm) return {};
  auto layout = mm->layout();
  return show_memory(task, layout.env_start, layout.env_end, out);
}

Result<void> show_auxv(Task& task, TextSink& out) {
  return show_memory(task, task.group().auxv_start.load(), task.group().auxv_end.load(), out);
}

Result<void> show_comm(Task& task, TextSink& out) {
  format(out, "{}\n", task.comm().text);
  return {};
}

Result<void> show_mounts(Task& task, TextSink& out) { return show_mounts_of(task, out, false); }

Result<void> show_mountinfo(Task& task, TextSink& out) { return show_mounts_of(task, out, true); }

Result<void> show_process_stat(Task& task, const PidNamespace& ns, TextSink& out) {
  return show_stat(task, true, ns, out);
}
Result<void> show_thread_stat(Task& task, const PidNamespace& ns, TextSink& out) {
  return show_stat(task, false, ns, out);
}

Result<void> show_oom_adj(Task& task, TextSink& out) {
  format(out, "{}\n", task.group().oom_score_adj.load(std::memory_order_relaxed));
  return {};
}

Result<void> show_oom_score(Task& task, TextSink& out) {
  mm::MemoryUsage usage{};
  if (Ref<mm::AddressSpace> mm = task.mm_ref()) usage = mm->usage();
  uint64_t total = mm::phys_stats().total_pages;
  int64_t score = total ? static_cast<int64_t>(usage.resident * 1000 / total) : 0;
  score += task.group().oom_score_adj.load(std::memory_order_relaxed);
  format(out, "{}\n", score < 0 ? int64_t{0} : score);
  return {};
}

Result<void> show_zero(Task&, TextSink& out) {
  out.write("0\n");
  return {};
}

Result<void> show_cgroup(Task&, TextSink& out) {
  out.write("0::/\n");
  return {};
}

Result<void> show_core_filter(Task& task, TextSink& out) {
  format(out, "{:08x}\n", task.group().core_filter.load(std::memory_order_relaxed));
  return {};
}

// Hexadecimal behind 0x, octal behind 0, else decimal.
Result<void> store_core_filter(Task& task, std::string_view text) {
  text = fs::trimmed(text);
  unsigned base = 10;
  if (text.starts_with("0x") || text.starts_with("0X"))
    base = 16, text.remove_prefix(2);
  else if (text.starts_with('0') && text.size() > 1)
    base = 8, text.remove_prefix(1);
  if (text.empty() || text.size() > 8) return Errno::inval;
  uint32_t value = 0;
  for (char c : text) {
    const char lower = static_cast<char>(c | 0x20);
    unsigned digit = 16;
    if (c >= '0' && c <= '9') digit = static_cast<unsigned>(c - '0');
    if (lower >= 'a' && lower <= 'f') digit = static_cast<unsigned>(lower - 'a' + 10);
    if (digit >= base) return Errno::inval;
    value = value * base + digit;
  }
  task.group().core_filter.store(value & core_filter::all, std::memory_order_relaxed);
  return {};
}

Result<void> show_personality(Task& task, TextSink& out) {
  format(out, "{:08x}\n", task.personality.load(std::memory_order_relaxed));
  return {};
}

Result<void> show_schedstat(Task& task, TextSink& out) {
  CpuTicks ticks = sched_cpu_ticks(task.sched);
  format(out, "{} 0 {}\n", tsc_to_ns(ticks.user + ticks.system),
         task.sched.voluntary_switches.load(std::memory_order_relaxed) +
             task.sched.involuntary_switches.load(std::memory_order_relaxed));
  return {};
}

Result<void> store_comm(Task& task, std::string_view text) {
  if (&task.group() != &Task::current().group()) return Errno::inval;
  task.set_comm(fs::trimmed(text));
  return {};
}

using TextRow = TaskTextRow;
constexpr TextRow kBothText[] = {
    {"auxv", 0400, show_auxv, true},
    {"cgroup", 0444, show_cgroup, false},
    {"cmdline", 0444, show_cmdline, false},
    {"comm", 0644, show_comm, false, store_comm},
    {"coredump_filter", 0644, show_core_filter, false, store_core_filter},
    {"environ", 0400, show_environ, true},
    {"gid_map", 0644, nullptr},  // id_maps.cc
    {"limits", 0444, show_limits, false},
    {"maps", 0444, show_maps, true},
    {"mountinfo", 0444, show_mountinfo, false},
    {"mounts", 0444, show_mounts, false},
    {"oom_score", 0444, show_oom_score, false},
    {"oom_score_adj", 0644, show_oom_adj, false, store_oom_score_adj},
    {"personality", 0400, show_personality, true},
    {"schedstat", 0444, show_schedstat, false},
    {"setgroups", 0644, nullptr},
    {"smaps", 0444, show_smaps, true},
    {"smaps_rollup", 0444, show_smaps_rollup, true},
    {"statm", 0444, show_statm, false},
    {"status", 0444, nullptr, false, nullptr, show_status},
    {"uid_map", 0644, nullptr},
    {"wchan", 0444, show_zero, false},
};
constexpr TextRow kProcessStat{"stat", 0444, nullptr, false, nullptr, show_process_stat};
constexpr TextRow kThreadStat{"stat", 0444, nullptr, false, nullptr, show_thread_stat};

Result<fs::Path> link_cwd(Task& task) {
  Ref<fs::FsContext> fs = task.fs_ref();
  if (!fs) return Errno::noent;
  return fs->cwd();
}
Result<fs::Path> link_root(Task& task) {
  Ref<fs::FsContext> fs = task.fs_ref();
  if (!fs) return Errno::noent;
  return fs->root();
}
Result<fs::Path> link_exe(Task& task) {
  fs::Path p = task.group().executable();
  if (!p) return Errno::noent;
  return p;
}

struct LinkRow {
  std::string_view name;
  TaskLink link;
};
constexpr LinkRow kLinks[] = {{"cwd", link_cwd}, {"exe", link_exe}, {"root", link_root}};
// map_files and task: of processes alone.
constexpr std::string_view kDirs[] = {"attr", "fd", "fdinfo", "map_files", "net", "ns", "task"};

// The tables of text files that this directory shows.
std::array<std::span<const TextRow>, 5> text_files(bool process) {
  return {kBothText, more_files(), more_files_of(process), memory_files(),
          process ? process_memory_files() : std::span<const TextRow>()};
}

void own_by(fs::PseudoInode& node, Task& task) {
  if (Ref<fs::Credentials> c = task.creds_ref()) node.set_owner(c->euid, c->egid);
}

// Whether it was waited for: nothing of it is left to show.
bool is_gone(Task& task) {
  LockGuard tree(g_tree_lock);
  return task.group().reaped;
}

class TaskText final : public fs::TextNode {
 public:
  TaskText(fs::PseudoSuper& super, Ref<Task> task, const TextRow& row)
      : TextNode(super, fs::kRegular | row.mode), task_(std::move(task)), row_(row) {
    own_by(*this, *task_);
  }
  Result<void> check_open(uint32_t) override {
    if (row_.is_private && !may_inspect(*task_)) return Errno::acces;
    return {};
  }
  Result<void> show(TextSink& out) override {
    if (is_gone(*task_)) return Errno::srch;
    return row_.show_in ? row_.show_in(*task_, shown_namespace(pseudo()), out) : row_.show(*task_, out);
  }
  Result<void> store(std::string_view text) override {
    if (!row_.store) return Errno::perm;
    return row_.store(*task_, text);
  }

 private:
  const Ref<Task> task_;
  const TextRow& row_;
};

class TaskLinkNode final : public fs::LinkNode {
 public:
  TaskLinkNode(fs::PseudoSuper& super, Ref<Task> task, TaskLink link)
      : LinkNode(super), task_(std::move(task)), link_(link) {
    own_by(*this, *task_);
  }
  Result<String> read_link() override {
    fs::Path p = TRY(follow_magic());
    return fs::path_name(p, Task::current().fs().root(), fs::Unreachable::plain);
  }
  Result<fs::Path> follow_magic() override {
    if (!may_inspect(*task_)) return Errno::acces;
    return link_(*task_);
  }

 private:
  const Ref<Task> task_;
  const TaskLink link_;
};

class ThreadsDir final : public fs::DirNode {
 public:
  ThreadsDir(fs::PseudoSuper& super, Ref<Task> task)
      : DirNode(super, fs::kDirectory | 0555), task_(std::move(task)) {
    own_by(*this, *task_);
  }
  Result<Ref<fs::Inode>> lookup(std::string_view name) override {
    auto tid = fs::parse_decimal(name);
    if (!tid || *tid > kPidMax) return Errno::noent;
    Ref<Task> t = find_task(id_of(shown_namespace(pseudo()), static_cast<int32_t>(*tid)));
    if (!t || &t->group() != &task_->group()) return Errno::noent;
    return make_task_dir(pseudo(), std::move(t), false);
  }
  Result<uint64_t> list(fs::DirSink& sink, uint64_t offset) override {
    for (;;) {
      const NumberedTask t =
          next_thread_in(shown_namespace(pseudo()), task_->group(), static_cast<int32_t>(offset));
      if (!t.task) return offset;
      char room[12];
      FixedText name(room);
      format(name, "{}", t.number);
      uint64_t next = static_cast<uint64_t>(t.number) + 1;
      if (!sink.add(name.view(), 0, kDtDir, next)) return static_cast<uint64_t>(t.number);
      offset = next;
    }
  }

 private:
  const Ref<Task> task_;
};

class TaskDir final : public fs::DirNode {
 public:
  TaskDir(fs::PseudoSuper& super, Ref<Task> task, bool process)
      : DirNode(super, fs::kDirectory | 0555), task_(std::move(task)), process_(process) {
    own_by(*this, *task_);
  }

  int32_t process() const override {
    if (!process_) return 0;
    LockGuard guard(g_tree_lock);
    return task_->group().reaped ? -1 : task_->group().pid;
  }

  Result<Ref<fs::Inode>> lookup(std::string_view name) override {
    if (is_gone(*task_)) return Errno::noent;
    Ref<fs::Inode> node;
    if (name == "stat") {
      node = make_ref<TaskText>(pseudo(), task_, process_ ? kProcessStat : kThreadStat);
    } else if (name == "fd" || name == "fdinfo") {
      return make_fd_dir(pseudo(), task_, name == "fdinfo");
    } else if (name == "ns") {
      return make_ns_dir(pseudo(), task_);
    } else if (name == "mem") {
      return make_mem_node(pseudo(), task_);
    } else if (name == "pagemap") {
      return make_pagemap_node(pseudo(), task_);
    } else if (name == "attr") {
      return make_attribute_dir(pseudo(), task_);
    } else if (name == "map_files" && process_) {
      return make_map_files_dir(pseudo(), task_);
    } else if (name == "net") {
      return make_net_dir(pseudo(), *task_);
    } else if (is_id_map(name)) {
      node = make_id_map_node(pseudo(), task_, name);
      if (node) own_by(static_cast<fs::PseudoInode&>(*node), *task_);
    } else if (name == "task" && process_) {
      node = make_ref<ThreadsDir>(pseudo(), task_);
    } else {
      for (const LinkRow& row : kLinks)
        if (row.name == name) node = make_ref<TaskLinkNode>(pseudo(), task_, row.link);
      for (std::span<const TextRow> rows : text_files(process_))
        for (const TextRow& row : rows)
          if (row.name == name) node = make_ref<TaskText>(pseudo(), task_, row);
      if (!node && !known(name)) return Errno::noent;
    }
    if (!node) return Errno::nomem;
    return node;
  }

  Result<uint64_t> list(fs::DirSink& sink, uint64_t offset) override {
    if (is_gone(*task_)) return Errno::noent;
    uint64_t at = 0;
    auto put = [&](std::string_view name, uint8_t type) {
      bool go = at < offset || sink.add(name, 0, type, at + 1);
      if (go) ++at;
      return go;
    };
    for (std::string_view name : kDirs)
      if ((process_ || (name != "task" && name != "map_files")) && !put(name, kDtDir)) return at;
    for (const LinkRow& row : kLinks)
      if (!put(row.name, kDtLnk)) return at;
    if (!put("mem", kDtReg) || !put("pagemap", kDtReg) || !put("stat", kDtReg)) return at;
    for (std::span<const TextRow> rows : text_files(process_))
      for (const TextRow& row : rows)
        if (!put(row.name, kDtReg)) return at;
    return at;
  }

 private:
  bool known(std::string_view name) const {
    for (const LinkRow& row : kLinks)
      if (row.name == name) return true;
    for (std::span<const TextRow> rows : text_files(process_))
      for (const TextRow& row : rows)
        if (row.name == name) return true;
    return false;
  }
  const Ref<Task> task_;
  const bool process_;
};

}  // namespace

bool may_inspect(Task& task) { return kernel::may_inspect(task, InspectAs::fs_creds); }

Result<Ref<fs::Inode>> make_task_dir(fs::PseudoSuper& super, Ref<Task> task, bool whole_process) {
  Ref<fs::Inode> node = make_ref<TaskDir>(super, std::move(task), whole_process);
  if (!node) return Errno::nomem;
  return node;
}

}  // namespace runsc::kernel::proc
