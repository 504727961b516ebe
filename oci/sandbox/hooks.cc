#include "oci/sandbox/hooks.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <span>

#include "oci/host/file_io.h"
#include "oci/host/unique_fd.h"

namespace runsc::oci {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (const std::string& text : strings) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

struct Streams {
  int input, output;
};

[[noreturn]] void become_hook(const Hook& hook, char* const* argv, char* const* envp, Streams streams,
                              std::span<const UniqueFd> namespaces, pid_t caller) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != caller) ::_exit(126);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGTTOU, SIG_DFL);
  for (const UniqueFd& ns : namespaces)
    if (::setns(ns.get(), 0) != 0) ::_exit(126);
  if (::dup2(streams.input, STDIN_FILENO) >= 0 && ::dup2(streams.output, STDOUT_FILENO) >= 0 &&
      ::dup2(streams.output, STDERR_FILENO) >= 0)
    ::execve(hook.path.c_str(), argv, envp);
  ::_exit(errno == ENOENT ? 127 : 126);
}

// False: it did not end in time.
bool ends_in_time(pid_t child, const Hook& hook) {
  if (!hook.timeout) return true;
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  if (!process) return true;
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::seconds(*hook.timeout);
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd waiting{process.get(), POLLIN, 0};
    constexpr int64_t kLongest = 1'000'000;
    const int n = ::poll(&waiting, 1, static_cast<int>(std::clamp<int64_t>(left, 0, kLongest)));
    if (n > 0) return true;
    if (n == 0 && left <= 0) return false;
  }
}

// Those that a process has of its own.
Expected<std::vector<UniqueFd>> namespaces_of(pid_t pid) {
  std::vector<UniqueFd> namespaces;
  if (pid == 0) return namespaces;
  for (const char* name : {"net", "ipc", "uts", "mnt"}) {
    const std::string path = "/proc/" + std::to_string(pid) + "/ns/" + name;
    namespaces.emplace_back(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!namespaces.back()) return fail_errno(path);
  }
  return namespaces;
}

Expected<void> run_hook(const std::string& name, const Hook& hook, const std::string& state, pid_t inside) {
  const std::vector<UniqueFd> namespaces = OCI_TRY(namespaces_of(inside));
  const UniqueFd input = OCI_TRY(memory_file("state", state));
  const UniqueFd output = OCI_TRY(memory_file("output", ""));
  std::vector<std::string> args = hook.args;
  if (args.empty()) args.push_back(hook.path);
  const std::vector<char*> argv = pointers(args), envp = pointers(hook.env);
  const pid_t caller = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return fail_errno("fork");
  if (child == 0)
    become_hook(hook, argv.data(), envp.data(), {input.get(), output.get()}, namespaces, caller);
  const bool in_time = ends_in_time(child, hook);
  if (!in_time) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return fail_errno(name);
  }
  if (in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  std::string text = "error running " + name + ": " + hook.path;
  if (!in_time)
    text += ": no end after " + std::to_string(*hook.timeout) + " s";
  else if (WIFSIGNALED(status))
    text += ": killed by signal " + std::to_string(WTERMSIG(status));
  else
    text += ": exit status " + std::to_string(WEXITSTATUS(status));
  const std::string said = first_output(output.get());
  if (!said.empty()) text += ", stdout and stderr: " + said;
  return fail(text);
}

}  // namespace

std::string first_output(int output) {
  constexpr size_t kMost = 4096;
  std::string text(kMost, '\0');
  const ssize_t got = ::pread(output, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

namespace {

std::string name_of(const char* kind, size_t i) { return std::string(kind) + " hook #" + std::to_string(i); }

}  // namespace

Expected<void> run_hooks(const char* kind, const std::vector<Hook>& hooks, const std::string& state,
                         pid_t inside) {
  for (size_t i = 0; i < hooks.size(); ++i) OCI_TRY_VOID(run_hook(name_of(kind, i), hooks[i], state, inside));
  return {};
}

std::vector<std::string> run_all_hooks(const char* kind, const std::vector<Hook>& hooks,
                                       const std::string& state) {
  std::vector<std::string> failures;
  for (size_t i = 0; i < hooks.size(); ++i)
    if (const auto ran = run_hook(name_of(kind, i), hooks[i], state, 0); !ran)
      failures.push_back(ran.error().text);
  return failures;
}

}  // namespace runsc::oci
