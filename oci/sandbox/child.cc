#include "oci/sandbox/child.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace runsc::oci {

Expected<void> Child::wait() {
  std::array<pollfd, 2> waits = {pollfd{signals_, POLLIN, 0},
                                 pollfd{report_closed_ ? -1 : report_, POLLIN, 0}};
  if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return fail_errno("poll");
  if (waits[1].revents != 0) read_more();
  if (waits[0].revents != 0) take_signal();
  return {};
}

void Child::kill() {
  if (reaped_) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, &child_status_, 0);
  reaped_ = true;
}

Expected<int> Child::exit_status() const {
  if (outcome_.error) return std::unexpected(*outcome_.error);
  if (outcome_.wait_status && WIFSIGNALED(*outcome_.wait_status))
    return 128 + WTERMSIG(*outcome_.wait_status);
  if (outcome_.wait_status) return WEXITSTATUS(*outcome_.wait_status);
  if (WIFSIGNALED(child_status_)) {
    const int signo = WTERMSIG(child_status_);
    const char* name = ::sigdescr_np(signo);
    std::string text = "the sandbox was killed by signal " + std::to_string(signo);
    if (name != nullptr) text.append(" (").append(name).append(")");
    return fail(text, signo == SIGKILL ? 128 + SIGKILL : kExitSandbox);
  }
  return fail("the sandbox ended without a word, status " + std::to_string(WEXITSTATUS(child_status_)),
              kExitSandbox);
}

void Child::read_more() {
  char chunk[4096];
  const ssize_t got = ::read(report_, chunk, sizeof chunk);
  if (got < 0 && errno == EINTR) return;
  if (got <= 0) {
    report_closed_ = true;
    return;
  }
  // Messages are few and short; a jailed writer that sends more is not listened to.
  constexpr size_t kLongest = 65536;
  if (lines_.size() < kLongest) lines_.append(chunk, static_cast<size_t>(got));
  read_report(lines_, outcome_);
}

void Child::take_signal() {
  signalfd_siginfo info;
  if (::read(signals_, &info, sizeof info) != sizeof info) return;
  if (info.ssi_signo != SIGCHLD) {
    if (!reaped_) ::kill(pid_, static_cast<int>(info.ssi_signo));
  } else if (!reaped_ && ::waitpid(pid_, &child_status_, WNOHANG) == pid_) {
    reaped_ = true;
  }
}

}  // namespace runsc::oci
