#include "oci/sandbox/launcher.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "oci/cgroup/cgroup.h"
#include "oci/cmd/messages.h"
#include "oci/control/client.h"
#include "oci/host/debug_log.h"
#include "oci/host/file_io.h"
#include "oci/sandbox/boot.h"
#include "oci/sandbox/child.h"
#include "oci/sandbox/hooks.h"
#include "oci/sandbox/lifeline.h"
#include "oci/sandbox/network_handover.h"
#include "oci/sandbox/pid_file.h"
#include "oci/sandbox/pod.h"
#include "oci/sandbox/removal.h"
#include "oci/sandbox/sandbox_limits.h"
#include "oci/sandbox/signals.h"
#include "oci/sandbox/start_hooks.h"
#include "oci/sandbox/stdio.h"
#include "oci/sandbox/terminal.h"
#include "oci/spec/parse.h"

namespace runsc::oci {
namespace {

// What the sandbox process is started with. Descriptors lie above those that it finds them at.
struct ChildSetup {
  std::vector<std::string> args;
  std::vector<std::string> environment;
  std::string bundle;
  std::vector<int> fds;           // by their numbers there; -1: leave alone (0..2) or closed
  std::vector<UniqueFd> cgroups;  // the doors to enter by
};

constexpr int kAboveChildFds = kChildFds + static_cast<int>(kMaxPreservedFds);

Expected<UniqueFd> move_up(const UniqueFd& fd) {
  UniqueFd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, kAboveChildFds));
  if (!moved) return fail_errno("fcntl");
  return moved;
}

// Only what steers a sanitizer in builds that have one: the environment of the command is nobody's business
// in there.
std::vector<std::string> child_environment() {
  std::vector<std::string> kept;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (text.substr(0, text.find('=')).ends_with("SAN_OPTIONS")) kept.push_back(text);
  }
  return kept;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// In the child, after fork and before exec.
[[noreturn]] void become_sandbox(const ChildSetup& setup, char* const* argv, char* const* envp) {
  const auto give_up = [](const char* what) {
    const std::string text =
        with_errno(std::string("runsc: cannot start the sandbox process: ") + what, errno) + "\n";
    [[maybe_unused]] const ssize_t put = ::write(STDERR_FILENO, text.data(), text.size());
    ::_exit(kExitSandbox);
  };
  for (const UniqueFd& door : setup.cgroups)
    if (::write(door.get(), "0", 1) < 0) give_up("cgroup.procs");
  for (int target = 0; target < static_cast<int>(setup.fds.size()); ++target) {
    const int source = setup.fds[static_cast<size_t>(target)];
    if (source >= 0 && ::dup2(source, target) < 0) give_up("dup2");
  }
  if (::chdir(setup.bundle.c_str()) != 0) give_up(setup.bundle.c_str());
  ::execve("/proc/self/exe", argv, envp);
  give_up("/proc/self/exe");
  ::_exit(kExitSandbox);
}

Expected<pid_t> start_process(ChildSetup& setup) {
  const std::vector<char*> argv = pointers(setup.args);
  const std::vector<char*> envp = pointers(setup.environment);
  const pid_t child = ::fork();
  if (child < 0) return fail_errno("fork", kExitSandbox);
  if (child == 0) become_sandbox(setup, argv.data(), envp.data());
  return child;
}

// The terminal of the container, on the host's side.
struct HostTerminal {
  UniqueFd console;                // our own pseudo-terminal, for --console-socket
  std::optional<int> shared;       // the caller's
  std::optional<RawTerminal> raw;  // its mode
};

Expected<HostTerminal> open_terminal(const LaunchRequest& request) {
  HostTerminal terminal;
  const bool wanted = request.spec.process->terminal;
  if (!request.console_socket.empty()) {
    if (!wanted) return fail("--console-socket needs process.terminal in config.json");
    terminal.console = OCI_TRY(send_console(request.console_socket, request.spec.process->console_size));
  } else if (wanted) {
    terminal.shared = find_terminal();
    if (!terminal.shared) {
      return fail(
          "config.json: process.terminal: is true, but there is no terminal (and no --console-socket)");
    }
  }
  return terminal;
}

