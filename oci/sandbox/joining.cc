#include "oci/sandbox/joining.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>
#include <optional>

#include "oci/control/client.h"
#include "oci/host/file_io.h"
#include "oci/sandbox/pid_file.h"
#include "oci/sandbox/report.h"
#include "oci/sandbox/signals.h"
#include "oci/sandbox/stdio.h"
#include "oci/sandbox/terminal.h"

namespace runsc::oci {
namespace {

struct Streams {
  std::vector<UniqueFd> fds;  // three, or a terminal
  std::optional<int> shared;  // the caller's terminal
};

Expected<Streams> open_streams(const JoinRequest& request) {
  Streams streams;
  if (!request.console_socket.empty()) {
    if (!request.terminal) return fail("--console-socket needs a terminal");
    streams.fds.push_back(OCI_TRY(send_console(request.console_socket, request.size)));
  } else if (request.terminal) {
    streams.shared = find_terminal();
    if (!streams.shared) return fail("there is no terminal (and no --console-socket)");
    streams.fds.push_back(OCI_TRY(take_stream(*streams.shared)));
  } else {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) streams.fds.push_back(OCI_TRY(take_stream(fd)));
  }
  return streams;
}

Expected<UniqueFd> take_signals() {
  sigset_t set = forwarded_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGTTOU, SIG_IGN);
  UniqueFd signals(::signalfd(-1, &set, SFD_CLOEXEC));
  if (!signals) return fail_errno("signalfd");
  return signals;
}

// The process runs when this returns.
Expected<ControlClient> join(const JoinRequest& request, const Streams& streams, WindowSize size) {
  const UniqueFd process = OCI_TRY(memory_file("process.json", request.process));
  std::vector<int> fds = {process.get()};
  for (const UniqueFd& fd : streams.fds) fds.push_back(fd.get());
  ControlClient client = OCI_TRY(ControlClient::send(
      request.directory, {{"op", "exec"}, {"rows", size.rows}, {"columns", size.columns}}, fds));
  OCI_TRY(client.receive());
  return client;
}

// Hands signals on until the process ends. `terminal`: whose size it has; -1: none.
Expected<int> accompany(ControlClient& client, int signals, int terminal) {
  for (;;) {
    std::array<pollfd, 2> waits = {pollfd{client.fd(), POLLIN, 0}, pollfd{signals, POLLIN, 0}};
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return fail_errno("poll");
    if (waits[0].revents != 0) {
      const Expected<Answer> answer = client.receive();
      if (!answer) return fail("the sandbox is gone", 128 + SIGKILL);
      if (answer->ended) {
        const int status = *answer->ended;
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
      }
    }
    signalfd_siginfo info;
    if (waits[1].revents == 0 || ::read(signals, &info, sizeof info) != sizeof info) continue;
    if (info.ssi_signo != SIGWINCH) {
      (void)client.send_more({{"op", "signal"}, {"signal", info.ssi_signo}});
    } else if (const auto size = terminal >= 0 ? window_size(terminal) : std::nullopt) {
      (void)client.send_more({{"op", "resize"}, {"rows", size->rows}, {"columns", size->columns}});
    }
  }
}

void close_standard_streams() {
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) ::dup2(null.get(), fd);
}

// The process behind the pid file. Says over `report` how the start went.
[[noreturn]] void stand_for_process(const JoinRequest& request, Streams streams, int report) {
  ::setsid();
  ::prctl(PR_SET_NAME, "runsc-exec");
  int terminal = -1;
  if (request.terminal) {
    terminal = streams.fds[0].get();
    // Whoever resizes the console tells its foreground process, which is this one.
    ::ioctl(terminal, TIOCSCTTY, 0);
  }
  Expected<UniqueFd> signals = take_signals();
  Expected<ControlClient> client =
      signals ? join(request, streams, request.size) : std::unexpected(signals.error());
  if (!client) {
    report_error(report, client.error());
    ::_exit(client.error().exit_status);
  }
  if (!request.terminal) streams.fds.clear();
  close_standard_streams();
  report_started(report);
  ::close(report);
  const Expected<int> status = accompany(*client, signals->get(), terminal);
  ::_exit(status ? *status : status.error().exit_status);
}

}  // namespace

Expected<int> join_and_wait(const JoinRequest& request) {
  OCI_TRY_VOID(fill_standard_fds());
  const Streams streams = OCI_TRY(open_streams(request));
  const UniqueFd signals = OCI_TRY(take_signals());
  const int terminal = streams.shared.value_or(-1);
  std::optional<RawTerminal> raw;
  if (streams.shared) raw.emplace(OCI_TRY(RawTerminal::enter(terminal)));
  const WindowSize size = terminal >= 0 ? window_size(terminal).value_or(request.size) : request.size;
  ControlClient client = OCI_TRY(join(request, streams, size));
  OCI_TRY_VOID(write_pid_file(request.pid_file, ::getpid()));
  return accompany(client, signals.get(), terminal);
}

Expected<void> join_detached(const JoinRequest& request) {
  OCI_TRY_VOID(fill_standard_fds());
  if (request.terminal && request.console_socket.empty())
    return fail("cannot allocate tty if runsc will detach without setting console socket");
  Streams streams = OCI_TRY(open_streams(request));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe");
  UniqueFd reader(ends[0]), writer(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return fail_errno("fork");
  if (child == 0) {
    reader.reset();
    stand_for_process(request, std::move(streams), writer.release());
  }
  writer.reset();
  constexpr size_t kMostReport = 65536;
  Report report;
  read_report(OCI_TRY(read_all(reader.get(), kMostReport, "pipe")), report);
  if (report.error || !report.started) {
    ::waitpid(child, nullptr, 0);
    return std::unexpected(report.error.value_or(Error{"exec: ended without a word", kExitError}));
  }
  return write_pid_file(request.pid_file, child);
}

}  // namespace runsc::oci
