// Text of /proc/PID: io, sched, syscall, timers, loginuid and other small ones.
#include "kernel/namespaces.h"
#include "kernel/pid.h"
#include "kernel/proc/task_files.h"
#include "kernel/sched/scheduler.h"
#include "kernel/time/clock.h"
#include "kernel/time/process_timers.h"

namespace runsc::kernel::proc {

namespace {

// Text of any length. ENOMEM is told by failed().
class TextBuffer final : public TextSink {
 public:
  void write(std::string_view s) override {
    if (!text_.reserve(text_.size() + s.size())) {
      failed_ = true;
      return;
    }
    for (char c : s) (void)text_.push_back(c);
  }
  bool failed() const { return failed_; }
  std::string_view view() const { return {text_.data(), text_.size()}; }

 private:
  Vec<char> text_;
  bool failed_ = false;
};

// ---- io

void add_io(ResourceUsage& u, const Task& t) {
  u.read_chars += t.io.read_chars.load(std::memory_order_relaxed);
  u.written_chars += t.io.written_chars.load(std::memory_order_relaxed);
  u.read_calls += t.io.read_calls.load(std::memory_order_relaxed);
  u.write_calls += t.io.write_calls.load(std::memory_order_relaxed);
}

// There are no disks: nothing is ever read from or written to one.
void put_io(const ResourceUsage& u, TextSink& out) {
  format(
      out,
      "rchar: {}\nwchar: {}\nsyscr: {}\nsyscw: {}\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n",
      u.read_chars, u.written_chars, u.read_calls, u.write_calls);
}

// With what its threads and the children that it waited for have done.
Result<void> show_process_io(Task& task, TextSink& out) {
  ThreadGroup& g = task.group();
  ResourceUsage u;
  {
    LockGuard guard(g_tree_lock);
    u = g.dead_threads;
    u.add(g.dead_children);
    for_each_thread_locked(g, [&](Task& t) {
      if (!t.dead) add_io(u, t);
    });
  }
  put_io(u, out);
  return {};
}

Result<void> show_thread_io(Task& task, TextSink& out) {
  ResourceUsage u;
  add_io(u, task);
  put_io(u, out);
  return {};
}

// ---- scheduling

Result<void> show_sched(Task& task, const PidNamespace& ns, TextSink& out) {
  uint32_t threads;
  {
    LockGuard guard(g_tree_lock);
    threads = task.group().thread_count;
  }
  CpuTicks ticks = sched_cpu_ticks(task.sched);
  const uint64_t run = tsc_to_ns(ticks.user + ticks.system);
  const uint64_t voluntary = task.sched.voluntary_switches.load(std::memory_order_relaxed);
  const uint64_t involuntary = task.sched.involuntary_switches.load(std::memory_order_relaxed);
  format(out, "{} ({}, #threads: {})\n", task.comm().text, number_in(ns, task.tid()), threads);
  out.write("-------------------------------------------------------------------\n");
  auto number = [&](std::string_view name, uint64_t v) { format(out, "{:<45}:{:21}\n", name, v); };
  format(out, "{:<45}:{:14}.{:06}\n", "se.sum_exec_runtime", run / 1'000'000, run % 1'000'000);
  number("nr_switches", voluntary + involuntary);
  number("nr_voluntary_switches", voluntary);
  number("nr_involuntary_switches", involuntary);
  const int policy = task.sched.policy.load(std::memory_order_relaxed);
  const int real_time = task.sched.rt_priority.load(std::memory_order_relaxed);
  number("policy", static_cast<uint64_t>(policy));
  number("prio", static_cast<uint64_t>(real_time > 0 ? 99 - real_time : 120 + task.sched.nice.load()));
  return {};
}

// What it waits in, if it waits: the call, its arguments, where it was made.
Result<void> show_syscall(Task& task, TextSink& out) {
  if (!task.sched.asleep.load(std::memory_order_acquire)) {
    out.write("running\n");
    return {};
  }
  const arch::UserRegs& r = task.regs();  // at rest while the task sleeps
  if (r.orig_rax == ~uint64_t{0})
    format(out, "-1 0x{:x} 0x{:x}\n", r.rsp, r.rip);
  else
    format(out, "{} 0x{:x} 0x{:x} 0x{:x} 0x{:x} 0x{:x} 0x{:x} 0x{:x} 0x{:x}\n", r.orig_rax, r.rdi, r.rsi,
           r.rdx, r.r10, r.r8, r.r9, r.rsp, r.rip);
  return {};
}

// The stack inside the kernel, without a frame of it: nothing here names them.
Result<void> show_stack(Task&, TextSink&) {
  return Task::current().creds().has(fs::Cap::sys_admin) ? Result<void>() : Errno::acces;
}

// ---- timers

Result<void> show_timers(Task& task, const PidNamespace& ns, TextSink& out) {
  constexpr int kNone = 1, kThreadId = 4;
  ProcessTimers& timers = task.group().timers;
  Vec<Ref<PosixTimer>> list;
  size_t count;
  {
    LockGuard guard(timers.lock);
    count = timers.posix.size();
  }
  TRY(list.reserve(count));
  {
    LockGuard guard(timers.lock);
    for (const Ref<PosixTimer>& t : timers.posix)
      if (t && list.size() < count) TRY(list.push_back(t));
  }
  for (const Ref<PosixTimer>& t : list) {
    const bool thread = t->notify & kThreadId;
    format(out, "ID: {}\nsignal: {}/{:016x}\nnotify: {}/{}.{}\nClockID: {}\n", t->id, t->signal, t->value,
           (t->notify & ~kThreadId) == kNone ? "none" : "signal", thread ? "tid" : "pid",
           number_in(ns, thread ? t->target_tid : task.group().pid), t->clock);
  }
  return {};
}

Result<void> show_timer_slack(Task& task, TextSink& out) {
  format(out, "{}\n", task.group().timer_slack_ns.load(std::memory_order_relaxed));
  return {};
}

Result<void> store_timer_slack(Task& task, std::string_view text) {
  constexpr uint64_t kDefault = 50000;
  uint64_t ns = TRY(fs::parse_decimal(fs::trimmed(text)));
  if (&task.group() != &Task::current().group() && !Task::current().creds().has(fs::Cap::sys_nice))
    return Errno::perm;
  task.group().timer_slack_ns.store(ns ? ns : kDefault, std::memory_order_relaxed);
  return {};
}

// ---- who it is

Result<void> show_login_uid(Task& task, TextSink& out) {
  format(out, "{}", task.group().login_uid.load(std::memory_order_relaxed));
  return {};
}

Result<void> show_login_session(Task& task, TextSink& out) {
  format(out, "{}", task.group().login_session.load(std::memory_order_relaxed));
  return {};
}

// Its own alone; once set, only by those who may control the audit (pam_loginuid(8)).
Result<void> store_login_uid(Task& task, std::string_view text) {
  static constinit std::atomic<uint32_t> sessions{0};
  ThreadGroup& g = task.group();
  if (&g != &Task::current().group()) return Errno::perm;
  uint64_t uid = TRY(fs::parse_decimal(fs::trimmed(text)));
  if (uid > ~uint32_t{0}) return Errno::inval;
  if (g.login_uid.load() != ~uint32_t{0} && !Task::current().creds().has(fs::Cap::audit_control))
    return Errno::perm;
  bool unset = uid == ~uint32_t{0};
  g.login_session.store(unset ? ~uint32_t{0} : sessions.fetch_add(1, std::memory_order_relaxed) + 1);
  g.login_uid.store(static_cast<uint32_t>(uid));
  return {};
}

Result<void> show_oom_adj(Task& task, TextSink& out) {
  int32_t adj = task.group().oom_score_adj.load(std::memory_order_relaxed);
  format(out, "{}\n", adj == 1000 ? 15 : adj * 17 / 1000);
  return {};
}

// -17 to 15.
Result<void> store_oom_adj(Task& task, std::string_view text) {
  text = fs::trimmed(text);
  bool negative = text.starts_with('-');
  uint64_t v = TRY(fs::parse_decimal(negative ? text.substr(1) : text));
  if (v > (negative ? 17 : 15)) return Errno::inval;
  char room[16];
  FixedText scaled(room);
  format(scaled, "{}{}", negative ? "-" : "", v == 15 && !negative ? 1000 : v * 1000 / 17);
  return store_oom_score_adj(task, scaled.view());
}

Result<void> show_cpuset(Task&, TextSink& out) {
  out.write("/\n");
  return {};
}

Result<void> show_arch_status(Task&, TextSink& out) {
  out.write("AVX512_elapsed_ms:\t-1\n");
  return {};
}

Result<void> show_children(Task& task, const PidNamespace& ns, TextSink& out) {
  LockGuard guard(g_tree_lock);
  for (ThreadGroup& child : task.group().children)
    if (child.parent_task == &task) format(out, "{} ", number_in_locked(ns, child.pid));
  return {};
}

// "SOURCE PLACE TYPE ..." of the list of mounts, in other words.
Result<void> show_mount_stats(Task& task, TextSink& out) {
  TextBuffer mounts;
  TRY(show_mounts_of(task, mounts, false));
  if (mounts.failed()) return Errno::nomem;
  std::string_view rest = mounts.view();
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n')), words[3];
    rest.remove_prefix(line.size() < rest.size() ? line.size() + 1 : line.size());
    for (std::string_view& word : words) {
      word = line.substr(0, line.find(' '));
      line.remove_prefix(word.size() < line.size() ? word.size() + 1 : word.size());
    }
    format(out, "device {} mounted on {} with fstype {}\n", words[0], words[1], words[2]);
  }
  return {};
}

constexpr TaskTextRow kBoth[] = {
    {"arch_status", 0444, show_arch_status},
    {"cpuset", 0444, show_cpuset},
    {"loginuid", 0644, show_login_uid, false, store_login_uid},
    {"oom_adj", 0644, show_oom_adj, false, store_oom_adj},
    {"projid_map", 0644, nullptr},
    {"sched", 0644, nullptr, false, nullptr, show_sched},
    {"sessionid", 0444, show_login_session},
    {"stack", 0400, show_stack, true},
    {"syscall", 0400, show_syscall, true},
};
constexpr TaskTextRow kProcess[] = {
    {"io", 0400, show_process_io, true},
    {"mountstats", 0400, show_mount_stats, true},
    {"timers", 0444, nullptr, false, nullptr, show_timers},
    {"timerslack_ns", 0666, show_timer_slack, false, store_timer_slack},
};
constexpr TaskTextRow kThread[] = {
    {"children", 0444, nullptr, false, nullptr, show_children},
    {"io", 0400, show_thread_io, true},
};

}  // namespace

