#include "oci/sandbox/boot.h"

#include "oci/cmd/command.h"
#include "oci/sandbox/preserved_fds.h"

namespace runsc::oci {

// Started by sandbox/launcher.cc, with descriptors in place; of no use to anybody else.
Expected<int> cmd_boot(const Options& options, std::span<const std::string> args) {
  BootRequest request;
  FlagSet flags;
  flags.boolean("debug-log", request.debug_log, "");
  flags.boolean("console", request.console, "");
  flags.boolean("wait", request.wait_for_start, "");
  flags.boolean("detached", request.detached, "");
  flags.boolean("create-hooks", request.create_hooks, "");
  std::string preserved = "0", listening = "0";
  flags.text("preserved", preserved, "");
  flags.text("listening", listening, "");
  const std::vector<std::string> rest = OCI_TRY(flags.parse(args));
  if (rest.size() != 1) return fail("boot is started by run and do");
  request.options = options;
  request.id = rest[0];
  request.preserved = static_cast<unsigned>(OCI_TRY(parse_number(preserved, 0, kMaxPreservedFds)));
  request.listening = static_cast<unsigned>(OCI_TRY(parse_number(listening, 0, kMaxPreservedFds)));
  // The launcher says what went wrong, once.
  return boot(request) ? 0 : kExitSandbox;
}

}  // namespace runsc::oci