struct Way {
  bool wait_for_start = false;  // the init waits
  bool detached = false;        // the sandbox outlives the command
  bool create_hooks = false;    // it waits for them when its namespaces are made
};

std::vector<std::string> sandbox_args(const Options& options, const LaunchRequest& request, Way way,
                                      bool debug_log) {
  std::vector<std::string> args = {"runsc-sandbox"};
  for (std::string& flag : options.sandbox_flags()) args.push_back(std::move(flag));
  args.emplace_back("boot");
  if (debug_log) args.emplace_back("--debug-log");
  if (!request.console_socket.empty()) args.emplace_back("--console");
  if (way.wait_for_start) args.emplace_back("--wait");
  if (way.detached) args.emplace_back("--detached");
  if (way.create_hooks) args.emplace_back("--create-hooks");
  if (!request.preserved.fds.empty()) {
    args.push_back("--preserved=" + std::to_string(request.preserved.fds.size()));
    args.push_back("--listening=" + std::to_string(request.preserved.listening));
  }
  args.push_back(request.id);
  return args;
}

// Signals are taken from here on, also those that arrive before there is a sandbox.
Expected<UniqueFd> take_signals() {
  sigset_t set = forwarded_signals();
  sigaddset(&set, SIGCHLD);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  // A caller that ignores its children leaves that to us, and then the kernel would not tell of ours.
  ::signal(SIGCHLD, SIG_DFL);
  // Restoring the terminal's mode from the background must not stop this process.
  ::signal(SIGTTOU, SIG_IGN);
  UniqueFd signals(::signalfd(-1, &set, SFD_CLOEXEC));
  if (!signals) return fail_errno("signalfd");
  return signals;
}

// The launcher's side of the descriptors that the sandbox process finds from kSpecFd on; closed once it has
// them.
struct ChildFds {
  UniqueFd spec;
  UniqueFd report;
  UniqueFd state;
  UniqueFd log;
  UniqueFd control;
  UniqueFd lifeline;
  UniqueFd process_lock;
  UniqueFd terminal;
  std::vector<UniqueFd> preserved;
};

// `report` is the reading end, `lifeline` the writing one.
Expected<ChildFds> open_child_fds(const Options& options, const LaunchRequest& request, const StateDir& state,
                                  UniqueFd& report, UniqueFd& lifeline) {
  ChildFds fds;
  fds.spec = OCI_TRY(memory_file("config.json", request.spec_text));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe");
  report.reset(ends[0]);
  fds.report.reset(ends[1]);
  // An open directory of its own: the lock on the other must end with the launcher.
  fds.state.reset(::open(state.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fds.state) return fail_errno(state.path());
  fds.log = OCI_TRY(open_debug_log(options.debug_log, "boot", request.id));
  fds.control = OCI_TRY(make_control_socket(state.path()));
  Lifeline both = OCI_TRY(make_lifeline());
  lifeline = std::move(both.held);
  fds.lifeline = std::move(both.child);
  fds.process_lock = OCI_TRY(state.open_process_lock());
  for (UniqueFd* fd :
       {&fds.spec, &fds.report, &fds.state, &fds.log, &fds.control, &fds.lifeline, &fds.process_lock}) {
    if (*fd) *fd = OCI_TRY(move_up(*fd));
  }
  for (const int fd : request.preserved.fds) {
    fds.preserved.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, kAboveChildFds));
    if (!fds.preserved.back()) return fail_errno("--preserve-fds");
  }
  return fds;
}

std::string now_rfc3339() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  ::gmtime_r(&now.tv_sec, &parts);
  char text[64];
  const size_t n = ::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  return std::string(text, n) + "." + std::to_string(1'000'000'000 + now.tv_nsec).substr(1) + "Z";
}

