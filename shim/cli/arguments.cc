#include "shim/cli/arguments.h"

#include <vector>

#include "oci/cmd/flag_set.h"
#include "shim/runtime/bundle.h"

namespace runsc::shim {

oci::Expected<Arguments> parse_arguments(std::span<const std::string> args) {
  Arguments arguments;
  oci::FlagSet flags;
  flags.text("namespace", arguments.name_space, "containerd's namespace");
  flags.text("id", arguments.id, "the container");
  flags.text("address", arguments.address, "containerd's socket");
  flags.text("publish-binary", arguments.publish_binary,
             "unused: events go over the socket in TTRPC_ADDRESS");
  flags.text("bundle", arguments.bundle, "the container's bundle (delete)");
  flags.text("socket", arguments.socket, "where descriptor 3 listens (serving)");
  flags.boolean("debug", arguments.debug, "more in the log");
  flags.boolean("version", arguments.version, "print the version").alias("v");
  flags.boolean("info", arguments.info, "print what containerd wants to know of the runtime");
  const std::vector<std::string> rest = OCI_TRY(flags.parse(args));
  if (rest.size() > 1) return oci::fail("too many arguments");
  if (!rest.empty()) arguments.action = rest.front();
  if (arguments.version || arguments.info) return arguments;
  if (!arguments.action.empty() && arguments.action != "start" && arguments.action != "delete") {
    return oci::fail("unknown action " + arguments.action);
  }
  if (!is_valid_id(arguments.id)) return oci::fail("-id: not a name: \"" + arguments.id + "\"");
  if (!is_valid_id(arguments.name_space))
    return oci::fail("-namespace: not a name: \"" + arguments.name_space + "\"");
  return arguments;
}

}  // namespace runsc::shim
