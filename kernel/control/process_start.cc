#include "kernel/control/process_start.h"

#include "kernel/control/containers.h"
#include "kernel/exec.h"
#include "kernel/executable.h"
#include "kernel/stdio/host_stream.h"
#include "kernel/thread_group.h"
#include "kernel/time/process_timers.h"

namespace runsc::kernel {

namespace {

std::string_view environment(const Vec<String>& env, std::string_view name) {
  for (const String& e : env) {
    std::string_view s = e.view();
    if (s.size() > name.size() && s.substr(0, name.size()) == name && s[name.size()] == '=')
      return s.substr(name.size() + 1);
  }
  return {};
}

Result<Program> open_program(Task& task, std::string_view path) {
  Program p;
  p.file = TRY(open_executable(task, task.fs().cwd(), path, 0));
  p.path = TRY(String::from(path));
  return p;
}

// As execvp(3): a name with a slash is a path, others are looked for along PATH.
Result<Program> find_program(Task& task, const ProcessSpec& spec) {
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

Result<void> open_terminal(Task& task, const ProcessSpec& spec) {
  uint64_t limit = task.limit(static_cast<unsigned>(Resource::nofile));
  Ref<fs::File> tty = TRY(open_terminal_bridge(spec.stdio[0], spec.rows, spec.columns));
  fs::SetAttr owner;
  owner.mask = fs::SetAttr::kUid;
  owner.uid = spec.creds->uid;
  TRY(tty->set_attr(owner));
  for (int i = 0; i < 3; ++i) TRY(task.files().install(tty, false, limit));
  return {};
}

// As with runc, the streams belong to the container's user: it may open them again by /dev/stdout.
Result<void> open_stdio(Task& task, const ProcessSpec& spec) {
  if (spec.terminal) return open_terminal(task, spec);
  uint64_t limit = task.limit(static_cast<unsigned>(Resource::nofile));
  for (int i = 0; i < 3; ++i) {
    if (spec.stdio[i] == hostcall::kNoHandle) continue;
    TRY(task.files().install(TRY(open_host_stream(spec.stdio[i], spec.creds->uid, 0)), false, limit));
  }
  return {};
}

Result<void> open_more(Task& task, const ProcessSpec& spec) {
  const uint64_t limit = task.limit(static_cast<unsigned>(Resource::nofile));
  for (const hostcall::Handle handle : spec.more) {
    if (handle == hostcall::kNoHandle) return Errno::inval;
    constexpr int kFirst = 3;
    TRY(task.files().install(TRY(open_host_stream(handle, spec.creds->uid, 0)), false, limit, kFirst));
  }
  return {};
}

Result<void> apply_attributes(Task& task, const hostcall::ProcessAttributes& a) {
  using Which = hostcall::ProcessAttributes;
  if (a.which & Which::kOomScore) {
    const auto score = static_cast<int32_t>(a.oom_score_adj);
    if (score < -1000 || score > 1000) return Errno::inval;
    task.group().oom_score_adj_min.store(score);
    task.group().oom_score_adj.store(score);
  }
  if (a.which & Which::kPersonality) task.personality.store(a.personality);
  if (a.which & Which::kIoPriority) TRY(task.make_io_context())->priority.store(a.io_priority);
  if (a.which & Which::kScheduler) {
    task.sched.policy.store(static_cast<int32_t>(a.policy));
    task.sched.nice.store(static_cast<int32_t>(a.nice));
    task.sched.rt_priority.store(static_cast<int32_t>(a.rt_priority));
  }
  return {};
}

// The container's, for its init and for whoever joins. What the sentry itself does for it is not filtered.
void apply_filter(Task& task) {
  SeccompState& filter = task.group().container->seccomp;
  if (filter.mode() == SeccompMode::disabled) return;
  task.seccomp.set(SeccompMode::filter, filter.filter());
  task.work.set(Work::seccomp);
}

void apply_limits(Task& task, const ProcessSpec& spec) {
  for (const auto& l : spec.limits) task.group().limits.set(l.resource, l.limit);
  watch_cpu_time(task.group());
}

Started<void> enter_cwd(Task& task, const ProcessSpec& spec) {
  auto cwd =
      fs::walk(task.walk_context(), task.fs().root(), spec.cwd.view(), fs::kFollow | fs::kDirectoryOnly);
  if (!cwd)
    return StartFailure::of(StartFailure::kFailed, "chdir to cwd (\"{}\") set in config.json failed: {}",
                            spec.cwd.view(), reason(cwd.error()));
  task.fs().set_cwd(std::move(*cwd));
  return {};
}

std::unexpected<StartFailure> no_program(const ProcessSpec& spec, Errno e) {
  std::string_view name = spec.argv[0].view();
  bool searched = name.find('/') == std::string_view::npos;
  if (e == Errno::noent && searched)
    return StartFailure::of(StartFailure::kNotFound, "exec: \"{}\": executable file not found in $PATH",
                            name);
  const uint32_t status = e == Errno::noent ? StartFailure::kNotFound : StartFailure::kCannotExecute;
  return StartFailure::of(status, "exec: \"{}\": {}", name, reason(e));
}

}  // namespace

std::string_view reason(Errno e) {
  switch (e) {
    case Errno::noent:
      return "no such file or directory";
    case Errno::acces:
      return "permission denied";
    case Errno::noexec:
      return "exec format error";
    case Errno::exist:
      return "file exists";
    case Errno::perm:
      return "operation not permitted";
    case Errno::nametoolong:
      return "file name too long";
    case Errno::rofs:
      return "read-only file system";
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
    case Errno::again:
      return "resource temporarily unavailable";
    default:
      return "failed";
  }
}

Started<Program> prepare_process(Task& task, const ProcessSpec& spec) {
  apply_limits(task, spec);
  if (auto r = open_stdio(task, spec); !r)
    return StartFailure::of(StartFailure::kFailed, "standard streams: {}", reason(r.error()));
  if (auto r = open_more(task, spec); !r)
    return StartFailure::of(StartFailure::kFailed, "preserved descriptors: {}", reason(r.error()));
  if (auto r = apply_attributes(task, spec.attributes); !r)
    return StartFailure::of(StartFailure::kFailed, "attributes of the process: {}", reason(r.error()));
  apply_filter(task);
  task.set_creds(spec.creds);
  if (auto r = enter_cwd(task, spec); !r) return std::unexpected(r.error());
  auto program = find_program(task, spec);
  if (!program) return no_program(spec, program.error());
  return std::move(*program);
}

Started<void> execute_process(Task& task, const ProcessSpec& spec, Program program) {
  Arguments args(task.limit(static_cast<unsigned>(Resource::stack)));
  Result<void> ok;
  for (const String& s : spec.argv)
    if (ok) ok = args.add_arg(s.view());
  for (const String& s : spec.envp)
    if (ok) ok = args.add_env(s.view());
  if (ok) ok = exec_program(task, std::move(program.file), program.path.view(), std::move(args));
  if (!ok) return no_program(spec, ok.error());
  return {};
}

}  // namespace runsc::kernel
