// Host only. Tells when the kernel kills in a container's cgroup for want of memory.
#pragma once

#include <sys/types.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>

#include "oci/host/error.h"
#include "oci/host/unique_fd.h"
#include "shim/base/async.h"

namespace runsc::shim {

class OomWatch {
 public:
  // Watches the memory cgroup that `pid` is in now. Fails when that is this process's own: the container then
  // has none to itself. `on_oom` is called from the loop, until stop().
  static oci::Expected<std::shared_ptr<OomWatch>> start(asio::io_context& loop, pid_t pid,
                                                        std::function<void()> on_oom);

  OomWatch(asio::io_context& loop, oci::UniqueFd events, std::string file, bool unified);
  void stop();

 private:
  static Async<void> run(std::shared_ptr<OomWatch> self, std::function<void()> on_oom);
  // Whether a kill is new; false at the end of the cgroup.
  bool has_new_kill();

  asio::posix::stream_descriptor events_;
  std::string file_;
  bool unified_;
  unsigned long long kills_ = 0;
};

}  // namespace runsc::shim
