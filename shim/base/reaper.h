// Host only. The one place that waits for processes: the shim's own children (runtime commands, loggers) and
// those that are orphaned to it (containers, exec'ed processes), for it is a child subreaper.
#pragma once

#include <sys/types.h>

#include <boost/asio/signal_set.hpp>
#include <chrono>
#include <memory>
#include <unordered_map>

#include "shim/base/async.h"

namespace runsc::shim {

struct Exit {
  int wait_status = 0;
  std::chrono::system_clock::time_point at;

  // 0..255, or 128 and the signal.
  unsigned code() const;
};

class Reaper {
 public:
  // What is known of one process: `done` is set once `exit` is.
  struct Watch {
    explicit Watch(asio::io_context& loop) : done(loop) {}
    Event done;
    Exit exit;
  };

  // While one lives, exits of processes that nobody watches yet are kept: a container may end before the
  // command that started it has told its pid.
  class Expectation {
   public:
    explicit Expectation(Reaper& reaper) : reaper_(&reaper) { ++reaper_->expectations_; }
    Expectation(const Expectation&) = delete;
    Expectation& operator=(const Expectation&) = delete;
    ~Expectation() {
      if (--reaper_->expectations_ == 0) reaper_->early_.clear();
    }

   private:
    Reaper* reaper_;
  };

  // Takes SIGCHLD from here on. Must outlive the loop's run().
  explicit Reaper(asio::io_context& loop);

  // A child that was started just now, without a turn of the loop since.
  std::shared_ptr<Watch> watch_child(pid_t pid);
  // A process that another one told of, under an Expectation that began before it could exist. One that is
  // gone without having been reaped here counts as ended with 255.
  std::shared_ptr<Watch> watch_orphan(pid_t pid);

 private:
  void arm();
  void reap();

  asio::io_context& loop_;
  asio::signal_set signals_;
  std::unordered_map<pid_t, std::shared_ptr<Watch>> watched_;
  std::unordered_map<pid_t, Exit> early_;
  unsigned expectations_ = 0;
};

}  // namespace runsc::shim
