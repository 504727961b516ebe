// Host only. A program that takes the output of a container: binary:// URIs, after the protocol of runc's
// shim. It finds stdout at descriptor 3, stderr at 4, and closes 5 when it is ready.
#pragma once

#include <memory>

#include "oci/host/unique_fd.h"
#include "shim/io/log_uri.h"
#include "shim/runtime/command.h"

namespace runsc::shim {

class Logger {
 public:
  // The ends that the container writes to.
  struct Pipes {
    oci::UniqueFd out;
    oci::UniqueFd err;
  };

  // Starts the program and waits until it is ready, ten seconds at most.
  static Async<oci::Expected<std::unique_ptr<Logger>>> start(asio::io_context& loop, Reaper& reaper,
                                                             StreamTarget target, std::string name_space,
                                                             std::string id);

  Pipes take_pipes() { return std::move(pipes_); }
  // To be called once all its writers are closed: it ends by itself, or is ended after some seconds.
  static void finish(asio::io_context& loop, std::unique_ptr<Logger> logger);

  Logger(pid_t pid, std::shared_ptr<Reaper::Watch> watch, Pipes pipes)
      : pid_(pid), watch_(std::move(watch)), pipes_(std::move(pipes)) {}

 private:
  static Async<void> end(std::unique_ptr<Logger> logger);

  pid_t pid_;
  std::shared_ptr<Reaper::Watch> watch_;
  Pipes pipes_;
};

}  // namespace runsc::shim
