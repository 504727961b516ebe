#include "shim/io/logger.h"

#include <fcntl.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>

#include "shim/io/pipe.h"

namespace runsc::shim {
namespace {

constexpr std::chrono::seconds kReadyLimit{10};
constexpr std::chrono::seconds kEndLimit{10};
constexpr std::chrono::seconds kTermLimit{2};

// Waits for a byte, or the end, of a pipe.
Async<bool> wait_ready(asio::io_context& loop, oci::UniqueFd fd) {
  const auto pipe = std::make_shared<asio::posix::stream_descriptor>(loop, fd.release());
  const auto late = std::make_shared<bool>(false);
  asio::steady_timer timer(loop, kReadyLimit);
  timer.async_wait([pipe, late](const boost::system::error_code& error) {
    if (error) return;
    *late = true;
    boost::system::error_code ignored;
    pipe->close(ignored);
  });
  char byte = 0;
  boost::system::error_code error;
  co_await pipe->async_read_some(asio::buffer(&byte, 1), asio::redirect_error(asio::use_awaitable, error));
  co_return !*late;
}

struct LoggerStart {
  pid_t pid = -1;
  Logger::Pipes pipes;
  oci::UniqueFd ready;
};

oci::Expected<LoggerStart> launch(const StreamTarget& target, const std::string& name_space,
                                  const std::string& id) {
  Pipe out = OCI_TRY(make_pipe());
  Pipe err = OCI_TRY(make_pipe());
  Pipe ready = OCI_TRY(make_pipe());
  const oci::UniqueFd nowhere(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!nowhere) return oci::fail_errno("/dev/null");
  Command command;
  command.args.push_back(target.path);
  for (const auto& [name, value] : target.arguments) {
    command.args.push_back(name);
    if (!value.empty()) command.args.push_back(value);
  }
  command.stdout_fd = nowhere.get();
  command.stderr_fd = nowhere.get();
  command.more_fds = {out.read.get(), err.read.get(), ready.write.get()};
  command.environment = {"CONTAINER_ID=" + id, "CONTAINER_NAMESPACE=" + name_space};
  LoggerStart started;
  started.pid = OCI_TRY(spawn(command));
  started.pipes = {std::move(out.write), std::move(err.write)};
  started.ready = std::move(ready.read);
  return started;
}

}  // namespace

Async<oci::Expected<std::unique_ptr<Logger>>> Logger::start(asio::io_context& loop, Reaper& reaper,
                                                            StreamTarget target, std::string name_space,
                                                            std::string id) {
  oci::Expected<LoggerStart> started = launch(target, name_space, id);
  if (!started) co_return std::unexpected(started.error());
  auto logger =
      std::make_unique<Logger>(started->pid, reaper.watch_child(started->pid), std::move(started->pipes));
  const bool ready = co_await wait_ready(loop, std::move(started->ready));
  if (!ready) {
    ::kill(logger->pid_, SIGKILL);
    co_return oci::fail(target.path + ": not ready to take logs within ten seconds");
  }
  co_return logger;
}

void Logger::finish(asio::io_context& loop, std::unique_ptr<Logger> logger) {
  detach(loop, "logger", end(std::move(logger)));
}

Async<void> Logger::end(std::unique_ptr<Logger> logger) {
  logger->pipes_ = Pipes();
  const Event done = logger->watch_->done;
  bool ended = co_await done.wait_for(kEndLimit);
  if (ended) co_return;
  ::kill(logger->pid_, SIGTERM);
  ended = co_await done.wait_for(kTermLimit);
  if (!ended) ::kill(logger->pid_, SIGKILL);
}

}  // namespace runsc::shim