// Before there is anything of it.
ContainerState state_of(const LaunchRequest& request, bool detached) {
  ContainerState state;
  state.id = request.id;
  state.oci_version = request.spec.oci_version;
  state.status = "creating";
  state.creator = ::getpid();
  state.creator_start_time = process_start_time(state.creator);
  state.bundle = request.bundle;
  const std::string& root = request.spec.root.path;
  state.rootfs = root.starts_with('/') ? root : request.bundle + "/" + root;
  state.created = now_rfc3339();
  state.owner = ::geteuid();
  state.detached = detached;
  state.annotations = request.spec.annotations;
  state.sandbox = request.sandbox.value_or("");
  return state;
}

// A sandbox process on its way, and what the launcher holds for it.
struct Launch {
  StateDir state_dir;
  CgroupSet cgroups;
  UniqueFd report, lifeline, signals;
  std::optional<HostTerminal> terminal;
  std::optional<Child> child;
  ContainerState state;
};

bool has_create_hooks(const Hooks& hooks) {
  return !hooks.prestart.empty() || !hooks.create_runtime.empty() || !hooks.create_container.empty();
}

// Nothing of it is left.
void end(const Options& options, Launch& launch) {
  if (launch.child) launch.child->kill();
  clear_away(options, launch.state_dir, launch.state);
}

Expected<pid_t> enter_and_start(ChildSetup& setup, const CgroupSet& cgroups) {
  for (UniqueFd& door : OCI_TRY(cgroups.doors())) setup.cgroups.push_back(OCI_TRY(move_up(door)));
  return start_process(setup);
}

// A process of its own for the sandbox.
Expected<pid_t> start_alone(const Options& options, const LaunchRequest& request, Way way, Launch& launch) {
  ChildFds fds = OCI_TRY(open_child_fds(options, request, launch.state_dir, launch.report, launch.lifeline));
  HostTerminal& terminal = launch.terminal.emplace(OCI_TRY(open_terminal(request)));
  launch.signals = OCI_TRY(take_signals());
  if (terminal.console) fds.terminal = OCI_TRY(move_up(terminal.console));
  terminal.console.reset();

  ChildSetup setup;
  setup.args = sandbox_args(options, request, way, static_cast<bool>(fds.log));
  setup.environment = child_environment();
  setup.bundle = request.bundle;
  const int tty = fds.terminal ? fds.terminal.get() : terminal.shared.value_or(-1);
  setup.fds = {tty,
               tty,
               tty,
               fds.spec.get(),
               fds.report.get(),
               fds.state.get(),
               fds.log.get(),
               fds.control.get(),
               fds.lifeline.get(),
               fds.process_lock.get()};
  for (const UniqueFd& fd : fds.preserved) setup.fds.push_back(fd.get());
  if (terminal.shared) terminal.raw.emplace(OCI_TRY(RawTerminal::enter(*terminal.shared)));
  const Resources resources = OCI_TRY(sandbox_resources(request.spec));
  OCI_TRY_VOID(launch.cgroups.make(resources));
  return enter_and_start(setup, launch.cgroups);
}

// In the sandbox of its pod.
Expected<pid_t> start_in_pod(const Options& options, const LaunchRequest& request, Way way, Launch& launch) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe");
  launch.report.reset(ends[0]);
  UniqueFd report(ends[1]);
  HostTerminal& terminal = launch.terminal.emplace(OCI_TRY(open_terminal(request)));
  launch.signals = OCI_TRY(take_signals());
  const int tty = terminal.console ? terminal.console.get() : terminal.shared.value_or(-1);
  if (terminal.shared) terminal.raw.emplace(OCI_TRY(RawTerminal::enter(*terminal.shared)));
  OCI_TRY_VOID(launch.cgroups.make(request.spec.linux_.resources));
  Lifeline lifeline = OCI_TRY(make_lifeline());
  launch.lifeline = std::move(lifeline.held);
  Expected<std::vector<UniqueFd>> doors = launch.cgroups.doors();
  if (!doors) return std::unexpected(doors.error());
  MemberRequest member{request.spec,
                       request.id,
                       request.bundle,
                       options.root + "/" + *request.sandbox,
                       launch.state_dir.path(),
                       tty,
                       static_cast<bool>(terminal.console),
                       way.detached,
                       std::move(*doors),
                       std::move(report),
                       std::move(lifeline.child),
                       OCI_TRY(launch.state_dir.open_process_lock()),
                       way.create_hooks,
                       request.preserved};
  Expected<pid_t> pid = start_member(std::move(member));
  terminal.console.reset();
  return pid;
}

