#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "oci/cmd/command.h"
#include "oci/host/file_io.h"
#include "oci/spec/default_spec.h"

namespace runsc::oci {

Expected<int> cmd_spec(const Options&, std::span<const std::string> args) {
  std::string bundle = ".";
  FlagSet flags;
  flags.text("bundle", bundle, "directory to write config.json to").alias("b");
  std::vector<std::string> command = OCI_TRY(flags.parse(args));
  if (command.empty()) command = {"sh"};
  const std::string path = bundle + "/config.json";
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file && errno == EEXIST) return fail(path + " exists, remove it first");
  if (!file) return fail_errno(path);
  OCI_TRY_VOID(write_all(file.get(), default_spec(command).dump(2) + "\n", path));
  return 0;
}

}  // namespace runsc::oci
