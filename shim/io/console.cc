#include "shim/io/console.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace runsc::shim {
namespace {

// The first descriptor of a message; the others, if any, are closed.
oci::UniqueFd take_descriptor(msghdr& message) {
  oci::UniqueFd first;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
      oci::UniqueFd owned(fd);
      if (!first) first = std::move(owned);
    }
  }
  return first;
}

}  // namespace

oci::Expected<ConsoleSocket> ConsoleSocket::listen(std::string path) {
  sockaddr_un address{};
  if (path.size() >= sizeof address.sun_path) return oci::fail("console socket: path too long: " + path);
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  oci::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return oci::fail_errno("socket");
  ::unlink(path.c_str());
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return oci::fail_errno("console socket " + path);
  }
  ConsoleSocket made(std::move(path), std::move(fd));
  if (::chmod(made.path_.c_str(), 0600) != 0 || ::listen(made.fd_.get(), 1) != 0) {
    return oci::fail_errno("console socket " + made.path_);
  }
  return made;
}

ConsoleSocket::~ConsoleSocket() {
  if (fd_) ::unlink(path_.c_str());
}

oci::Expected<oci::UniqueFd> ConsoleSocket::receive() const {
  const oci::UniqueFd peer(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!peer) return oci::fail_errno("the runtime sent no terminal: accept");
  char name[4096];
  iovec part{name, sizeof name};
  alignas(cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (::recvmsg(peer.get(), &message, MSG_CMSG_CLOEXEC) < 0) {
    return oci::fail_errno("the runtime sent no terminal: recvmsg");
  }
  oci::UniqueFd master = take_descriptor(message);
  if (!master || ::isatty(master.get()) == 0)
    return oci::fail("the runtime sent something that is no terminal");
  return master;
}

}  // namespace runsc::shim
