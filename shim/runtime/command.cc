#include "shim/runtime/command.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "oci/host/unique_fd.h"

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

// posix_spawn's two attribute objects, freed at the end.
struct SpawnPlan {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;

  SpawnPlan() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    // The loop's signal handlers and its ignored SIGPIPE are not for others.
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(&attributes,
                               POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
};

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

}  // namespace

oci::Expected<pid_t> spawn(const Command& command) {
  SpawnPlan plan;
  std::vector<int> fds = {command.stdin_fd, command.stdout_fd, command.stderr_fd};
  fds.insert(fds.end(), command.more_fds.begin(), command.more_fds.end());
  // Above the places that they go to, so that none is overwritten before it is in its own.
  std::vector<oci::UniqueFd> moved;
  for (size_t target = 0; target < fds.size(); ++target) {
    const int place = static_cast<int>(target);
    if (fds[target] < 0) {
      ::posix_spawn_file_actions_addopen(&plan.actions, place, "/dev/null", O_RDWR, 0);
      continue;
    }
    moved.emplace_back(::fcntl(fds[target], F_DUPFD_CLOEXEC, kAboveChildFds));
    if (!moved.back()) return oci::fail_errno("fcntl");
    ::posix_spawn_file_actions_adddup2(&plan.actions, moved.back().get(), place);
  }
  // Asio opens its sockets without FD_CLOEXEC.
  ::posix_spawn_file_actions_addclosefrom_np(&plan.actions, static_cast<int>(fds.size()));
  if (!command.folder.empty()) ::posix_spawn_file_actions_addchdir_np(&plan.actions, command.folder.c_str());
  std::vector<std::string> args = command.args;
  std::vector<std::string> more = command.environment;
  const std::vector<char*> argv = pointers(args);
  const std::vector<char*> envp = environment_with(more);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, argv[0], &plan.actions, &plan.attributes, argv.data(), envp.data());
  if (error != 0) return oci::fail(oci::with_errno("cannot run " + command.args[0], error));
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
