#include "oci/sandbox/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace runsc::oci {
namespace {

Expected<void> make_raw(int fd) {
  termios raw{};
  if (::tcgetattr(fd, &raw) != 0) return fail_errno("cannot read the terminal's mode");
  ::cfmakeraw(&raw);
  if (::tcsetattr(fd, TCSANOW, &raw) != 0) return fail_errno("cannot set the terminal's mode");
  return {};
}

Expected<UniqueFd> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return fail("--console-socket: path is too long");
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno("socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail_errno("--console-socket " + path);
  }
  return fd;
}

// With the terminal's name as the bytes beside the descriptor, as receivers expect.
Expected<void> send_fd(int socket, int fd, std::string name) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec bytes{name.data(), name.size()};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  if (::sendmsg(socket, &message, MSG_NOSIGNAL) < 0) return fail_errno("cannot send the console");
  return {};
}

}  // namespace

Expected<RawTerminal> RawTerminal::enter(int fd) {
  termios saved{};
  if (::tcgetattr(fd, &saved) != 0) return fail_errno("cannot read the terminal's mode");
  OCI_TRY_VOID(make_raw(fd));
  return RawTerminal(fd, saved);
}

RawTerminal::~RawTerminal() {
  if (fd_ < 0) return;
  // From the background this call would stop the process: SIGTTOU is blocked by then (see launcher.cc).
  while (::tcsetattr(fd_, TCSADRAIN, &saved_) != 0 && errno == EINTR) {
  }
}

std::optional<int> find_terminal() {
  for (const int fd : {STDERR_FILENO, STDOUT_FILENO, STDIN_FILENO}) {
    if (::isatty(fd) == 1) return fd;
  }
  return std::nullopt;
}

std::optional<WindowSize> window_size(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0) return std::nullopt;
  return WindowSize{size.ws_row, size.ws_col};
}

Expected<UniqueFd> send_console(const std::string& socket_path, const std::optional<WindowSize>& size) {
  const UniqueFd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!master) return fail_errno("cannot open a pseudo-terminal");
  if (::grantpt(master.get()) != 0 || ::unlockpt(master.get()) != 0)
    return fail_errno("cannot unlock a pseudo-terminal");
  char name[64];
  if (const int error = ::ptsname_r(master.get(), name, sizeof name); error != 0) {
    return fail(with_errno("cannot name a pseudo-terminal", error));
  }
  UniqueFd terminal(::ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal) return fail_errno(name);
  OCI_TRY_VOID(make_raw(terminal.get()));
  if (size) {
    const winsize native{size->rows, size->columns, 0, 0};
    if (::ioctl(terminal.get(), TIOCSWINSZ, &native) != 0) return fail_errno("cannot set the console's size");
  }
  const UniqueFd socket = OCI_TRY(connect_to(socket_path));
  OCI_TRY_VOID(send_fd(socket.get(), master.get(), name));
  return terminal;
}

}  // namespace runsc::oci
