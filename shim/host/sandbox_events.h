// Host only. What the sandbox tells of a container's memory: its own limits are kept inside.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <string>

#include "oci/host/error.h"
#include "oci/host/unique_fd.h"
#include "shim/base/async.h"

namespace runsc::shim {

class SandboxEvents {
 public:
  // Listens to the sandbox of a created container, from when that takes the request; does not wait for it.
  // `on_oom` is called from the loop, or from catch_up(), for each process that was killed for want of
  // memory.
  static oci::Expected<std::shared_ptr<SandboxEvents>> start(asio::io_context& loop, const std::string& root,
                                                             const std::string& id,
                                                             std::function<void()> on_oom);

  SandboxEvents(asio::io_context& loop, std::string folder, std::string id, std::function<void()> on_oom);
  // Takes what has been told already, as far as a sandbox in its senses tells: before the container's end is
  // told.
  void catch_up();
  void stop();

 private:
  static Async<void> run(std::shared_ptr<SandboxEvents> self);
  // False: to be tried again.
  oci::Expected<bool> connect();
  // False: nothing more will come.
  bool take_one(bool& took);

  asio::io_context& loop_;
  const std::string folder_, id_;
  asio::posix::stream_descriptor connection_;
  bool stopped_ = false;
  std::function<void()> on_oom_;
};

}  // namespace runsc::shim
