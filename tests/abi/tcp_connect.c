// tcp(7): connect(2), accept(2), names, and what goes wrong with them.
#include "tcp.h"

static void names(int family) {
  int server = listener(family, 5);
  FAILS(getpeername(server, &(struct sockaddr){0}, &(socklen_t){0}), ENOTCONN);
  int fd = tcp_socket(family);
  struct Address a = loopback(family, port_of(server)), got;
  got.size = sizeof(got.v6);
  FAILS(getpeername(fd, &got.any, &got.size), ENOTCONN);
  CHECK_EQ(port_of(fd), 0);
  OK(connect(fd, &a.any, a.size));
  got.size = sizeof(got.v6);
  OK(getpeername(fd, &got.any, &got.size));
  CHECK_EQ(got.size, a.size);
  CHECK_EQ(memcmp(&got.any, &a.any, a.size), 0);
  CHECK(port_of(fd) != 0);
  struct Address from;
  from.size = sizeof(from.v6);
  int peer = OK(accept4(server, &from.any, &from.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  CHECK_EQ(from.size, a.size);
  CHECK_EQ(ntohs(family == AF_INET ? from.v4.sin_port : from.v6.sin6_port), port_of(fd));
  CHECK_EQ(port_of(peer), port_of(server));
  CHECK_EQ(fcntl(peer, F_GETFL), O_RDWR | O_NONBLOCK);
  CHECK_EQ(fcntl(peer, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(int_option(peer, SOL_SOCKET, SO_ACCEPTCONN), 0);
  CHECK_EQ(int_option(server, SOL_SOCKET, SO_ACCEPTCONN), 1);
  CHECK_EQ(int_option(peer, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
  CHECK_EQ(int_option(peer, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
  FAILS(connect(fd, &a.any, a.size), EISCONN);
  FAILS(connect(server, &a.any, a.size), EISCONN);
  FAILS(listen(fd, 1), EINVAL);
  FAILS(bind(fd, &a.any, a.size), EINVAL);
  FAILS(accept(fd, NULL, NULL), EINVAL);
  FAILS(recv(server, &got, 1, 0), ENOTCONN);
  FAILS(send(server, "x", 1, MSG_NOSIGNAL), EPIPE);
  OK(close(fd));
  OK(close(peer));
  OK(close(server));
}

static void refused(int family) {
  int server = listener(family, 1);
  struct Address a = loopback(family, port_of(server));
  OK(close(server));
  int fd = tcp_socket(family);
  FAILS(connect(fd, &a.any, a.size), ECONNREFUSED);
  CHECK_EQ(int_option(fd, SOL_SOCKET, SO_ERROR), 0);
  // The socket may be tried again.
  server = tcp_socket(family);
  OK(set_int(server, SOL_SOCKET, SO_REUSEADDR, 1));
  OK(bind(server, &a.any, a.size));
  OK(listen(server, 1));
  OK(connect(fd, &a.any, a.size));
  OK(close(fd));
  OK(close(server));
  fd = OK(socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0));
  errno = 0;
  int n = connect(fd, &a.any, a.size);
  CHECK(n == -1 && (errno == EINPROGRESS || errno == ECONNREFUSED));
  if (errno == EINPROGRESS) {
    await(fd, POLLOUT);
    CHECK_EQ(poll_now(fd, POLLIN | POLLOUT | POLLRDHUP, 0), POLLIN | POLLOUT | POLLRDHUP | POLLERR | POLLHUP);
    CHECK_EQ(int_option(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
    CHECK_EQ(int_option(fd, SOL_SOCKET, SO_ERROR), 0);
  }
  OK(close(fd));
}

static void without_waiting(int family) {
  int server = listener(family, 5);
  struct Address a = loopback(family, port_of(server));
  FAILS(accept4(server, NULL, NULL, 0x1), EINVAL);
  OK(fcntl(server, F_SETFL, O_NONBLOCK));
  FAILS(accept(server, NULL, NULL), EAGAIN);
  int fd = OK(socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0));
  errno = 0;
  int n = connect(fd, &a.any, a.size);
  CHECK(n == 0 || errno == EINPROGRESS);
  await(fd, POLLOUT);
  CHECK_EQ(int_option(fd, SOL_SOCKET, SO_ERROR), 0);
  if (n == -1) OK(connect(fd, &a.any, a.size));  // the first call after it is done
  FAILS(connect(fd, &a.any, a.size), EISCONN);
  await(server, POLLIN);
  int peer = OK(accept(server, NULL, NULL));
  CHECK_EQ(fcntl(peer, F_GETFL), O_RDWR);  // not inherited
  OK(close(peer));
  OK(close(fd));
  OK(close(server));
}

static void apart_again(int family) {
  int fds[2];
  tcp_pair(family, fds);
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  OK(connect(fds[0], &none, sizeof(none)));
  FAILS(getpeername(fds[0], &none, &(socklen_t){sizeof(none)}), ENOTCONN);
  char c;
  await(fds[1], POLLIN);
  FAILS(recv(fds[1], &c, 1, 0), ECONNRESET);
  int server = listener(family, 1);
  struct Address a = loopback(family, port_of(server));
  OK(connect(fds[0], &a.any, a.size));
  send_all(fds[0], "again");
  int peer = OK(accept(server, NULL, NULL));
  expect(peer, "again");
  OK(close(peer));
  OK(close(server));
  close_pair(fds);
}

static void mistakes(int family) {
  int fd = tcp_socket(family);
  struct Address a = loopback(family, 1);
  FAILS(connect(fd, &a.any, 1), EINVAL);
  FAILS(connect(fd, &a.any, 8), EINVAL);
  struct Address other = loopback(family, 1);
  other.any.sa_family = AF_UNIX;
  FAILS(connect(fd, &other.any, other.size), EAFNOSUPPORT);
  FAILS(accept(fd, NULL, NULL), EINVAL);
  char c;
  FAILS(recv(fd, &c, 1, 0), ENOTCONN);
  FAILS(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
  FAILS(shutdown(fd, SHUT_RDWR), ENOTCONN);
  FAILS(shutdown(fd, 7), EINVAL);
  OK(close(fd));
  FAILS(socket(family, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
  OK(close(OK(socket(family, SOCK_STREAM, IPPROTO_TCP))));
  FAILS(socketpair(family, SOCK_STREAM, 0, (int[2]){0, 0}), EOPNOTSUPP);
}

static void itself(int family) {
  // A socket that connects to its own name: both open at once.
  int fd = tcp_socket(family);
  struct Address a = loopback(family, 0);
  OK(bind(fd, &a.any, a.size));
  a = loopback(family, port_of(fd));
  OK(connect(fd, &a.any, a.size));
  send_all(fd, "me");
  expect(fd, "me");
  OK(close(fd));
}

int main(void) {
  EACH_FAMILY(family) {
    names((int)family);
    refused((int)family);
    without_waiting((int)family);
    apart_again((int)family);
    mistakes((int)family);
    itself((int)family);
  }
  // Any address is this machine.
  int server = listener(AF_INET, 1), fd = tcp_socket(AF_INET);
  struct Address a = loopback(AF_INET, port_of(server));
  a.v4.sin_addr.s_addr = 0;
  OK(connect(fd, &a.any, a.size));
  a.v4.sin_addr.s_addr = htonl(0xe0000001);
  OK(close(fd));
  fd = tcp_socket(AF_INET);
  FAILS(connect(fd, &a.any, a.size), ENETUNREACH);
  OK(close(fd));
  OK(close(server));
  return 0;
}
