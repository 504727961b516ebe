#include "shim/host/sandbox_events.h"

#include <sys/socket.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "oci/control/client.h"
#include "oci/host/file_io.h"

namespace runsc::shim {
namespace {

using nlohmann::json;

// Where the sandbox is that a container of a pod has joined; its own.
oci::Expected<std::string> sandbox_folder(const std::string& root, const std::string& id) {
  constexpr size_t kMost = size_t{1} << 20;
  const std::string text = OCI_TRY(oci::read_file(root + "/" + id + "/state.json", kMost));
  const json state = json::parse(text, nullptr, false);
  const std::string sandbox = state.is_object() ? state.value("sandbox", "") : "";
  if (sandbox.find('/') != std::string::npos) return oci::fail("state.json: sandbox: " + sandbox);
  return root + "/" + (sandbox.empty() ? id : sandbox);
}

}  // namespace

SandboxEvents::SandboxEvents(asio::io_context& loop, oci::UniqueFd connection, std::function<void()> on_oom)
    : connection_(loop, connection.release()), on_oom_(std::move(on_oom)) {}

oci::Expected<std::shared_ptr<SandboxEvents>> SandboxEvents::start(asio::io_context& loop,
                                                                   const std::string& root,
                                                                   const std::string& id,
                                                                   std::function<void()> on_oom) {
  const std::string folder = OCI_TRY(sandbox_folder(root, id));
  oci::ControlClient client =
      OCI_TRY(oci::ControlClient::send(folder, {{"op", "events"}, {"container", id}}));
  auto events = std::make_shared<SandboxEvents>(loop, client.release(), std::move(on_oom));
  detach(loop, "sandbox events", run(events));
  return events;
}

void SandboxEvents::stop() {
  boost::system::error_code ignored;
  if (connection_.is_open()) connection_.close(ignored);
}

bool SandboxEvents::take_one(bool& took) {
  char text[4096];
  took = false;
  const ssize_t got = ::recv(connection_.native_handle(), text, sizeof text, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (got <= 0) return false;
  took = true;
  const json message = json::parse(text, text + got, nullptr, false);
  if (message.is_object() && message.contains("oom")) on_oom_();
  return !(message.is_object() && message.contains("error"));
}

void SandboxEvents::catch_up() {
  bool took = true;
  while (took && connection_.is_open())
    if (!take_one(took)) return stop();
}

Async<void> SandboxEvents::run(std::shared_ptr<SandboxEvents> self) {
  while (self->connection_.is_open()) {
    boost::system::error_code error;
    co_await self->connection_.async_wait(asio::posix::stream_descriptor::wait_read,
                                          asio::redirect_error(asio::use_awaitable, error));
    if (error) break;
    self->catch_up();
  }
}

}  // namespace runsc::shim