Result<void> show_mounts_of(Task& task, TextSink& out, bool mountinfo) {
  Ref<fs::FsContext> fs = task.fs_ref();
  Ref<Namespaces> set = task.namespaces_ref();
  if (fs && set) fs::describe_mounts(set->mounts(), fs->root(), out, mountinfo);
  return {};
}

// Down to where somebody with CAP_SYS_RESOURCE has set it anybody may go.
Result<void> store_oom_score_adj(Task& task, std::string_view text) {
  text = fs::trimmed(text);
  bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  uint64_t v = TRY(fs::parse_decimal(text));
  if (v > 1000) return Errno::inval;
  int32_t value = negative ? -static_cast<int32_t>(v) : static_cast<int32_t>(v);
  ThreadGroup& g = task.group();
  bool privileged = Task::current().creds().has(fs::Cap::sys_resource);
  if (value < g.oom_score_adj_min.load(std::memory_order_relaxed) && !privileged) return Errno::acces;
  if (privileged) g.oom_score_adj_min.store(value, std::memory_order_relaxed);
  g.oom_score_adj.store(value, std::memory_order_relaxed);
  return {};
}

std::span<const TaskTextRow> more_files() { return kBoth; }

std::span<const TaskTextRow> more_files_of(bool process) {
  if (process) return kProcess;
  return kThread;
}

}  // namespace runsc::kernel::proc
