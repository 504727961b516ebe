#include "oci/cmd/bundle.h"
#include "oci/cmd/command.h"
#include "oci/cmd/messages.h"
#include "oci/sandbox/removal.h"

namespace runsc::oci {
namespace {

Expected<int> start(const Options& options, const std::string& id) {
  const StateDir dir = OCI_TRY(StateDir::open(options.root, id));
  show_warnings(options, OCI_TRY(start_created(dir)));
  return 0;
}

}  // namespace

Expected<int> cmd_run(const Options& options, std::span<const std::string> args) {
  bool detach = false;
  const LaunchRequest request = OCI_TRY(read_launch_request(options, args, "run", &detach));
  if (!detach) return launch_and_wait(options, request);
  OCI_TRY_VOID(launch_created(options, request));
  Expected<int> started = start(options, request.id);
  if (started) return started;
  if (const auto gone = remove_container(options, request.id, true); !gone)
    show_warnings(options, {gone.error().text});
  return started;
}

Expected<int> cmd_create(const Options& options, std::span<const std::string> args) {
  const LaunchRequest request = OCI_TRY(read_launch_request(options, args, "create", nullptr));
  OCI_TRY_VOID(launch_created(options, request));
  return 0;
}

Expected<int> cmd_start(const Options& options, std::span<const std::string> args) {
  const std::vector<std::string> rest = OCI_TRY(FlagSet().parse(args));
  if (rest.size() != 1) return fail("usage: runsc start ID");
  return start(options, rest[0]);
}

}  // namespace runsc::oci
