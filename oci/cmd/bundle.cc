#include "oci/cmd/bundle.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "oci/cmd/messages.h"
#include "oci/host/file_io.h"
#include "oci/sandbox/container_bytes.h"
#include "oci/sandbox/host_namespaces.h"
#include "oci/sandbox/pod.h"
#include "oci/spec/parse.h"

namespace runsc::oci {
namespace {

Expected<std::string> absolute_directory(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  if (!real) return fail_errno("--bundle " + path);
  return std::string(real.get());
}

// Whether the image has anything at `destination`; no link leads out of it.
bool has_files(const std::string& root, const std::string& destination) {
  const UniqueFd top(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const long fd = ::syscall(SYS_openat2, top.get(), destination.c_str(), &how, sizeof how);
  if (fd < 0) return false;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::fdopendir(static_cast<int>(fd)), &::closedir);
  size_t entries = 0;
  while (folder && entries < 3 && ::readdir(folder.get()) != nullptr) ++entries;
  return entries > 2;
}

// A tmpfs starts empty here. That is all the same where the image has nothing, and is said where it has.
void check_copies(LaunchRequest& request) {
  const std::string& root = request.spec.root.path;
  const std::string path = root.starts_with('/') ? root : request.bundle + "/" + root;
  for (const Mount& mount : request.spec.mounts) {
    if (mount.copy_up && has_files(path, mount.destination))
      request.spec.warnings.push_back("config.json: mounts: " + mount.destination +
                                      ": tmpcopyup: what the image has there is not copied");
  }
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
  unsigned preserve = 0;
  add_preserve_flag(flags, preserve);
  if (detach != nullptr) flags.boolean("detach", *detach, "leave the container running").alias("d");
  const std::vector<std::string> rest = OCI_TRY(flags.parse(args));
  if (rest.size() != 1) return fail(std::string("usage: runsc ") + verb + " [flags] ID\n" + flags.usage());
  request.preserved = OCI_TRY(preserved_fds(preserve));
  request.id = rest[0];
  OCI_TRY_VOID(StateDir::check_id(request.id));
  request.bundle = OCI_TRY(absolute_directory(bundle));
  const std::string path = request.bundle + "/config.json";
  request.spec_text = OCI_TRY(read_file(path, kMaxSpecBytes));
  request.spec = OCI_TRY(parse_spec(request.spec_text));
  // Says here, before anything is made, what the sandbox process would refuse.
  OCI_TRY(plan_container(request.spec));
  OCI_TRY_VOID(check_namespace_paths(request.spec));
  check_copies(request);
  request.sandbox = OCI_TRY(pod_of(request.spec));
  show_warnings(options, request.spec.warnings);
  return request;
}

}  // namespace runsc::oci
