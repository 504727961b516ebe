#include "oci/sandbox/boot.h"

#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <memory>
#include <optional>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#include <sanitizer/common_interface_defs.h>
#endif

#include "kvm/hostcall/boot_info.h"
#include "kvm/monitor/sandbox.h"
#include "oci/control/server.h"
#include "oci/host/file_io.h"
#include "oci/jail/filter.h"
#include "oci/network/handover.h"
#include "oci/sandbox/accompany.h"
#include "oci/sandbox/container_bytes.h"
#include "oci/sandbox/home.h"
#include "oci/sandbox/host_namespaces.h"
#include "oci/sandbox/host_tree.h"
#include "oci/sandbox/lifeline.h"
#include "oci/sandbox/preserved_fds.h"
#include "oci/sandbox/privileges.h"
#include "oci/sandbox/report.h"
#include "oci/sandbox/sandbox_limits.h"
#include "oci/sandbox/signals.h"
#include "oci/sandbox/state_dir.h"
#include "oci/sandbox/stdio.h"
#include "oci/sandbox/terminal.h"
#include "oci/spec/parse.h"

namespace runsc::oci {
namespace {

// Log levels of the sentry: what --debug adds.
constexpr unsigned kLogInfo = 2;
constexpr unsigned kLogDebug = 3;

Expected<void> detach_from_launcher(const BootRequest& request) {
  // The sandbox must not outlive a command that waits for it or has not recorded it yet, not even one that
  // died before this line.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return fail_errno("PR_SET_PDEATHSIG", kExitSandbox);
  pollfd launcher{kReportFd, 0, 0};
  if (::poll(&launcher, 1, 0) < 0 || launcher.revents != 0) return fail("the launcher is gone", kExitSandbox);
  ::prctl(PR_SET_NAME, "runsc-sandbox");
  if (!request.debug_log) ::close(kDebugLogFd);
  const int end = kChildFds + static_cast<int>(request.preserved);
  if (::close_range(static_cast<unsigned>(end), ~0U, 0) != 0) return fail_errno("close_range", kExitSandbox);
  for (int fd = kSpecFd; fd < end; ++fd) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  // Not before: closing another descriptor of the file gives it up.
  if (!take_process_lock(kProcessFd)) return fail_errno("the lock of the container", kExitSandbox);
  // A session of its own: ^C and ^Z at the user's terminal are for the launcher, which passes them on.
  if (::setsid() < 0) return fail_errno("setsid", kExitSandbox);
  if (request.console && ::ioctl(STDIN_FILENO, TIOCSCTTY, 0) != 0)
    return fail_errno("TIOCSCTTY", kExitSandbox);
  ::umask(0);  // modes are what the container asked for
  return limit_process();
}

// What it may ever use: limits are the sentry's to keep, and may change.
uint64_t host_memory() {
  struct sysinfo info {};
  ::sysinfo(&info);
  const uint64_t all = uint64_t{info.totalram} * info.mem_unit;
  constexpr uint64_t kPage = 4096;
  return std::min(all, hostcall::kWindowBase) & ~(kPage - 1);
}

unsigned cpu_count(const Options& options, const Resources& resources) {
  cpu_set_t set;
  CPU_ZERO(&set);
  unsigned count = ::sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<unsigned>(CPU_COUNT(&set)) : 1;
  if (options.cpus_from_quota && resources.cpu_quota.value_or(0) > 0 &&
      resources.cpu_period.value_or(0) > 0) {
    const auto quota = static_cast<uint64_t>(*resources.cpu_quota);
    const uint64_t period = *resources.cpu_period;
    const uint64_t whole = quota / period + (quota % period != 0 ? 1 : 0);
    count = static_cast<unsigned>(std::min<uint64_t>(count, whole));
  }
  if (options.cpus != 0) count = options.cpus;
  return std::clamp(count, 1U, hostcall::kMaxCpus);
}

monitor::SandboxConfig::Mode mode_of(KvmMode mode) {
  switch (mode) {
    case KvmMode::automatic:
      return monitor::SandboxConfig::Mode::automatic;
    case KvmMode::ring0:
      return monitor::SandboxConfig::Mode::ring0;
    case KvmMode::hosted:
      return monitor::SandboxConfig::Mode::hosted;
  }
  return monitor::SandboxConfig::Mode::automatic;
}

Expected<Spec> read_spec() {
  const std::string text = OCI_TRY(read_all(kSpecFd, kMaxSpecBytes, "config.json"));
  ::close(kSpecFd);
  return parse_spec(text);
}

Expected<void> adjust_oom_score(const Process& process) {
  if (!process.oom_score_adj) return {};
  constexpr const char* kPath = "/proc/self/oom_score_adj";
  const UniqueFd file(::open(kPath, O_WRONLY | O_CLOEXEC));
  if (!file) return fail_errno(kPath);
  return write_all(file.get(), std::to_string(*process.oom_score_adj), "config.json: process.oomScoreAdj");
}

// The donated descriptors, in the order of their handles.
Expected<std::vector<int>> donate(HostTree& tree, bool terminal, unsigned preserved) {
  std::vector<int> donated;
  for (UniqueFd& fd : tree.opened()) donated.push_back(fd.release());
  for (int fd = STDIN_FILENO; fd <= (terminal ? STDIN_FILENO : STDERR_FILENO); ++fd) {
    donated.push_back(OCI_TRY(take_stream(fd)).release());
  }
  for (int fd = kChildFds; fd < kChildFds + static_cast<int>(preserved); ++fd) {
    donated.push_back(OCI_TRY(take_stream(fd)).release());
    ::close(fd);
  }
  return donated;
}

Expected<void> give_wires(monitor::Sandbox& sandbox, std::vector<HostWire> wires) {
  std::vector<monitor::WireFds> given;
  for (HostWire& wire : wires)
    given.push_back({monitor::UniqueFd(wire.socket.release()), monitor::UniqueFd(wire.doorbell.release())});
  const auto added = sandbox.add_wires(std::move(given));
  if (!added) return fail(added.error().message, kExitSandbox);
  return {};
}

struct SandboxNetwork {
  TakenNetwork taken;
  bool later = false;  // `start` hands it over
};

// A container that is created first has its network when it is started: until then engines may set it up.
Expected<SandboxNetwork> network_at_boot(const BootRequest& request, const Spec& spec,
                                         const NetworkNamespaceId& before) {
  SandboxNetwork network;
  if (request.options.network != NetworkKind::sandbox) return network;
  if (const std::string why = why_left_alone(spec, before); !why.empty()) {
    report_warning(kReportFd, loopback_only(why));
    return network;
  }
  network.later = request.wait_for_start;
  if (!network.later) network.taken = OCI_TRY(take_network());
  for (const std::string& warning : network.taken.warnings) report_warning(kReportFd, warning);
  return network;
}

Expected<std::unique_ptr<monitor::Sandbox>> create_sandbox(const BootRequest& request, Spec& spec,
                                                           const ContainerPlan& plan, HostTree& tree,
                                                           TakenNetwork& network) {
  add_home(*spec.process, tree.opened()[0].get());
  if (request.listening != 0)
    for (const std::string& entry : listening_environment(request.listening))
      spec.process->env.push_back(entry);
  WindowSize size = spec.process->console_size.value_or(WindowSize{});
  if (spec.process->terminal) size = window_size(STDIN_FILENO).value_or(size);
  monitor::SandboxConfig config;
  config.mode = mode_of(request.options.kvm_mode);
  const Resources resources = OCI_TRY(sandbox_resources(spec));
  config.memory_limit = host_memory();
  config.cpus = cpu_count(request.options, resources);
  StartForm form{size,
                 request.wait_for_start,
                 false,
                 sandbox_memory(resources.memory_limit),
                 network_bytes(network.network),
                 request.preserved};
  config.container = container_bytes(spec, plan, form);
  config.donated = OCI_TRY(donate(tree, spec.process->terminal, request.preserved));
  config.debug_log_fd = request.debug_log ? kDebugLogFd : -1;
  config.log_level = request.options.debug ? kLogDebug : kLogInfo;
  config.strace = request.options.strace;
  config.host_fifo = request.options.host_fifo == HostFifo::open;
  auto sandbox = monitor::Sandbox::create(std::move(config));
  if (!sandbox) return fail(sandbox.error().message, kExitSandbox);
  OCI_TRY_VOID(give_wires(**sandbox, std::move(network.wires)));
  return *std::move(sandbox);
}

// Threads of the sandbox may still run: leaves without destructors, which would pull their objects away.
[[noreturn]] void run_and_leave(monitor::Sandbox& sandbox, ControlServer& control) {
  report_started(kReportFd);
  const std::expected<int, monitor::Error> status = sandbox.run();
  if (!status) {
    control.finish(status.error().message);
    report_error(kReportFd, Error{status.error().message, kExitSandbox});
    ::_exit(kExitSandbox);
  }
  control.finish(*status);
  if (const auto failure = sandbox.commands().start_failure())
    report_error(kReportFd, Error{failure->text, static_cast<int>(failure->status)});
  report_wait_status(kReportFd, *status);
  // Whoever waits for this process learns how the container ended.
  ::_exit(WIFSIGNALED(*status) ? 128 + WTERMSIG(*status) : WEXITSTATUS(*status));
}

// Returns only with the reason why nothing ran.
Expected<void> start_and_run(const BootRequest& request) {
  OCI_TRY_VOID(detach_from_launcher(request));
  const sigset_t forwarded = forwarded_signals();
  ::pthread_sigmask(SIG_SETMASK, &forwarded, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  UniqueFd signals(::signalfd(-1, &forwarded, SFD_CLOEXEC));
  if (!signals) return fail_errno("signalfd", kExitSandbox);

  Spec spec = OCI_TRY(read_spec());
  const ContainerPlan plan = OCI_TRY(plan_container(spec));
  OCI_TRY_VOID(adjust_oom_score(*spec.process));
  const NetworkNamespaceId network_before = network_namespace_here();
  OCI_TRY_VOID(enter_namespaces(spec));
  OCI_TRY_VOID(HostTree::make_namespace());
  if (request.create_hooks) {
    report_namespaces(kReportFd);
    if (read_lifeline(kLifelineFd) != LifelineNews::go_on) return fail("the launcher is gone", kExitSandbox);
  }
  HostTree tree = OCI_TRY(HostTree::build(plan.sources, kStateFd));
  ::close(kStateFd);
  SandboxNetwork network = OCI_TRY(network_at_boot(request, spec, network_before));
  const std::unique_ptr<monitor::Sandbox> sandbox =
      OCI_TRY(create_sandbox(request, spec, plan, tree, network.taken));

  // The container has streams of its own. Reports of crashes go to whoever waits for it, else to the debug
  // log.
  UniqueFd terminal(spec.process->terminal ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, kChildFds) : -1);
  close_standard_streams(request.detached ? STDERR_FILENO : STDOUT_FILENO);

  // One heap for all threads: to shrink a thread's own heap, libc opens a file of /proc, and the jail kills
  // for it.
  ::mallopt(M_ARENA_MAX, 1);
  // From here on nothing of the host is opened: the jail closes, step by step, around a single thread.
  OCI_TRY_VOID(require_single_thread());
  // The lifeline does it from here on: its end cannot be missed.
  if (request.detached && ::prctl(PR_SET_PDEATHSIG, 0) != 0)
    return fail_errno("PR_SET_PDEATHSIG", kExitSandbox);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  __sanitizer_sandbox_on_notify(nullptr);
#endif
  ControlServer control(*sandbox, request.id,
                        {std::move(signals), UniqueFd(kControlFd), UniqueFd(kLifelineFd), std::move(terminal),
                         kReportFd, std::move(network.taken.claim)},
                        {request.wait_for_start, network.later});
  OCI_TRY_VOID(tree.enter());
  OCI_TRY_VOID(drop_privileges());
  OCI_TRY_VOID(close_jail());

  OCI_TRY_VOID(control.start());
  run_and_leave(*sandbox, control);
}

}  // namespace

Expected<void> boot(const BootRequest& request) {
  Expected<void> result = start_and_run(request);
  if (!result) report_error(kReportFd, result.error());
  return result;
}

}  // namespace runsc::oci