// ROOT/ID, which is nobody else's from then on.
Expected<StateDir> take_name(const Options& options, const ContainerState& state) {
  Expected<StateDir> made = StateDir::create(options.root, state);
  if (made || made.error().text != StateDir::already_exists(state.id)) return made;
  return remove_abandoned(options, state.id) ? StateDir::create(options.root, state) : std::move(made);
}

// Its directory, with a record of what there will be.
Expected<Launch> begin(const Options& options, const LaunchRequest& request, Way way) {
  ContainerState state = state_of(request, way.detached);
  StateDir dir = OCI_TRY(take_name(options, state));
  CgroupSet cgroups;
  // Not before the name is ours: cgroups of one that was abandoned would be taken for somebody else's.
  if (!options.ignore_cgroups) cgroups = OCI_TRY(CgroupSet::plan(request.spec.linux_, request.id));
  state.cgroups = cgroups.paths();
  if (!state.cgroups.empty()) OCI_TRY_VOID(dir.write(state));
  return Launch{std::move(dir), std::move(cgroups), {}, {}, {}, {}, {}, std::move(state)};
}

Expected<pid_t> start_process_of(const Options& options, const LaunchRequest& request, Way way,
                                 Launch& launch) {
  OCI_TRY_VOID(launch.state_dir.write_spec(request.spec_text));
  return request.sandbox ? start_in_pod(options, request, way, launch)
                         : start_alone(options, request, way, launch);
}

Expected<Launch> start_sandbox(const Options& options, const LaunchRequest& request, Way way) {
  OCI_TRY_VOID(fill_standard_fds());
  way.create_hooks = has_create_hooks(request.spec.hooks);
  Launch launch = OCI_TRY(begin(options, request, way));
  const Expected<pid_t> started = start_process_of(options, request, way, launch);
  if (!started) {
    launch.cgroups.remove();
    return std::unexpected(started.error());
  }
  launch.child.emplace(*started, launch.signals.get(), launch.report.get());
  launch.state.pid = *started;
  launch.state.start_time = process_start_time(*started);
  if (const auto saved = launch.state_dir.write(launch.state); !saved) {
    end(options, launch);
    return std::unexpected(saved.error());
  }
  return launch;
}

// Between the namespaces and what is put into them.
Expected<void> run_create_hooks(Launch& launch, const Hooks& hooks) {
  const std::string document = state_document(launch.state, "creating");
  OCI_TRY_VOID(run_hooks("prestart", hooks.prestart, document));
  OCI_TRY_VOID(run_hooks("createRuntime", hooks.create_runtime, document));
  OCI_TRY_VOID(run_hooks("createContainer", hooks.create_container, document, launch.child->pid()));
  return let_go_on(launch.lifeline);
}

bool has_hooks(const Hooks& hooks) {
  return has_create_hooks(hooks) || !hooks.start_container.empty() || !hooks.poststart.empty() ||
         !hooks.poststop.empty();
}

Expected<void> ended_early(const Child& child) {
  const Expected<int> status = child.exit_status();
  return status ? fail("the container ended before it was started", kExitSandbox)
                : std::unexpected(status.error());
}

