#include <unistd.h>

#include <nlohmann/json.hpp>

#include "oci/cmd/command.h"
#include "oci/control/client.h"
#include "oci/host/file_io.h"
#include "oci/jail/filter.h"
#include "oci/sandbox/state_dir.h"

namespace runsc::oci {
namespace {

Expected<std::string> ask_container(const Options& options, const std::string& id, const char* op) {
  const StateDir dir = OCI_TRY(StateDir::look(options.root, id));
  const ContainerState state = OCI_TRY(dir.read());
  return OCI_TRY(control(dir.sandbox_path(state), {{"op", op}, {"container", state.id}})).text;
}

}  // namespace

Expected<int> cmd_debug(const Options& options, std::span<const std::string> args) {
  bool seccomp = false, stacks = false, counters = false;
  FlagSet flags;
  flags.boolean("seccomp", seccomp, "system calls that the sandbox process may make");
  flags.boolean("stacks", stacks, "what each thread of the container does: its system call and registers");
  flags.boolean("counters", counters, "what the container uses, as lines NAME VALUE");
  flags.custom(
      "strace", "",
      [](std::string_view) -> Expected<void> {
        return fail(
            "system calls are traced from the start of a sandbox: runsc --strace --debug-log=FILE create "
            "...");
      },
      "");
  const std::vector<std::string> rest = OCI_TRY(flags.parse(args));
  const bool about_container = stacks || counters;
  if ((!seccomp && !about_container) || rest.size() != (about_container ? 1 : 0))
    return fail("usage: runsc debug --seccomp | debug --stacks ID | debug --counters ID\n" + flags.usage());
  std::string text;
  if (seccomp) text += describe_jail();
  if (stacks) text += OCI_TRY(ask_container(options, rest[0], "stacks"));
  if (counters) text += OCI_TRY(ask_container(options, rest[0], "statistics"));
  OCI_TRY_VOID(write_all(STDOUT_FILENO, text, "stdout"));
  return 0;
}

}  // namespace runsc::oci
