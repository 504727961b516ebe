#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>

#include "oci/host/file_io.h"
#include "shim/base/log.h"
#include "shim/base/wire_time.h"
#include "shim/cli/address.h"
#include "shim/cli/commands.h"
#include "shim/host/mounts.h"
#include "shim/runtime/runtime.h"
#include "task.pb.h"
#include "types.pb.h"

namespace runsc::shim {
namespace {

uint32_t read_init_pid(const std::string& bundle) {
  const oci::Expected<std::string> text = oci::read_file(bundle + "/init.pid", 64);
  return text ? static_cast<uint32_t>(std::strtoul(text->c_str(), nullptr, 10)) : 0;
}

// A shim that was killed leaves its socket; one that serves others of the pod keeps it.
void remove_socket(const Arguments& arguments, const std::string& bundle) {
  const oci::Expected<Annotations> annotations = read_annotations(bundle);
  if (!annotations) return;
  const std::string path =
      socket_path(arguments.address, arguments.name_space, group_of(*annotations, arguments.id));
  remove_unserved(path);
}

Async<void> remove(Runtime& runtime, std::string id, asio::io_context& loop) {
  const Result<void> removed = co_await runtime.remove(std::move(id), true);
  if (!removed) log_error("{}", removed.error().message);
  loop.stop();
}

}  // namespace

oci::Expected<void> delete_container(const Arguments& arguments) {
  log_to_stderr(arguments.debug);
  std::string bundle = arguments.bundle;
  if (bundle.empty()) {
    char folder[4096];
    if (::getcwd(folder, sizeof folder) == nullptr) return oci::fail_errno("getcwd");
    bundle = folder;
  }
  oci::Expected<RuntimeOptions> options = load_options(bundle);
  if (options) {
    asio::io_context loop(1);
    Reaper reaper(loop);
    Runtime runtime(reaper, std::move(*options), bundle);
    detach(loop, "delete", remove(runtime, arguments.id, loop));
    loop.run();
  } else {
    // Create never came so far as to write them, so there is no container either.
    log_debug("{}", options.error().text);
  }
  unmount_all(bundle + "/rootfs");
  remove_socket(arguments, bundle);
  ::containerd::task::v2::DeleteResponse response;
  response.set_pid(read_init_pid(bundle));
  response.set_exit_status(128 + SIGKILL);
  *response.mutable_exited_at() = to_wire(std::chrono::system_clock::now());
  return oci::write_all(STDOUT_FILENO, response.SerializeAsString(), "stdout");
}

}  // namespace runsc::shim
