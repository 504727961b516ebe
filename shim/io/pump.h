// Host only. Bytes from one descriptor to another.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <memory>

#include "oci/host/unique_fd.h"
#include "shim/base/async.h"

namespace runsc::shim {

// Copies until the end of the source, or until stop(). A sink that takes no more (or none at all) does not
// end it: what comes is then thrown away, so that the writer is never held up by a reader who left.
class Pump : public std::enable_shared_from_this<Pump> {
 public:
  // How the end of a source can be seen.
  enum class Source {
    pipe,      // what was written is there to be read at once
    terminal,  // the kernel passes on what was written in its own time
  };

  // Descriptors must be fit for O_NONBLOCK, which is set.
  static std::shared_ptr<Pump> start(asio::io_context& loop, oci::UniqueFd from, oci::UniqueFd to,
                                     Source source);

  Pump(asio::io_context& loop, oci::UniqueFd from, oci::UniqueFd to, Source source);

  // Returns when all that was written to the source so far is with the sink. A sink that is full for long, or
  // a writer that goes on writing, is not waited for.
  static Async<void> drain(std::shared_ptr<Pump> self);
  void stop();

 private:
  static Async<void> copy(std::shared_ptr<Pump> self);
  bool is_idle();

  asio::posix::stream_descriptor from_;
  asio::posix::stream_descriptor to_;
  Source source_;
  bool reading_ = false;  // waits for the source, with nothing in hand
  std::chrono::steady_clock::time_point last_read_;
  Event ended_;
};

}  // namespace runsc::shim
