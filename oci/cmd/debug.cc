#include <unistd.h>

#include "oci/cmd/command.h"
#include "oci/host/file_io.h"
#include "oci/jail/filter.h"

namespace runsc::oci {

Expected<int> cmd_debug(const Options&, std::span<const std::string> args) {
  bool seccomp = false;
  FlagSet flags;
  flags.boolean("seccomp", seccomp, "system calls that the sandbox process may make");
  const std::vector<std::string> rest = OCI_TRY(flags.parse(args));
  if (!rest.empty() || !seccomp) return fail("usage: runsc debug --seccomp");
  OCI_TRY_VOID(write_all(STDOUT_FILENO, describe_jail(), "stdout"));
  return 0;
}

}  // namespace runsc::oci
