// unix(7), SOCK_SEQPACKET: connections with borders.
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "abi.h"

int main(void) {
  int fds[2];
  char buf[64];
  OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds));
  CHECK_EQ(write(fds[0], "first", 5), 5);
  CHECK_EQ(send(fds[0], "second", 6, MSG_EOR), 6);
  struct iovec iov = {buf, 3};
  struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
  CHECK_EQ(recvmsg(fds[1], &message, 0), 3);
  CHECK(message.msg_flags & MSG_TRUNC);
  CHECK_EQ(read(fds[1], buf, sizeof(buf)), 6);
  CHECK_EQ(memcmp(buf, "second", 6), 0);
  FAILS(recv(fds[1], buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
  // The address of a message counts for nothing.
  struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "/no/such"};
  CHECK_EQ(sendto(fds[0], "x", 1, 0, (struct sockaddr*)&a, sizeof(a)), 1);
  CHECK_EQ(read(fds[1], buf, sizeof(buf)), 1);
  // The end.
  CHECK_EQ(write(fds[0], "last", 4), 4);
  OK(close(fds[0]));
  CHECK_EQ(read(fds[1], buf, sizeof(buf)), 4);
  CHECK_EQ(read(fds[1], buf, sizeof(buf)), 0);
  CHECK_EQ(recv(fds[1], buf, sizeof(buf), MSG_DONTWAIT), 0);
  abi_handle(SIGPIPE, SIG_IGN, 0);
  FAILS(write(fds[1], "x", 1), EPIPE);
  struct pollfd p = {.fd = fds[1], .events = POLLIN | POLLRDHUP};
  CHECK_EQ(poll(&p, 1, 0), 1);
  CHECK_EQ(p.revents, POLLIN | POLLRDHUP | POLLHUP);
  OK(close(fds[1]));

  // Connections.
  int listener = OK(socket(AF_UNIX, SOCK_SEQPACKET, 0)), client = OK(socket(AF_UNIX, SOCK_SEQPACKET, 0));
  sa_family_t family = AF_UNIX;
  OK(bind(listener, (struct sockaddr*)&family, sizeof(family)));
  socklen_t size = sizeof(a);
  OK(getsockname(listener, (struct sockaddr*)&a, &size));
  FAILS(read(client, buf, 1), ENOTCONN);
  FAILS(write(client, buf, 1), ENOTCONN);
  OK(listen(listener, 4));
  OK(connect(client, (struct sockaddr*)&a, size));
  CHECK_EQ(write(client, "hello", 5), 5);
  int conn = OK(accept(listener, NULL, NULL));
  CHECK_EQ(read(conn, buf, sizeof(buf)), 5);
  CHECK_EQ(write(conn, "x", 1), 1);
  OK(close(client));  // with something unread
  FAILS(read(conn, buf, 1), ECONNRESET);
  CHECK_EQ(read(conn, buf, 1), 0);
  FAILS(read(listener, buf, 1), ENOTCONN);
  OK(close(conn));
  OK(close(listener));
  return 0;
}
