#include "oci/cmd/command.h"
#include "oci/cmd/messages.h"

namespace runsc::oci {
namespace {

constexpr Command kCommands[] = {
    {"run", "[flags] ID", "create a container from a bundle and run it", cmd_run},
    {"create", "[flags] ID", "create a container from a bundle", cmd_create},
    {"start", "ID", "start a created container", cmd_start},
    {"exec", "[flags] ID COMMAND [ARG...]", "run a process in a running container", cmd_exec},
    {"kill", "[flags] ID [SIGNAL]", "send a signal to a container's init (default: TERM)", cmd_kill},
    {"delete", "[flags] ID...", "delete containers that have stopped", cmd_delete},
    {"state", "ID", "print the state of a container", cmd_state},
    {"list", "[flags]", "list containers", cmd_list},
    {"ps", "[flags] ID", "list the processes of a container", cmd_ps},
    {"wait", "ID", "wait for a container's end and print its status", cmd_wait},
    {"pause", "ID", "suspend all processes of a container", cmd_pause},
    {"resume", "ID", "resume all processes of a container", cmd_resume},
    {"update", "[flags] ID", "change the limits of a container", cmd_update},
    {"events", "--stats ID", "print the statistics of a container", cmd_events},
    {"features", "", "print what this runtime can do", cmd_features},
    {"do", "[flags] COMMAND [ARG...]", "run a command in a sandbox that sees this host's files", cmd_do},
    {"spec", "[flags] [-- ARG...]", "write a config.json to start from", cmd_spec},
    {"install", "[flags] [-- FLAG...]", "make Docker know this runtime", cmd_install},
    {"uninstall", "[flags]", "make Docker forget it", cmd_uninstall},
    {"debug", "--seccomp", "show what the sandbox process may do on the host", cmd_debug},
    {"version", "", "print the version", cmd_version},
    {"help", "", "print this help", cmd_help},
    {"boot", "", "the sandbox process itself", cmd_boot, true},
};

Expected<int> dispatch(const Options& options, std::span<const std::string> args) {
  if (options.version) return cmd_version(options, {});
  if (options.help) return cmd_help(options, {});
  if (args.empty()) {
    OCI_TRY(cmd_help(options, {}));
    return kExitError;
  }
  for (const Command& command : kCommands) {
    if (command.name == args[0]) return command.function(options, args.subspan(1));
  }
  return fail("unknown command " + args[0] + ", see runsc help");
}

}  // namespace

std::span<const Command> commands() { return kCommands; }

int run_command_line(std::span<const std::string> args) {
  Options options;
  FlagSet flags;
  add_global_flags(flags, options);
  const Expected<std::vector<std::string>> rest = flags.parse(args);
  const Expected<int> status = rest ? dispatch(options, *rest) : std::unexpected(rest.error());
  if (status) return *status;
  show_error(options, status.error());
  return status.error().exit_status;
}

}  // namespace runsc::oci
