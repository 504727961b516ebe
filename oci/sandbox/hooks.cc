#include "oci/sandbox/hooks.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>

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

[[noreturn]] void become_hook(const Hook& hook, char* const* argv, char* const* envp, int input, int output) {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGTTOU, SIG_DFL);
  if (::dup2(input, STDIN_FILENO) >= 0 && ::dup2(output, STDOUT_FILENO) >= 0 &&
      ::dup2(output, STDERR_FILENO) >= 0)
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

std::string first_output(int output) {
  constexpr size_t kMost = 4096;
  std::string text(kMost, '\0');
  const ssize_t got = ::pread(output, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

Expected<void> run_hook(const std::string& name, const Hook& hook, const std::string& state) {
  const UniqueFd input = OCI_TRY(memory_file("state", state));
  const UniqueFd output = OCI_TRY(memory_file("output", ""));
  std::vector<std::string> args = hook.args;
  if (args.empty()) args.push_back(hook.path);
  const std::vector<char*> argv = pointers(args), envp = pointers(hook.env);
  const pid_t child = ::fork();
  if (child < 0) return fail_errno("fork");
  if (child == 0) become_hook(hook, argv.data(), envp.data(), input.get(), output.get());
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

Expected<void> run_hooks(const char* kind, const std::vector<Hook>& hooks, const std::string& state) {
  for (size_t i = 0; i < hooks.size(); ++i) {
    const std::string name = std::string(kind) + " hook #" + std::to_string(i);
    OCI_TRY_VOID(run_hook(name, hooks[i], state));
  }
  return {};
}

}  // namespace runsc::oci
