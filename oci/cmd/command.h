// Host only. The verbs of the command line, one file each.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "oci/cmd/options.h"
#include "oci/host/error.h"

namespace runsc::oci {

// Takes what follows the verb; returns the exit status of the command.
using CommandFunction = Expected<int> (*)(const Options& options, std::span<const std::string> args);

struct Command {
  std::string_view name;
  std::string_view synopsis;  // what follows the name
  std::string_view help;      // one line
  CommandFunction function;
  bool internal = false;  // left out of the help
};

std::span<const Command> commands();

Expected<int> cmd_create(const Options& options, std::span<const std::string> args);
Expected<int> cmd_start(const Options& options, std::span<const std::string> args);
Expected<int> cmd_state(const Options& options, std::span<const std::string> args);
Expected<int> cmd_list(const Options& options, std::span<const std::string> args);
Expected<int> cmd_kill(const Options& options, std::span<const std::string> args);
Expected<int> cmd_delete(const Options& options, std::span<const std::string> args);
Expected<int> cmd_exec(const Options& options, std::span<const std::string> args);
Expected<int> cmd_ps(const Options& options, std::span<const std::string> args);
Expected<int> cmd_wait(const Options& options, std::span<const std::string> args);
Expected<int> cmd_update(const Options& options, std::span<const std::string> args);
Expected<int> cmd_events(const Options& options, std::span<const std::string> args);
Expected<int> cmd_features(const Options& options, std::span<const std::string> args);
Expected<int> cmd_pause(const Options& options, std::span<const std::string> args);
Expected<int> cmd_resume(const Options& options, std::span<const std::string> args);
Expected<int> cmd_boot(const Options& options, std::span<const std::string> args);
Expected<int> cmd_debug(const Options& options, std::span<const std::string> args);
Expected<int> cmd_do(const Options& options, std::span<const std::string> args);
Expected<int> cmd_help(const Options& options, std::span<const std::string> args);
Expected<int> cmd_install(const Options& options, std::span<const std::string> args);
Expected<int> cmd_uninstall(const Options& options, std::span<const std::string> args);
Expected<int> cmd_run(const Options& options, std::span<const std::string> args);
Expected<int> cmd_spec(const Options& options, std::span<const std::string> args);
Expected<int> cmd_version(const Options& options, std::span<const std::string> args);

// The whole command line, without the program's name: global flags, verb, the verb's own. Prints what there
// is to print, errors among it, and returns the exit status.
int run_command_line(std::span<const std::string> args);

}  // namespace runsc::oci
