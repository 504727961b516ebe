#include "oci/cmd/bundle.h"

#include <cstdlib>
#include <memory>

#include "oci/cmd/messages.h"
#include "oci/host/file_io.h"
#include "oci/sandbox/container_bytes.h"
#include "oci/sandbox/pod.h"
#include "oci/spec/parse.h"

namespace runsc::oci {
namespace {

Expected<std::string> absolute_directory(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  if (!real) return fail_errno("--bundle " + path);
  return std::string(real.get());
}

}  // namespace

Expected<LaunchRequest> read_launch_request(const Options& options, std::span<const std::string> args,
                                            const char* verb, bool* detach) {
  std::string bundle = ".";
  LaunchRequest request;
  bool no_pivot = false, no_new_keyring = false;
  FlagSet flags;
  flags.text("bundle", bundle, "directory of config.json").alias("b");
  flags.text("pid-file", request.pid_file, "file for the pid of the sandbox process");
  flags.text("console-socket", request.console_socket, "unix socket that gets the terminal");
  flags.boolean("no-pivot", no_pivot, "of no meaning here: the sandbox always has a root of its own");
  flags.boolean("no-new-keyring", no_new_keyring, "of no meaning here: containers see no keys of the host");
  if (detach != nullptr) flags.boolean("detach", *detach, "leave the container running").alias("d");
  const std::vector<std::string> rest = OCI_TRY(flags.parse(args));
  if (rest.size() != 1) return fail(std::string("usage: runsc ") + verb + " [flags] ID\n" + flags.usage());
  request.id = rest[0];
  OCI_TRY_VOID(StateDir::check_id(request.id));
  request.bundle = OCI_TRY(absolute_directory(bundle));
  const std::string path = request.bundle + "/config.json";
  request.spec_text = OCI_TRY(read_file(path, kMaxSpecBytes));
  request.spec = OCI_TRY(parse_spec(request.spec_text));
  // Says here, before anything is made, what the sandbox process would refuse.
  OCI_TRY(plan_container(request.spec));
  request.sandbox = OCI_TRY(pod_of(request.spec));
  show_warnings(options, request.spec.warnings);
  return request;
}

}  // namespace runsc::oci
