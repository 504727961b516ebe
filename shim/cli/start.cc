#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "oci/host/file_io.h"
#include "shim/base/log.h"
#include "shim/cli/address.h"
#include "shim/cli/commands.h"
#include "shim/io/pipe.h"
#include "shim/runtime/bundle.h"
#include "shim/runtime/command.h"

namespace runsc::shim {
namespace {

constexpr size_t kMaxOptions = 1u << 20;

// Killed sooner than containerd, later than its containers.
void adjust_oom_score(pid_t shim) {
  constexpr int kHighest = 1000;
  const auto file = [](pid_t pid) { return "/proc/" + std::to_string(pid) + "/oom_score_adj"; };
  const oci::Expected<std::string> parent = oci::read_file(file(::getppid()), 64);
  if (!parent) return;
  const int score = std::min(std::atoi(parent->c_str()) + 1, kHighest);
  (void)oci::write_file(file(shim), std::to_string(score));
}

std::vector<std::string> serving_command(const Arguments& arguments, const std::string& socket) {
  std::error_code error;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe", error).string();
  std::vector<std::string> args = {self,         "-namespace", arguments.name_space, "-id",
                                   arguments.id, "-address",   arguments.address,    "-socket",
                                   socket};
  if (arguments.debug) args.emplace_back("-debug");
  return args;
}

oci::Expected<void> launch(const Arguments& arguments, const std::string& socket,
                           const oci::UniqueFd& listener, const std::string& options) {
  Pipe ready = OCI_TRY(make_pipe());
  const oci::UniqueFd input = OCI_TRY(oci::memory_file("options", options));
  const oci::UniqueFd nowhere(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!nowhere) return oci::fail_errno("/dev/null");
  Command command;
  command.args = serving_command(arguments, socket);
  command.stdin_fd = input.get();
  command.stdout_fd = nowhere.get();
  command.stderr_fd = nowhere.get();
  command.more_fds = {listener.get(), ready.write.get()};
  const pid_t pid = OCI_TRY(spawn(command));
  ready.write.reset();
  adjust_oom_score(pid);
  const std::string said = OCI_TRY(oci::read_all(ready.read.get(), 4096, "shim"));
  if (said == "ready") return {};
  return oci::fail("the shim could not start" + (said.empty() ? "" : ": " + said));
}

}  // namespace

oci::Expected<std::string> read_stdin() { return oci::read_all(STDIN_FILENO, kMaxOptions, "stdin"); }

oci::Expected<void> start_shim(const Arguments& arguments) {
  open_log("log", arguments.debug);
  const Annotations annotations = OCI_TRY(read_annotations("."));
  const std::string socket =
      socket_path(arguments.address, arguments.name_space, group_of(annotations, arguments.id));
  const std::string options = OCI_TRY(read_stdin());
  oci::UniqueFd listener = OCI_TRY(listen_at(socket));
  if (listener) {
    const oci::Expected<void> launched = launch(arguments, socket, listener, options);
    if (!launched) {
      listener.reset();
      remove_unserved(socket);
      return launched;
    }
  }
  // containerd 1.6 looks for the file when it comes back after a restart.
  const std::string address = "unix://" + socket;
  OCI_TRY_VOID(oci::write_file("address", address, 0600));
  return oci::write_all(STDOUT_FILENO, address, "stdout");
}

}  // namespace runsc::shim
