#include "kernel/boot_init.h"

#include "fs/boot_mounts.h"
#include "kernel/base/check.h"
#include "kernel/base/log.h"
#include "kernel/clone.h"
#include "kernel/container.h"
#include "kernel/exec.h"
#include "kernel/exit.h"
#include "kernel/klog.h"
#include "kernel/namespaces.h"
#include "kernel/pid.h"
#include "kernel/sched/scheduler.h"
#include "kernel/stdio/host_stream.h"
#include "kernel/thread_group.h"
#include "kernel/time/clock.h"
#include "kernel/time/process_timers.h"
#include "kvm/hostcall/client.h"

namespace runsc::kernel {

namespace {

using hostcall::ContainerReader;

// A container that cannot start: the reason goes to the user through the host's log, and the exit status is
// the one that shells and runtimes use.
constexpr uint32_t kNotFound = 127, kCannotExecute = 126, kFailed = 128;

[[noreturn]] void fail_start(uint32_t code, std::string_view what, std::string_view why) {
  (void)hostcall::call<hostcall::Log>([&](hostcall::Log::Request& r) {
    FixedText text(r.text);
    format(text, "{}{}", what, why);
    r.level = static_cast<uint32_t>(LogLevel::error);
    r.length = static_cast<uint32_t>(text.view().size());
  });
  (void)hostcall::call<hostcall::Exit>([&](auto& r) { r.wait_status = code << 8; });
  PANIC("the host let a failed sandbox go on");
}

std::string_view reason(Errno e) {
  switch (e) {
    case Errno::noent:
      return "no such file or directory";
    case Errno::acces:
      return "permission denied";
    case Errno::noexec:
      return "exec format error";
    case Errno::notdir:
      return "not a directory";
    case Errno::nomem:
      return "cannot allocate memory";
    case Errno::toobig:
      return "argument list too long";
    case Errno::loop:
      return "too many levels of symbolic links";
    case Errno::inval:
      return "invalid argument";
    case Errno::isdir:
      return "is a directory";
    default:
      return "failed";
  }
}

std::string_view environment(const Vec<String>& env, std::string_view name) {
  for (const String& e : env) {
    std::string_view s = e.view();
    if (s.size() > name.size() && s.substr(0, name.size()) == name && s[name.size()] == '=')
      return s.substr(name.size() + 1);
  }
  return {};
}

struct Program {
  Ref<fs::File> file;
  String path;
};

Result<Program> open_program(Task& task, std::string_view path) {
  Program p;
  p.file = TRY(open_executable(task, task.fs().cwd(), path, 0));
  p.path = TRY(String::from(path));
  return p;
}

// As execvp(3): a name with a slash is a path, others are looked for along PATH.
Result<Program> find_program(Task& task, const ContainerSpec& spec) {
  std::string_view name = spec.argv[0].view();
  if (name.find('/') != std::string_view::npos) return open_program(task, name);
  std::string_view path = environment(spec.envp, "PATH");
  Errno error = Errno::noent;
  while (!name.empty()) {
    size_t colon = path.find(':');
    std::string_view dir = path.substr(0, colon);
    String with_slash = TRY(String::concat(dir.empty() ? "." : dir, "/"));
    String full = TRY(String::concat(with_slash.view(), name));
    auto p = open_program(task, full.view());
    if (p) return p;
    if (p.error() == Errno::acces) error = Errno::acces;
    if (colon == std::string_view::npos) break;
    path.remove_prefix(colon + 1);
  }
  return error;
}

Result<void> open_stdio(Task& task, const ContainerSpec& spec) {
  // As with runc, the streams belong to the container's user: it may open them again by /dev/stdout.
  uint64_t limit = task.limit(static_cast<unsigned>(Resource::nofile));
  if (spec.terminal) {
    Ref<fs::File> tty = TRY(open_terminal_bridge(spec.stdio[0], spec.rows, spec.columns));
    fs::SetAttr owner;
    owner.mask = fs::SetAttr::kUid;
    owner.uid = spec.creds->uid;
    TRY(tty->set_attr(owner));
    for (int i = 0; i < 3; ++i) TRY(task.files().install(tty, false, limit));
    return {};
  }
  for (int i = 0; i < 3; ++i) {
    if (spec.stdio[i] == hostcall::kNoHandle) continue;
    TRY(task.files().install(TRY(open_host_stream(spec.stdio[i], spec.creds->uid, 0)), false, limit));
  }
  return {};
}

struct InitBoot {
  std::span<const std::byte> blob;
};
constinit InitBoot g_boot;

ContainerSpec read_spec(ContainerReader& reader) {
  auto spec = read_container(reader);
  if (!spec) fail_start(kFailed, "container description: ", reason(spec.error()));
  return std::move(*spec);
}

void apply_limits(Task& task, const ContainerSpec& spec) {
  for (const auto& l : spec.limits) task.group().limits.set(l.resource, l.limit);
  watch_cpu_time(task.group());
}

void enter_cwd(Task& task, const ContainerSpec& spec) {
  auto cwd =
      fs::walk(task.walk_context(), task.fs().root(), spec.cwd.view(), fs::kFollow | fs::kDirectoryOnly);
  if (!cwd) {
    char room[256];
    FixedText text(room);
    format(text, "chdir to cwd (\"{}\") set in config.json failed: ", spec.cwd.view());
    fail_start(kFailed, text.view(), reason(cwd.error()));
  }
  task.fs().set_cwd(std::move(*cwd));
}

[[noreturn]] void no_program(const ContainerSpec& spec, Errno e) {
  char room[512];
  FixedText text(room);
  std::string_view name = spec.argv[0].view();
  bool searched = name.find('/') == std::string_view::npos;
  if (e == Errno::noent && searched) {
    format(text, "exec: \"{}\": executable file not found in $PATH", name);
    fail_start(kNotFound, text.view(), "");
  }
  format(text, "exec: \"{}\": ", name);
  fail_start(e == Errno::noent ? kNotFound : kCannotExecute, text.view(), reason(e));
}

void execute(Task& task, const ContainerSpec& spec) {
  auto program = find_program(task, spec);
  if (!program) no_program(spec, program.error());
  Arguments args(task.limit(static_cast<unsigned>(Resource::stack)));
  Result<void> ok;
  for (const String& s : spec.argv)
    if (ok) ok = args.add_arg(s.view());
  for (const String& s : spec.envp)
    if (ok) ok = args.add_env(s.view());
  if (ok) ok = exec_program(task, program->file, program->path.view(), std::move(args));
  if (!ok) no_program(spec, ok.error());
}

// Runs as pid 1, in kernel mode until it executes.
void boot_container(Task& task) {
  ContainerReader reader(g_boot.blob);
  ContainerSpec spec = read_spec(reader);
  UtsNamespace& uts = task.namespaces().uts();
  (void)uts.set_hostname(spec.hostname.view());
  if (!spec.domainname.empty()) (void)uts.set_domainname(spec.domainname.view());
  auto context = fs::boot_mounts(task.namespaces().mounts(), reader, spec.umask);
  if (!context) fail_start(kFailed, "mounting the container's file systems: ", reason(context.error()));
  task.set_fs(std::move(*context));
  apply_limits(task, spec);
  if (auto r = open_stdio(task, spec); !r) fail_start(kFailed, "standard streams: ", reason(r.error()));
  task.set_creds(spec.creds);
  enter_cwd(task, spec);
  klog_line("Ready!");
  execute(task, spec);
}

void init_entry(void* argument) {
  sched_first_run();
  Task& task = *static_cast<Task*>(argument);
  boot_container(task);
  run_task(task);
}

}  // namespace

Result<void> start_init_task(const hostcall::BootInfo& boot) {
  g_boot.blob = {static_cast<const std::byte*>(arch::phys_to_virt(boot.container_phys)), boot.container_size};
  Ref<Task> task = TRY(Task::create());
  Ref<ThreadGroup> group = TRY(ThreadGroup::create());
  group->actions = TRY(SignalActions::create());
  task->start_ns.store(monotonic_ns());
  TaskInternals::group(*task) = group;
  TaskInternals::user_state(*task) = TRY(arch::user_state_create());
  TaskInternals::files(*task) = TRY(fs::FdTable::create());
  auto root = make_ref<fs::Credentials>();
  if (!root) return Errno::nomem;
  root->effective = root->permitted = fs::kAllCaps;
  TaskInternals::creds(*task) = std::move(root);
  task->set_namespaces(TRY(Namespaces::create()));
  task->set_comm("init");
  TRY(sched_prepare(task->sched, init_entry, task.get()));
  {
    LockGuard tree(g_tree_lock);
    int32_t pid = TRY(pid_allocate_locked());
    TaskInternals::tid(*task) = pid;
    group->pid = pid;
    group->leader = group->threads = task.get();
    group->thread_count = group->active_threads = group->live_threads = 1;
    group->pgid.store(pid);
    group->sid.store(pid);
    all_groups().push_back(*group);
    pid_insert_locked(*task);
  }
  task->ref();  // the scheduler's
  sched_start(task->sched);
  return {};
}

}  // namespace runsc::kernel
