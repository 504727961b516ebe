#include "oci/sandbox/stdio.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

namespace runsc::oci {

Expected<void> fill_standard_fds() {
  for (int fd = 0; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest free number is this one: those below are open.
    if (::open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) != fd) return fail_errno("/dev/null");
  }
  return {};
}

void close_all_but(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  unsigned next = STDERR_FILENO + 1;
  for (const int fd : kept) {
    if (static_cast<unsigned>(fd) > next) ::close_range(next, static_cast<unsigned>(fd) - 1, 0);
    next = std::max(next, static_cast<unsigned>(fd) + 1);
  }
  ::close_range(next, ~0U, 0);
}

Expected<UniqueFd> take_stream(int fd) {
  struct stat st {};
  if (::fstat(fd, &st) != 0) return fail_errno("stdio", kExitSandbox);
  const int status = ::fcntl(fd, F_GETFL);
  if (status < 0) return fail_errno("stdio", kExitSandbox);
  if (S_ISFIFO(st.st_mode) || ::isatty(fd) == 1) {
    const std::string self = "/proc/self/fd/" + std::to_string(fd);
    UniqueFd fresh(::open(self.c_str(), (status & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (fresh) return fresh;
  }
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!copy) return fail_errno("stdio", kExitSandbox);
  return copy;
}

}  // namespace runsc::oci
