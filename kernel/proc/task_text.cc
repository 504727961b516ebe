// Text of /proc/PID: status, stat, statm, limits, io.
#include "fs/user_namespace.h"
#include "kernel/pid.h"
#include "kernel/proc/proc.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/sched/scheduler.h"
#include "kernel/time/clock.h"

namespace runsc::kernel::proc {

namespace {

struct Counted {
  CpuTicks ticks{};
  uint64_t minor = 0, major = 0, voluntary = 0, involuntary = 0;
  uint32_t threads = 0;
};

void add(Counted& c, Task& t) {
  CpuTicks x = sched_cpu_ticks(t.sched);
  c.ticks.user += x.user;
  c.ticks.system += x.system;
  c.minor += t.minor_faults.load(std::memory_order_relaxed);
  c.major += t.major_faults.load(std::memory_order_relaxed);
  c.voluntary += t.sched.voluntary_switches.load(std::memory_order_relaxed);
  c.involuntary += t.sched.involuntary_switches.load(std::memory_order_relaxed);
}

Counted count(Task& task, bool process) {
  Counted c;
  LockGuard guard(g_tree_lock);
  ThreadGroup& g = task.group();
  c.threads = g.thread_count;
  if (!process) {
    add(c, task);
    return c;
  }
  c.ticks.user = g.dead_threads.user_ticks;
  c.ticks.system = g.dead_threads.system_ticks;
  c.minor = g.dead_threads.minor_faults;
  c.major = g.dead_threads.major_faults;
  c.voluntary = g.dead_threads.voluntary;
  c.involuntary = g.dead_threads.involuntary;
  for_each_thread_locked(g, [&](Task& t) { add(c, t); });
  return c;
}

struct SignalText {
  uint64_t pending, shared_pending, blocked, ignored, caught;
  uint32_t queued;
};

SignalText signals_of(Task& task) {
  SignalText s{};
  ThreadGroup& g = task.group();
  Ref<SignalActions> actions;
  {
    LockGuard guard(g.signal_lock);
    s.pending = task.signals.queue.pending();
    s.shared_pending = g.queue.pending();
    s.queued = task.signals.queue.count() + g.queue.count();
    s.blocked = task.signals.blocked.load(std::memory_order_relaxed);
    actions = g.actions;
  }
  if (!actions) return s;
  for (int i = 1; i <= abi::sig::max; ++i) {
    uint64_t handler = actions->get(i).handler;
    if (handler == abi::kSigIgn) s.ignored |= abi::sig_bit(i);
    if (handler > abi::kSigIgn) s.caught |= abi::sig_bit(i);
  }
  return s;
}

int32_t parent_pid(Task& task, const PidNamespace& ns) {
  LockGuard guard(g_tree_lock);
  return task.group().parent ? number_in_locked(ns, task.group().parent->pid) : 0;
}

int32_t tracer_pid(Task& task, const PidNamespace& ns) {
  LockGuard guard(g_tree_lock);
  return task.ptrace.tracer ? number_in_locked(ns, task.ptrace.tracer->tid()) : 0;
}

void show_all_numbers(Task& task, const PidNamespace& ns, TextSink& out) {
  ThreadGroup& g = task.group();
  LockGuard guard(g_tree_lock);
  const struct {
    std::string_view name;
    int32_t id;
  } rows[] = {{"NStgid:", g.pid}, {"NSpid:", task.tid()}, {"NSpgid:", g.pgid}, {"NSsid:", g.sid}};
  for (const auto& row : rows) {
    format(out, "\n{}", row.name);
    show_numbers_locked(row.id, ns, out);
  }
  out.write("\n");
}

uint64_t to_clock_ticks(uint64_t tsc) { return tsc_to_ns(tsc) / (1'000'000'000 / kTicksPerSecond); }

const char* state_name(char letter) {
  switch (letter) {
    case 'R':
      return "R (running)";
    case 'S':
      return "S (sleeping)";
    case 'T':
      return "T (stopped)";
    case 't':
      return "t (tracing stop)";
    case 'Z':
      return "Z (zombie)";
    case 'X':
      return "X (dead)";
    default:
      return "D (disk sleep)";
  }
}

void show_memory_lines(const mm::MemoryUsage& u, TextSink& out) {
  auto kib = [](uint64_t pages) { return pages * 4; };
  format(out,
         "VmPeak:\t{:8} kB\nVmSize:\t{:8} kB\nVmLck:\t{:8} kB\nVmPin:\t       0 kB\nVmHWM:\t{:8} "
         "kB\nVmRSS:\t{:8} kB\n"
         "RssAnon:\t{:8} kB\nRssFile:\t{:8} kB\nRssShmem:\t       0 kB\nVmData:\t{:8} kB\nVmStk:\t{:8} "
         "kB\nVmExe:\t{:8} kB\n"
         "VmLib:\t       0 kB\nVmPTE:\t{:8} kB\nVmSwap:\t       0 kB\nHugetlbPages:\t       0 kB\n",
         kib(u.peak_virtual), kib(u.virtual_pages), kib(u.locked), kib(u.peak_resident), kib(u.resident),
         kib(u.resident - u.resident_file), kib(u.resident_file), kib(u.data), kib(u.stack), kib(u.text),
         kib(u.resident / 512 + 4));
}

}  // namespace

char state_letter(Task& task) {
  ThreadGroup& g = task.group();
  {
    LockGuard guard(g_tree_lock);
    if (g.zombie) return 'Z';
    // A leader outlived by its threads, a thread that its tracer has not waited for.
    if (task.dead) return &task == g.leader || is_traced(task) ? 'Z' : 'X';
  }
  {
    LockGuard guard(g.signal_lock);
    if (task.ptrace.stopped) return 't';
    if (g.stopped && !is_traced(task)) return 'T';
  }
  return task.sched.asleep.load(std::memory_order_relaxed) ? 'S' : 'R';
}

namespace {}  // namespace

// In groups of 32 bits, all with their zeros: as wide as there are CPUs.
void show_cpu_mask(uint64_t mask, TextSink& out) {
  const unsigned cpus = arch::cpu_count();
  char room[40];
  for (unsigned group = (cpus - 1) / 32 + 1; group-- > 0;) {
    unsigned bits = cpus - group * 32 < 32 ? cpus - group * 32 : 32;
    FixedText digits(room);
    format(digits, "{:08x}", group < 2 ? mask >> (group * 32) & 0xffffffff : 0);
    out.write(digits.view().substr(8 - (bits + 3) / 4));
    if (group) out.write(",");
  }
}

namespace {

void show_limits_of_calls_and_cpus(Task& task, TextSink& out) {
  const unsigned cpus = arch::cpu_count();
  uint64_t mask = task.sched.affinity.load(std::memory_order_relaxed);
  if (cpus < 64) mask &= (uint64_t{1} << cpus) - 1;
  Ref<SeccompFilter> filter = task.seccomp.filter();
  format(out, "Seccomp:\t{}\nSeccomp_filters:\t{}\nCpus_allowed:\t", static_cast<int>(task.seccomp.mode()),
         filter ? filter->count() : 0);
  show_cpu_mask(mask, out);
  out.write("\nCpus_allowed_list:\t");
  bool first = true;
  for (unsigned i = 0; i < cpus; ++i) {
    if (!(mask >> i & 1)) continue;
    unsigned j = i;
    while (j + 1 < cpus && (mask >> (j + 1) & 1)) ++j;
    format(out, first ? "{}" : ",{}", i);
    if (j > i) format(out, "-{}", j);
    first = false;
    i = j;
  }
}

}  // namespace

Result<void> show_status(Task& task, const PidNamespace& ns, TextSink& out) {
  char letter = state_letter(task);
  Ref<fs::Credentials> creds = task.creds_ref();
  Ref<fs::FdTable> files = task.files_ref();
  Ref<fs::FsContext> fs = task.fs_ref();
  Counted c = count(task, false);
  ThreadGroup& g = task.group();
  const fs::Credentials& viewer = Task::current().creds();
  const auto uid = [&](uint32_t id) { return fs::shown_uid(viewer, id); };
  const auto gid = [&](uint32_t id) { return fs::shown_gid(viewer, id); };
  out.write("Name:\t");
  const Task::Comm name = task.comm();
  for (const char* at = name.text; *at; ++at)
    out.write(*at == '\n'   ? std::string_view("\\n")
              : *at == '\\' ? std::string_view("\\\\")
                            : std::string_view(at, 1));
  out.write("\n");
  if (fs) format(out, "Umask:\t{:04o}\n", fs->umask());
  format(out, "State:\t{}\nTgid:\t{}\nNgid:\t0\nPid:\t{}\nPPid:\t{}\nTracerPid:\t{}\n", state_name(letter),
         number_in(ns, g.pid), number_in(ns, task.tid()), parent_pid(task, ns), tracer_pid(task, ns));
  if (creds) {
    format(out, "Uid:\t{}\t{}\t{}\t{}\nGid:\t{}\t{}\t{}\t{}\n", uid(creds->uid), uid(creds->euid),
           uid(creds->suid), uid(creds->fsuid), gid(creds->gid), gid(creds->egid), gid(creds->sgid),
           gid(creds->fsgid));
  }
  int slots = 0;
  if (files) {
    int last = -1;
    for (int fd = files->next_open(0); fd >= 0; fd = files->next_open(fd + 1)) last = fd;
    slots = last < 64 ? 64 : (last + 64) / 64 * 64;
  }
  format(out, "FDSize:\t{}\nGroups:\t", slots);
  if (creds)
    for (uint32_t id : creds->groups) format(out, "{} ", gid(id));
  show_all_numbers(task, ns, out);
  if (Ref<mm::AddressSpace> mm = task.mm_ref()) show_memory_lines(mm->usage(), out);
  SignalText s = signals_of(task);
  format(out, "CoreDumping:\t0\nTHP_enabled:\t0\nThreads:\t{}\nSigQ:\t{}/{}\n", c.threads, s.queued,
         g.limits.soft(Resource::sigpending));
  format(out, "SigPnd:\t{:016x}\nShdPnd:\t{:016x}\nSigBlk:\t{:016x}\nSigIgn:\t{:016x}\nSigCgt:\t{:016x}\n",
         s.pending, s.shared_pending, s.blocked, s.ignored, s.caught);
  if (creds) {
    format(out,
           "CapInh:\t{:016x}\nCapPrm:\t{:016x}\nCapEff:\t{:016x}\nCapBnd:\t{:016x}\nCapAmb:\t{:016x}"
           "\nNoNewPrivs:\t{}\n",
           creds->inheritable, creds->permitted, creds->effective, creds->bounding, creds->ambient,
           creds->no_new_privs || task.seccomp.no_new_privs.load() ? 1 : 0);
  }
  show_limits_of_calls_and_cpus(task, out);
  format(out,
         "\nMems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t{}\nnonvoluntary_ctxt_"
         "switches:\t{}\n",
         c.voluntary, c.involuntary);
  return {};
}

Result<void> show_stat(Task& task, bool process, const PidNamespace& ns, TextSink& out) {
  ThreadGroup& g = task.group();
  Counted c = count(task, process);
  SignalText s = signals_of(task);
  mm::MemoryUsage usage{};
  mm::AddressSpace::Layout layout{};
  if (Ref<mm::AddressSpace> mm = task.mm_ref()) {
    usage = mm->usage();
    if (may_inspect(task)) layout = mm->layout();
  }
  ResourceUsage children;
  int exit_code = 0;
  {
    LockGuard guard(g_tree_lock);
    children = g.dead_children;
    if (g.zombie) exit_code = g.wait_status;
  }
  int32_t tty_nr = 0, tty_group = -1;
  if (Ref<fs::Tty> tty = controlling_tty_of(g.sid.load())) {
    tty_nr = static_cast<int32_t>(fs::make_dev(136, tty->index()));
    tty_group = number_in(ns, tty->foreground_group());
  }
  int nice = task.sched.nice.load(std::memory_order_relaxed);
  uint64_t start = task.start_ns.load(std::memory_order_relaxed) / (1'000'000'000 / kTicksPerSecond);
  format(out, "{} ({}) {} {} {} {} {} {} {} ", number_in(ns, process ? g.pid : task.tid()), task.comm().text,
         state_letter(task), parent_pid(task, ns), number_in(ns, g.pgid.load()), number_in(ns, g.sid.load()),
         tty_nr, tty_group, 0);
  format(out, "{} {} {} {} {} {} {} {} {} {} {} 0 {} ", c.minor, children.minor_faults, c.major,
         children.major_faults, to_clock_ticks(c.ticks.user), to_clock_ticks(c.ticks.system),
         to_clock_ticks(children.user_ticks), to_clock_ticks(children.system_ticks), 20 + nice, nice,
         c.threads, start);
  format(out, "{} {} {} {} {} {} 0 0 {} {} {} {} ", usage.virtual_pages * 4096, usage.resident,
         g.limits.soft(Resource::rss), layout.start_code, layout.end_code, layout.start_stack,
         s.pending & 0x7fffffff, s.blocked & 0x7fffffff, s.ignored & 0x7fffffff, s.caught & 0x7fffffff);
  format(out, "0 0 0 {} {} {} {} 0 0 0 {} {} {} {} {} {} {} {}\n", g.exit_signal,
         task.sched.cpu.load(std::memory_order_relaxed), task.sched.rt_priority.load(),
         task.sched.policy.load(), layout.start_data, layout.end_data, layout.start_brk, layout.arg_start,
         layout.arg_end, layout.env_start, layout.env_end, exit_code);
  return {};
}

Result<void> show_statm(Task& task, TextSink& out) {
  mm::MemoryUsage u{};
  if (Ref<mm::AddressSpace> mm = task.mm_ref()) u = mm->usage();
  format(out, "{} {} {} {} 0 {} 0\n", u.virtual_pages, u.resident, u.resident_file, u.text, u.data + u.stack);
  return {};
}

Result<void> show_limits(Task& task, TextSink& out) {
  struct Row {
    const char* name;
    Resource resource;
    const char* unit;
  };
  static constexpr Row kRows[] = {
      {"Max cpu time", Resource::cpu, "seconds"},
      {"Max file size", Resource::fsize, "bytes"},
      {"Max data size", Resource::data, "bytes"},
      {"Max stack size", Resource::stack, "bytes"},
      {"Max core file size", Resource::core, "bytes"},
      {"Max resident set", Resource::rss, "bytes"},
      {"Max processes", Resource::nproc, "processes"},
      {"Max open files", Resource::nofile, "files"},
      {"Max locked memory", Resource::memlock, "bytes"},
      {"Max address space", Resource::as, "bytes"},
      {"Max file locks", Resource::locks, "locks"},
      {"Max pending signals", Resource::sigpending, "signals"},
      {"Max msgqueue size", Resource::msgqueue, "bytes"},
      {"Max nice priority", Resource::nice, ""},
      {"Max realtime priority", Resource::rtprio, ""},
      {"Max realtime timeout", Resource::rttime, "us"},
  };
  format(out, "{:<25} {:<20} {:<20} {:<10}\n", "Limit", "Soft Limit", "Hard Limit", "Units");
  for (const Row& row : kRows) {
    Limit limit = task.group().limits.get(static_cast<unsigned>(row.resource));
    auto column = [&](uint64_t v) {
      if (v == kNoLimit)
        format(out, "{:<20} ", "unlimited");
      else
        format(out, "{:<20} ", v);
    };
    format(out, "{:<25} ", row.name);
    column(limit.soft);
    column(limit.hard);
    format(out, "{:<10}\n", row.unit);
  }
  return {};
}

Result<void> show_memory(Task& task, uint64_t from, uint64_t to, TextSink& out) {
  Ref<mm::AddressSpace> mm = task.mm_ref();
  if (!mm) return {};
  std::byte chunk[512];
  while (from < to) {
    size_t n = to - from < sizeof chunk ? to - from : sizeof chunk;
    auto got = mm->read_remote(from, {chunk, n});
    if (!got || *got == 0) return {};  // what is unmapped is left out, as Linux does
    out.write({reinterpret_cast<const char*>(chunk), *got});
    from += *got;
  }
  return {};
}

}  // namespace runsc::kernel::proc
