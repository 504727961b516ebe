#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "oci/host/file_io.h"
#include "shim/base/log.h"
#include "shim/base/reaper.h"
#include "shim/cli/commands.h"
#include "shim/host/cgroup.h"
#include "shim/runtime/options.h"
#include "shim/task/task_service.h"
#include "shim/ttrpc/publisher.h"
#include "shim/ttrpc/server.h"

namespace runsc::shim {
namespace {

constexpr std::chrono::seconds kFlushLimit{5};
constexpr const char* kEventsVariable = "TTRPC_ADDRESS";

// What is set for the shim itself, not for a container; mistakes are for Create to report.
void apply_own_options(const Arguments& arguments) {
  const oci::Expected<std::string> bytes = read_stdin();
  wire::Any any;
  if (!bytes || !any.ParseFromString(*bytes)) return log_warning("options on stdin: malformed");
  const oci::Expected<RuntimeOptions> options =
      read_options(any, read_annotations(".").value_or(Annotations()));
  if (!options) return log_warning("{}", options.error().text);
  oci::Expected<void> done;
  if (!options->log_level.empty() && !arguments.debug) done = set_log_level(options->log_level);
  if (!done) log_warning("{}", done.error().text);
  if (std::string path = options->log_path; !path.empty()) {
    for (size_t at = path.find("%ID%"); at != std::string::npos; at = path.find("%ID%")) {
      path.replace(at, 4, arguments.id);
    }
    std::error_code ignored;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
    if (done = open_log_file(path); !done) log_warning("{}", done.error().text);
  }
  if (options->shim_cgroup.empty()) return;
  if (done = join_cgroup(options->shim_cgroup); !done) log_warning("{}", done.error().text);
}

oci::Expected<void> become_shim() {
  // Containers are orphaned to this process, which tells how they ended.
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return oci::fail_errno("PR_SET_CHILD_SUBREAPER");
  // A shim lives as long as its containers: Shutdown ends it.
  for (const int signal : {SIGPIPE, SIGHUP, SIGINT, SIGTERM}) ::signal(signal, SIG_IGN);
  for (const int fd : {kListenerFd, kReadyFd}) {
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return oci::fail_errno("descriptor " + std::to_string(fd));
  }
  return {};
}

Async<void> shut_down(const Event& requested, std::string socket, Server& server, Publisher& publisher,
                      asio::io_context& loop) {
  co_await requested.wait();
  ::unlink(socket.c_str());
  co_await server.stop();
  co_await publisher.flush(kFlushLimit);
  loop.stop();
}

}  // namespace

oci::Expected<void> serve_tasks(const Arguments& arguments) {
  OCI_TRY_VOID(become_shim());
  open_log("log", arguments.debug);
  apply_own_options(arguments);
  // The bundle goes before the shim does, in a pod.
  if (::chdir("/") != 0) return oci::fail_errno("/");
  const char* events = ::getenv(kEventsVariable);

  asio::io_context loop(1);
  Reaper reaper(loop);
  Publisher publisher(loop, events == nullptr ? "" : events, arguments.name_space);
  TaskService service(loop, reaper, publisher, {arguments.name_space, arguments.socket + "."});
  Server server(loop, oci::UniqueFd(kListenerFd),
                [&service](::ttrpc::Request request) { return service.call(std::move(request)); });
  publisher.start();
  server.start();
  detach(loop, "shutdown",
         shut_down(service.shutdown_requested(), arguments.socket, server, publisher, loop));
  OCI_TRY_VOID(oci::write_all(kReadyFd, "ready", "ready"));
  ::close(kReadyFd);
  log_info("shim of {} serves {}", arguments.id, arguments.socket);
  while (!loop.stopped()) {
    try {
      loop.run();
    } catch (const std::exception& error) {
      log_error("{}", error.what());
    }
  }
  // Nothing here needs an orderly end.
  ::_exit(0);
}

}  // namespace runsc::shim
