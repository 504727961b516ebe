#include "oci/sandbox/accompany.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>
#include <optional>

#include "oci/sandbox/lifeline.h"
#include "oci/sandbox/signals.h"
#include "oci/sandbox/terminal.h"

namespace runsc::oci {

Expected<UniqueFd> take_catchable_signals() {
  const sigset_t set = catchable_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  UniqueFd signals(::signalfd(-1, &set, SFD_CLOEXEC));
  if (!signals) return fail_errno("signalfd");
  return signals;
}

Expected<int> accompany(ControlClient& client, int signals, int terminal, int lifeline) {
  for (;;) {
    std::array<pollfd, 3> waits = {pollfd{client.fd(), POLLIN, 0}, pollfd{signals, POLLIN, 0},
                                   pollfd{lifeline, POLLIN, 0}};
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return fail_errno("poll");
    if (waits[0].revents != 0) {
      const Expected<Answer> answer = client.receive();
      if (!answer) return fail("the sandbox is gone", 128 + SIGKILL);
      if (answer->ended) return *answer->ended;
    }
    if (waits[2].revents != 0) {
      if (read_lifeline(lifeline) == LifelineNews::dead) return fail("the launcher is gone", 128 + SIGKILL);
      lifeline = -1;
    }
    signalfd_siginfo info;
    if (waits[1].revents == 0 || ::read(signals, &info, sizeof info) != sizeof info) continue;
    // A write of its own to somebody who left.
    if (info.ssi_signo == SIGPIPE && info.ssi_pid == static_cast<uint32_t>(::getpid())) continue;
    if (info.ssi_signo != SIGWINCH) {
      (void)client.send_more({{"op", "signal"}, {"signal", info.ssi_signo}});
    } else if (const auto size = terminal >= 0 ? window_size(terminal) : std::nullopt) {
      (void)client.send_more({{"op", "resize"}, {"rows", size->rows}, {"columns", size->columns}});
    }
  }
}

int exit_status_of(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

void close_standard_streams(int last) {
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (int fd = STDIN_FILENO; fd <= last; ++fd) ::dup2(null.get(), fd);
}

}  // namespace runsc::oci
