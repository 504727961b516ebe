#include <unistd.h>

#include "oci/cmd/command.h"
#include "oci/host/file_io.h"

namespace runsc::oci {

Expected<int> cmd_help(const Options&, std::span<const std::string>) {
  std::string text = "usage: runsc [flags] COMMAND ...\n\ncommands:\n";
  for (const Command& command : commands()) {
    if (command.internal) continue;
    constexpr size_t kColumn = 34;
    std::string row = "  " + std::string(command.name) + " " + std::string(command.synopsis);
    row.append(row.size() < kColumn ? kColumn - row.size() : 1, ' ');
    text.append(row).append(command.help).append("\n");
  }
  Options defaults;
  FlagSet flags;
  add_global_flags(flags, defaults);
  text += "\nflags:\n" + flags.usage();
  OCI_TRY_VOID(write_all(STDOUT_FILENO, text, "stdout"));
  return 0;
}

}  // namespace runsc::oci
