#include "shim/host/sandbox_events.h"

#include <sys/socket.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <chrono>
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

SandboxEvents::SandboxEvents(asio::io_context& loop, std::string folder, std::string id,
                             std::function<void()> on_oom)
    : loop_(loop),
      folder_(std::move(folder)),
      id_(std::move(id)),
      connection_(loop),
      on_oom_(std::move(on_oom)) {}

oci::Expected<std::shared_ptr<SandboxEvents>> SandboxEvents::start(asio::io_context& loop,
                                                                   const std::string& root,
                                                                   const std::string& id,
                                                                   std::function<void()> on_oom) {
  std::string folder = OCI_TRY(sandbox_folder(root, id));
  auto events = std::make_shared<SandboxEvents>(loop, std::move(folder), id, std::move(on_oom));
  OCI_TRY(events->connect());
  detach(loop, "sandbox events", run(events));
  return events;
}

oci::Expected<bool> SandboxEvents::connect() {
  auto client = OCI_TRY(oci::ControlClient::try_send(folder_, {{"op", "events"}, {"container", id_}}));
  if (!client) return false;
  connection_.assign(client->release().release());
  return true;
}

void SandboxEvents::stop() {
  stopped_ = true;
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
  // More than a sandbox keeps for who does not listen; the rest waits for the loop's next turn.
  constexpr int kMost = 256;
  bool took = true;
  for (int i = 0; took && i < kMost && connection_.is_open(); ++i)
    if (!take_one(took)) return stop();
}

Async<void> SandboxEvents::run(std::shared_ptr<SandboxEvents> self) {
  constexpr auto kPause = std::chrono::milliseconds(50);
  while (!self->stopped_ && !self->connection_.is_open()) {
    co_await sleep_for(self->loop_, kPause);
    if (self->stopped_ || !self->connect()) co_return;  // its end is told in other ways
  }
  while (self->connection_.is_open()) {
    boost::system::error_code error;
    co_await self->connection_.async_wait(asio::posix::stream_descriptor::wait_read,
                                          asio::redirect_error(asio::use_awaitable, error));
    if (error) break;
    self->catch_up();
  }
}

}  // namespace runsc::shim
