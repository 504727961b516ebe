#include "shim/host/oom.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>

#include "oci/host/file_io.h"
#include "shim/host/cgroup.h"

namespace runsc::shim {
namespace {

constexpr size_t kMaxFile = 65536;

// The number behind "oom_kill " in memory.events or memory.oom_control.
std::optional<unsigned long long> read_kills(const std::string& file) {
  const oci::Expected<std::string> text = oci::read_file(file, kMaxFile);
  if (!text) return std::nullopt;
  constexpr std::string_view kKey = "oom_kill ";
  const size_t at = text->starts_with(kKey) ? 0 : text->find("\noom_kill ");
  if (at == std::string::npos) return 0;
  return std::strtoull(text->c_str() + at + kKey.size() + (at == 0 ? 0 : 1), nullptr, 10);
}

// cgroup v1, Documentation/admin-guide/cgroup-v1/memory.rst, "OOM Control".
oci::Expected<oci::UniqueFd> watch_v1(const std::string& folder) {
  oci::UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return oci::fail_errno("eventfd");
  const std::string file = folder + "/memory.oom_control";
  const oci::UniqueFd control(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!control) return oci::fail_errno(file);
  OCI_TRY_VOID(oci::write_file(folder + "/cgroup.event_control",
                               std::to_string(event.get()) + " " + std::to_string(control.get())));
  return event;
}

oci::Expected<oci::UniqueFd> watch_v2(const std::string& folder) {
  oci::UniqueFd event(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!event) return oci::fail_errno("inotify");
  const std::string file = folder + "/memory.events";
  if (::inotify_add_watch(event.get(), file.c_str(), IN_MODIFY | IN_DELETE_SELF) < 0)
    return oci::fail_errno(file);
  return event;
}

}  // namespace

OomWatch::OomWatch(asio::io_context& loop, oci::UniqueFd events, std::string file, bool unified)
    : events_(loop, events.release()), file_(std::move(file)), unified_(unified) {
  kills_ = read_kills(file_).value_or(0);
}

oci::Expected<std::shared_ptr<OomWatch>> OomWatch::start(asio::io_context& loop, pid_t pid,
                                                         std::function<void()> on_oom) {
  const bool unified = is_cgroup2_host();
  const std::string controller = unified ? "" : "memory";
  const std::string folder = OCI_TRY(cgroup_folder(pid, controller));
  if (folder == OCI_TRY(cgroup_folder(::getpid(), controller))) {
    return oci::fail("the container has no memory cgroup of its own");
  }
  oci::UniqueFd events = OCI_TRY(unified ? watch_v2(folder) : watch_v1(folder));
  const std::string file = folder + (unified ? "/memory.events" : "/memory.oom_control");
  auto watch = std::make_shared<OomWatch>(loop, std::move(events), file, unified);
  detach(loop, "memory events", run(watch, std::move(on_oom)));
  return watch;
}

void OomWatch::stop() {
  boost::system::error_code ignored;
  if (events_.is_open()) events_.close(ignored);
}

bool OomWatch::has_new_kill() {
  const std::optional<unsigned long long> kills = read_kills(file_);
  if (!kills) {
    stop();
    return false;
  }
  // The event of version 1 is the news itself: it comes before the kill is counted.
  const bool news = !unified_ || *kills > kills_;
  kills_ = *kills;
  return news;
}

Async<void> OomWatch::run(std::shared_ptr<OomWatch> self, std::function<void()> on_oom) {
  std::array<char, 4096> chunk;
  while (self->events_.is_open()) {
    boost::system::error_code error;
    co_await self->events_.async_read_some(asio::buffer(chunk),
                                           asio::redirect_error(asio::use_awaitable, error));
    if (error) break;
    if (self->has_new_kill()) on_oom();
  }
}

}  // namespace runsc::shim