// Until the container is created.
Expected<void> become_created(const Options& options, Launch& launch, const LaunchRequest& request) {
  bool hooks_left = has_create_hooks(request.spec.hooks);
  while (!launch.child->ready()) {
    OCI_TRY_VOID(launch.child->wait());
    if (launch.child->gone() && !launch.child->ready()) return ended_early(*launch.child);
    if (!hooks_left || !launch.child->has_namespaces()) continue;
    OCI_TRY_VOID(run_create_hooks(launch, request.spec.hooks));
    hooks_left = false;
  }
  show_warnings(options, launch.child->warnings());
  launch.state.status = "created";
  OCI_TRY_VOID(launch.state_dir.write(launch.state));
  return write_pid_file(request.pid_file, launch.child->pid());
}

Expected<void> become_running(const Options& options, Launch& launch, const LaunchRequest& request) {
  show_warnings(options, launch.child->warnings());
  launch.state.status = "running";
  OCI_TRY_VOID(launch.state_dir.write(launch.state));
  return write_pid_file(request.pid_file, launch.child->pid());
}

Expected<void> stay(const Options& options, Launch& launch, const LaunchRequest& request, bool gated) {
  if (gated) {
    OCI_TRY_VOID(become_created(options, launch, request));
    OCI_TRY_VOID(start_created(launch.state_dir));
    launch.state_dir.unlock();
  }
  bool running = gated;
  while (!launch.child->gone()) {
    OCI_TRY_VOID(launch.child->wait());
    if (running || !launch.child->started()) continue;
    OCI_TRY_VOID(become_running(options, launch, request));
    launch.state_dir.unlock();
    running = true;
  }
  return {};
}

}  // namespace

Expected<int> launch_and_wait(const Options& options, const LaunchRequest& request) {
  const bool gated = request.sandbox || has_hooks(request.spec.hooks);
  Launch launch = OCI_TRY(start_sandbox(options, request, {gated, false}));
  const Expected<void> stayed = stay(options, launch, request, gated);
  launch.child->kill();
  // `delete --force` may have been quicker.
  if (launch.state_dir.lock()) clear_away(options, launch.state_dir, launch.state);
  if (!stayed) return std::unexpected(stayed.error());
  return launch.child->exit_status();
}

Expected<void> launch_created(const Options& options, const LaunchRequest& request) {
  if (request.spec.process->terminal && request.console_socket.empty())
    return fail("cannot allocate tty if runc will detach without setting console socket");
  Launch launch = OCI_TRY(start_sandbox(options, request, {true, true}));
  Expected<void> created = become_created(options, launch, request);
  if (created) created = let_live(launch.lifeline);
  if (!created) {
    end(options, launch);
    return created;
  }
  launch.state_dir.keep();
  return {};
}

Expected<std::vector<std::string>> start_created(const StateDir& dir) {
  ContainerState state = OCI_TRY(dir.read());
  const std::string status = current_status(dir, state);
  if (status == "stopped") return fail("cannot start a container that has stopped");
  if (status == "creating") return fail("cannot start a container that is being created");
  if (status != "created") return fail("cannot start an already running container");
  const Spec spec = OCI_TRY(parse_spec(OCI_TRY(dir.read_spec())));
  Expected<std::vector<std::string>> warnings = hand_network_over(dir, state);
  const Expected<void> prepared =
      warnings ? run_start_hooks(dir, state, spec) : std::unexpected(warnings.error());
  if (!prepared) {
    kill_process(state);
    return std::unexpected(prepared.error());
  }
  OCI_TRY(control(dir.sandbox_path(state), {{"op", "start"}, {"container", state.id}}, -1));
  state.status = "running";
  OCI_TRY_VOID(dir.write(state));
  // The specification (1.2.1, and runc before it): a failure ends the container.
  if (auto ran = run_hooks("poststart", spec.hooks.poststart, state_document(state, state.status)); !ran) {
    kill_process(state);
    return std::unexpected(ran.error());
  }
  return warnings;
}

}  // namespace runsc::oci
