#include "shim/runtime/command.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "oci/host/unique_fd.h"
#include "shim/io/pipe.h"

namespace runsc::shim {
namespace {

constexpr off_t kMaxOutput = 4 << 20;
constexpr int kAboveChildFds = 32;

// Memory that takes what a program writes. It cannot grow past its size, and the offset, which the program's
// copy of the descriptor shares, tells how much there is.
oci::Expected<oci::UniqueFd> collector() {
  oci::UniqueFd fd(::memfd_create("output", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd || ::ftruncate(fd.get(), kMaxOutput) != 0 ||
      ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
    return oci::fail_errno("memfd_create");
  }
  return fd;
}

std::string collected(const oci::UniqueFd& fd) {
  if (!fd) return {};
  const off_t end = ::lseek(fd.get(), 0, SEEK_CUR);
  if (end <= 0) return {};
  std::string text(static_cast<size_t>(end), '\0');
  const ssize_t got = ::pread(fd.get(), text.data(), text.size(), 0);
  text.resize(got < 0 ? 0 : static_cast<size_t>(got));
  return text;
}

oci::Expected<void> collect(Command& command, oci::UniqueFd& output, oci::UniqueFd& errors) {
  if (command.stdout_fd < 0) {
    output = OCI_TRY(collector());
    command.stdout_fd = output.get();
  }
  if (command.stderr_fd < 0) {
    errors = OCI_TRY(collector());
    command.stderr_fd = errors.get();
  }
  return {};
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

std::vector<char*> environment_with(std::vector<std::string>& more) {
  std::vector<char*> result;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) result.push_back(*entry);
  for (std::string& text : more) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// In the child, between fork and exec: the fds go to the places 0, 1, 2 and so on, everything else stays
// behind.
[[noreturn]] void become(const Command& command, const std::vector<oci::UniqueFd>& fds, char* const* argv,
                         char* const* envp, int trouble, pid_t caller) {
  const auto give_up = [trouble] {
    const int error = errno;
    [[maybe_unused]] const ssize_t put = ::write(trouble, &error, sizeof error);
    ::_exit(127);
  };
  if (command.dies_with_caller && ::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) give_up();
  // It may have died before that.
  if (command.dies_with_caller && ::getppid() != caller) ::_exit(127);
  // The loop's signal handlers and its ignored SIGPIPE are not for others.
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::setpgid(0, 0);
  for (size_t place = 0; place < fds.size(); ++place)
    if (::dup2(fds[place].get(), static_cast<int>(place)) < 0) give_up();
  // Asio opens its sockets without FD_CLOEXEC.
  const auto first = static_cast<unsigned>(fds.size()), error_pipe = static_cast<unsigned>(trouble);
  ::close_range(first, error_pipe - 1, 0);
  ::close_range(error_pipe + 1, ~0U, 0);
  if (!command.folder.empty() && ::chdir(command.folder.c_str()) != 0) give_up();
  ::execvpe(argv[0], argv, envp);
  give_up();
  ::_exit(127);
}

// Above the places that they go to, so that none is overwritten before it is in its own.
oci::Expected<std::vector<oci::UniqueFd>> move_up(const Command& command) {
  std::vector<int> fds = {command.stdin_fd, command.stdout_fd, command.stderr_fd};
  fds.insert(fds.end(), command.more_fds.begin(), command.more_fds.end());
  const oci::UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  std::vector<oci::UniqueFd> moved;
  for (const int fd : fds) {
    moved.emplace_back(::fcntl(fd < 0 ? nothing.get() : fd, F_DUPFD_CLOEXEC, kAboveChildFds));
    if (!moved.back()) return oci::fail_errno("fcntl");
  }
  return moved;
}

}  // namespace

oci::Expected<pid_t> spawn(const Command& command) {
  const std::vector<oci::UniqueFd> fds = OCI_TRY(move_up(command));
  Pipe trouble = OCI_TRY(make_pipe());
  oci::UniqueFd trouble_up(::fcntl(trouble.write.get(), F_DUPFD_CLOEXEC, kAboveChildFds));
  if (!trouble_up) return oci::fail_errno("fcntl");
  trouble.write.reset();
  std::vector<std::string> args = command.args;
  std::vector<std::string> more = command.environment;
  const std::vector<char*> argv = pointers(args);
  const std::vector<char*> envp = environment_with(more);
  const pid_t caller = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return oci::fail_errno("fork");
  if (pid == 0) become(command, fds, argv.data(), envp.data(), trouble_up.get(), caller);
  trouble_up.reset();
  int error = 0;
  ssize_t got;
  while ((got = ::read(trouble.read.get(), &error, sizeof error)) < 0 && errno == EINTR) continue;
  if (got == sizeof error) {
    ::waitpid(pid, nullptr, 0);
    return oci::fail(oci::with_errno("cannot run " + command.args[0], error));
  }
  return pid;
}

Async<oci::Expected<Outcome>> run(Reaper& reaper, Command command,
                                  std::chrono::steady_clock::duration limit) {
  oci::UniqueFd output;
  oci::UniqueFd errors;
  if (const oci::Expected<void> ready = collect(command, output, errors); !ready) {
    co_return std::unexpected(ready.error());
  }
  const oci::Expected<pid_t> pid = spawn(command);
  if (!pid) co_return std::unexpected(pid.error());
  const std::shared_ptr<Reaper::Watch> watch = reaper.watch_child(*pid);
  const bool ended = co_await watch->done.wait_for(limit);
  if (!ended) {
    // The group of its own that spawn() gave it, with what it may have started.
    ::kill(-*pid, SIGKILL);
    co_await watch->done.wait();
    co_return oci::fail(command.args[0] + ": no answer in time, killed");
  }
  co_return Outcome{watch->exit, collected(output), collected(errors)};
}

}  // namespace runsc::shim
