#include "oci/sandbox/joining.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>

#include "oci/control/client.h"
#include "oci/host/file_io.h"
#include "oci/sandbox/accompany.h"
#include "oci/sandbox/lifeline.h"
#include "oci/sandbox/pid_file.h"
#include "oci/sandbox/report.h"
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
  for (const int fd : request.preserved) streams.fds.push_back(OCI_TRY(take_stream(fd)));
  return streams;
}

// The process runs when this returns.
Expected<ControlClient> join(const JoinRequest& request, const Streams& streams, WindowSize size) {
  const UniqueFd process = OCI_TRY(memory_file("process.json", request.process));
  std::vector<int> fds = {process.get()};
  for (const UniqueFd& fd : streams.fds) fds.push_back(fd.get());
  ControlClient client = OCI_TRY(ControlClient::send(request.directory,
                                                     {{"op", "exec"},
                                                      {"container", request.container},
                                                      {"pid", ::getpid()},
                                                      {"preserved", request.preserved.size()},
                                                      {"rows", size.rows},
                                                      {"columns", size.columns}},
                                                     fds));
  OCI_TRY(client.receive());
  return client;
}

// The process behind the pid file. Says over `report` how the start went.
[[noreturn]] void stand_for_process(const JoinRequest& request, Streams streams, int report, int lifeline) {
  // What the caller had open is held by nobody for as long as the process runs.
  std::vector<int> kept = {report, lifeline};
  for (const UniqueFd& fd : streams.fds) kept.push_back(fd.get());
  close_all_but(std::move(kept));
  ::setsid();
  ::prctl(PR_SET_NAME, "runsc-exec");
  int terminal = -1;
  if (request.terminal) {
    terminal = streams.fds[0].get();
    // Whoever resizes the console tells its foreground process, which is this one.
    ::ioctl(terminal, TIOCSCTTY, 0);
  }
  Expected<UniqueFd> signals = take_catchable_signals();
  Expected<ControlClient> client =
      signals ? join(request, streams, request.size) : std::unexpected(signals.error());
  if (!client) {
    report_error(report, client.error());
    ::_exit(client.error().exit_status);
  }
  streams.fds.resize(request.terminal ? 1 : 0);
  close_standard_streams();
  ::prctl(PR_SET_PDEATHSIG, 0);
  report_started(report);
  ::close(report);
  const Expected<int> status = accompany(*client, signals->get(), terminal, lifeline);
  ::_exit(status ? exit_status_of(*status) : status.error().exit_status);
}

}  // namespace

Expected<int> join_and_wait(const JoinRequest& request) {
  OCI_TRY_VOID(fill_standard_fds());
  const Streams streams = OCI_TRY(open_streams(request));
  const UniqueFd signals = OCI_TRY(take_catchable_signals());
  const int terminal = streams.shared.value_or(-1);
  std::optional<RawTerminal> raw;
  if (streams.shared) raw.emplace(OCI_TRY(RawTerminal::enter(terminal)));
  const WindowSize size = terminal >= 0 ? window_size(terminal).value_or(request.size) : request.size;
  ControlClient client = OCI_TRY(join(request, streams, size));
  OCI_TRY_VOID(write_pid_file(request.pid_file, ::getpid()));
  return exit_status_of(OCI_TRY(accompany(client, signals.get(), terminal)));
}

Expected<void> join_detached(const JoinRequest& request) {
  OCI_TRY_VOID(fill_standard_fds());
  if (request.terminal && request.console_socket.empty())
    return fail("cannot allocate tty if runsc will detach without setting console socket");
  Streams streams = OCI_TRY(open_streams(request));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe");
  UniqueFd reader(ends[0]), writer(ends[1]);
  Lifeline lifeline = OCI_TRY(make_lifeline());
  const pid_t launcher = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return fail_errno("fork");
  if (child == 0) {
    reader.reset();
    lifeline.held.reset();
    // Until it stands and watches the lifeline.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != launcher) ::_exit(kExitError);
    stand_for_process(request, std::move(streams), writer.release(), lifeline.child.get());
  }
  writer.reset();
  lifeline.child.reset();
  constexpr size_t kMostReport = 65536;
  Report report;
  read_report(OCI_TRY(read_all(reader.get(), kMostReport, "pipe")), report);
  if (report.error || !report.started) {
    ::waitpid(child, nullptr, 0);
    return std::unexpected(report.error.value_or(Error{"exec: ended without a word", kExitError}));
  }
  OCI_TRY_VOID(write_pid_file(request.pid_file, child));
  // It may have ended by now.
  (void)let_live(lifeline.held);
  return {};
}

}  // namespace runsc::oci
