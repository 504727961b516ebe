#include <unistd.h>

#include "oci/cmd/command.h"
#include "oci/cmd/version.h"
#include "oci/host/file_io.h"

namespace runsc::oci {

Expected<int> cmd_version(const Options&, std::span<const std::string>) {
  // The two lines that users and orchestrators of runsc parse.
  const std::string text = std::string("runsc version ") + kRelease + "\nspec: " + kSpecVersion + "\n";
  OCI_TRY_VOID(write_all(STDOUT_FILENO, text, "stdout"));
  return 0;
}

}  // namespace runsc::oci
