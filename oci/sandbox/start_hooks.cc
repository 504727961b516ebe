#include "oci/sandbox/start_hooks.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>

#include "oci/control/client.h"
#include "oci/host/file_io.h"
#include "oci/sandbox/hooks.h"

namespace runsc::oci {
namespace {

using nlohmann::json;

// The container's process, but for what the hook says itself.
std::string process_of(json process, const Hook& hook) {
  std::vector<std::string> args = hook.args;
  if (args.empty()) args.emplace_back();
  args[0] = hook.path;
  process["args"] = args;
  process["env"] = hook.env;
  process["terminal"] = false;
  process.erase("consoleSize");
  return process.dump(-1, ' ', false, json::error_handler_t::replace);
}

// The next answer; none: the hook's time is up.
Expected<std::optional<Answer>> receive(ControlClient& client,
                                        std::optional<std::chrono::steady_clock::time_point> deadline) {
  for (;;) {
    int wait_ms = -1;
    if (deadline) {
      const auto left = *deadline - std::chrono::steady_clock::now();
      const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
      wait_ms = static_cast<int>(std::clamp<int64_t>(ms, 0, 1'000'000));
    }
    pollfd waiting{client.fd(), POLLIN, 0};
    const int n = ::poll(&waiting, 1, wait_ms);
    if (n < 0 && errno != EINTR) return fail_errno("poll");
    if (n == 0 && wait_ms == 0) return std::nullopt;
    if (n > 0) return OCI_TRY(client.receive());
  }
}

Expected<void> run_hook(const std::string& name, const Hook& hook, const std::string& directory,
                        const ContainerState& state, const json& process) {
  const UniqueFd description = OCI_TRY(memory_file("process.json", process_of(process, hook)));
  const UniqueFd input = OCI_TRY(memory_file("state", state_document(state, "created")));
  const UniqueFd output = OCI_TRY(memory_file("output", ""));
  std::optional<std::chrono::steady_clock::time_point> deadline;
  if (hook.timeout) deadline = std::chrono::steady_clock::now() + std::chrono::seconds(*hook.timeout);
  Expected<ControlClient> client =
      ControlClient::send(directory, {{"op", "exec"}, {"container", state.id}, {"pid", ::getpid()}},
                          {description.get(), input.get(), output.get(), output.get()});
  const std::string what = "error running " + name + ": " + hook.path + ": ";
  std::string trouble;
  for (bool ended = false; client && !ended;) {
    const Expected<std::optional<Answer>> answer = receive(*client, deadline);
    if (!answer) return fail(what + answer.error().text);
    ended = !*answer || (*answer)->ended;
    if (!*answer)
      trouble = "no end after " + std::to_string(*hook.timeout) + " s";
    else if (ended && WIFSIGNALED(*(*answer)->ended))
      trouble = "killed by signal " + std::to_string(WTERMSIG(*(*answer)->ended));
    else if (ended && WEXITSTATUS(*(*answer)->ended) != 0)
      trouble = "exit status " + std::to_string(WEXITSTATUS(*(*answer)->ended));
  }
  if (!client) return std::unexpected(client.error());
  if (trouble.empty()) return {};
  const std::string said = first_output(output.get());
  return fail(what + trouble + (said.empty() ? "" : ", stdout and stderr: " + said));
}

}  // namespace

Expected<void> run_start_hooks(const StateDir& dir, const ContainerState& state, const Spec& spec) {
  if (spec.hooks.start_container.empty()) return {};
  json document = json::parse(OCI_TRY(dir.read_spec()), nullptr, false);
  if (!document.is_object()) return fail("config.json: cannot be read");
  size_t number = 0;
  for (const Hook& hook : spec.hooks.start_container) {
    const std::string name = "startContainer hook #" + std::to_string(number++);
    OCI_TRY_VOID(run_hook(name, hook, dir.sandbox_path(state), state, document["process"]));
  }
  return {};
}

}  // namespace runsc::oci
