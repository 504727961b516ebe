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
#include <optional>
#include <vector>

#include "oci/host/debug_log.h"
#include "oci/host/file_io.h"
#include "oci/sandbox/boot.h"
#include "oci/sandbox/report.h"
#include "oci/sandbox/signals.h"
#include "oci/sandbox/stdio.h"
#include "oci/sandbox/terminal.h"

namespace runsc::oci {
namespace {

// What the sandbox process is started with. Descriptors lie above those that it finds them at.
struct ChildSetup {
  std::vector<std::string> args;
  std::vector<std::string> environment;
  std::string bundle;
  std::array<int, kDebugLogFd + 1> fds;  // -1: leave alone (0..2) or closed
};

constexpr int kAboveChildFds = 16;

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

class Foreground {
 public:
  Foreground(pid_t child, int signals, int report) : child_(child), signals_(signals), report_(report) {}

  // Until the child is gone; `on_start` is called when the container runs.
  template <typename OnStart>
  Expected<void> wait(OnStart on_start) {
    while (!reaped_ || !report_closed_) {
      std::array<pollfd, 2> waits = {pollfd{signals_, POLLIN, 0},
                                     pollfd{report_closed_ ? -1 : report_, POLLIN, 0}};
      if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return fail_errno("poll");
      const bool had_started = outcome_.started;
      if (waits[1].revents != 0) read_more();
      if (waits[0].revents != 0) take_signal();
      if (outcome_.started && !had_started) OCI_TRY_VOID(on_start());
    }
    return {};
  }

  Expected<int> exit_status() const {
    if (outcome_.error) return std::unexpected(*outcome_.error);
    if (outcome_.wait_status && WIFSIGNALED(*outcome_.wait_status))
      return 128 + WTERMSIG(*outcome_.wait_status);
    if (outcome_.wait_status) return WEXITSTATUS(*outcome_.wait_status);
    if (WIFSIGNALED(child_status_)) {
      const int signo = WTERMSIG(child_status_);
      const char* name = ::sigdescr_np(signo);
      std::string text = "the sandbox was killed by signal " + std::to_string(signo);
      if (name != nullptr) text.append(" (").append(name).append(")");
      return fail(text, signo == SIGKILL ? 128 + SIGKILL : kExitSandbox);
    }
    return fail("the sandbox ended without a word, status " + std::to_string(WEXITSTATUS(child_status_)),
                kExitSandbox);
  }

 private:
  void read_more() {
    char chunk[4096];
    const ssize_t got = ::read(report_, chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) return;
    if (got <= 0) {
      report_closed_ = true;
      return;
    }
    // Messages are few and short; a jailed writer that sends more is not listened to.
    constexpr size_t kLongest = 65536;
    if (lines_.size() < kLongest) lines_.append(chunk, static_cast<size_t>(got));
    read_report(lines_, outcome_);
  }

  void take_signal() {
    signalfd_siginfo info;
    if (::read(signals_, &info, sizeof info) != sizeof info) return;
    if (info.ssi_signo != SIGCHLD) {
      if (!reaped_) ::kill(child_, static_cast<int>(info.ssi_signo));
    } else if (!reaped_ && ::waitpid(child_, &child_status_, WNOHANG) == child_) {
      reaped_ = true;
    }
  }

  pid_t child_;
  int signals_;
  int report_;
  bool reaped_ = false;
  bool report_closed_ = false;
  int child_status_ = 0;
  std::string lines_;
  Report outcome_;
};

std::vector<std::string> sandbox_args(const Options& options, const LaunchRequest& request, bool debug_log) {
  std::vector<std::string> args = {"runsc-sandbox"};
  for (std::string& flag : options.sandbox_flags()) args.push_back(std::move(flag));
  args.emplace_back("boot");
  if (debug_log) args.emplace_back("--debug-log");
  if (!request.console_socket.empty()) args.emplace_back("--console");
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

Expected<void> write_pid_file(const LaunchRequest& request, pid_t pid) {
  if (request.pid_file.empty()) return {};
  // Appears whole: whoever waits for the file reads a number.
  const std::string fresh = request.pid_file + ".new";
  OCI_TRY_VOID(write_file(fresh, std::to_string(pid)));
  if (::rename(fresh.c_str(), request.pid_file.c_str()) != 0) return fail_errno(request.pid_file);
  return {};
}

// The launcher's side of the descriptors that the sandbox process finds from kSpecFd on; closed once it has
// them.
struct ChildFds {
  UniqueFd spec;
  UniqueFd report;
  UniqueFd state;
  UniqueFd log;
  UniqueFd terminal;
};

// `report` is the reading end.
Expected<ChildFds> open_child_fds(const Options& options, const LaunchRequest& request, const StateDir& state,
                                  UniqueFd& report) {
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
  for (UniqueFd* fd : {&fds.spec, &fds.report, &fds.state, &fds.log}) {
    if (*fd) *fd = OCI_TRY(move_up(*fd));
  }
  return fds;
}

}  // namespace

Expected<int> launch_and_wait(const Options& options, const LaunchRequest& request) {
  OCI_TRY_VOID(fill_standard_fds());
  const StateDir state = OCI_TRY(StateDir::create(options.root, request.id));
  UniqueFd report;
  ChildFds fds = OCI_TRY(open_child_fds(options, request, state, report));
  HostTerminal terminal = OCI_TRY(open_terminal(request));
  const UniqueFd signals = OCI_TRY(take_signals());
  if (terminal.console) fds.terminal = OCI_TRY(move_up(terminal.console));
  terminal.console.reset();

  ChildSetup setup;
  setup.args = sandbox_args(options, request, static_cast<bool>(fds.log));
  setup.environment = child_environment();
  setup.bundle = request.bundle;
  const int tty = fds.terminal ? fds.terminal.get() : terminal.shared.value_or(-1);
  setup.fds = {tty, tty, tty, fds.spec.get(), fds.report.get(), fds.state.get(), fds.log.get()};
  if (terminal.shared) terminal.raw.emplace(OCI_TRY(RawTerminal::enter(*terminal.shared)));
  const pid_t child = OCI_TRY(start_process(setup));
  fds = ChildFds();

  Foreground foreground(child, signals.get(), report.get());
  const Expected<void> waited = foreground.wait([&]() -> Expected<void> {
    OCI_TRY_VOID(state.write(
        {request.id, request.spec.oci_version, "running", child, request.bundle, request.spec.annotations}));
    return write_pid_file(request, child);
  });
  if (!waited) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    return std::unexpected(waited.error());
  }
  return foreground.exit_status();
}

}  // namespace runsc::oci
