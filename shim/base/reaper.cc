#include "shim/base/reaper.h"

#include <sys/wait.h>

#include <cerrno>
#include <csignal>

namespace runsc::shim {
namespace {

constexpr int kUnknownStatus = 255 << 8;  // containerd's own number for what it does not know

}  // namespace

unsigned Exit::code() const {
  if (WIFSIGNALED(wait_status)) return 128u + static_cast<unsigned>(WTERMSIG(wait_status));
  return static_cast<unsigned>(WEXITSTATUS(wait_status));
}

Reaper::Reaper(asio::io_context& loop) : loop_(loop), signals_(loop, SIGCHLD) { arm(); }

void Reaper::arm() {
  signals_.async_wait([this](const boost::system::error_code& error, int) {
    if (error) return;
    // Armed first: a signal that comes while the loop below runs brings another turn.
    arm();
    reap();
  });
}

void Reaper::reap() {
  for (;;) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid <= 0) return;
    const Exit exit{status, std::chrono::system_clock::now()};
    const auto found = watched_.find(pid);
    if (found != watched_.end()) {
      const std::shared_ptr<Watch> watch = std::move(found->second);
      watched_.erase(found);
      watch->exit = exit;
      watch->done.set();
    } else if (expectations_ > 0) {
      early_[pid] = exit;
    }
  }
}

std::shared_ptr<Reaper::Watch> Reaper::watch_child(pid_t pid) {
  // An earlier process of this number is not the one meant.
  early_.erase(pid);
  auto watch = std::make_shared<Watch>(loop_);
  watched_[pid] = watch;
  return watch;
}

std::shared_ptr<Reaper::Watch> Reaper::watch_orphan(pid_t pid) {
  const auto found = early_.find(pid);
  // Not reaped here and not there: somebody else has taken its status.
  const bool lost = found == early_.end() && ::kill(pid, 0) != 0 && errno == ESRCH;
  if (found == early_.end() && !lost) return watch_child(pid);
  auto watch = std::make_shared<Watch>(loop_);
  watch->exit = lost ? Exit{kUnknownStatus, std::chrono::system_clock::now()} : found->second;
  early_.erase(pid);
  watch->done.set();
  return watch;
}

}  // namespace runsc::shim
