// unix(7), SOCK_DGRAM: borders, addresses, peers, full queues.
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "abi.h"

static socklen_t name(struct sockaddr_un* a, const char* tail) {
  memset(a, 0, sizeof(*a));
  a->sun_family = AF_UNIX;
  snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "abi-%d-%s", (int)getppid(), tail);
  return offsetof(struct sockaddr_un, sun_path) + 1 + strlen(a->sun_path + 1);
}

static int bound(const char* tail) {
  struct sockaddr_un a;
  socklen_t size = name(&a, tail);
  int fd = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
  OK(bind(fd, (struct sockaddr*)&a, size));
  return fd;
}

static void link_to(int fd, const char* tail) {
  struct sockaddr_un a;
  socklen_t size = name(&a, tail);
  OK(connect(fd, (struct sockaddr*)&a, size));
}

static void borders(void) {
  int fds[2], n;
  char buf[64];
  OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
  CHECK_EQ(write(fds[0], "first", 5), 5);
  CHECK_EQ(send(fds[0], "", 0, 0), 0);
  CHECK_EQ(send(fds[0], "third", 5, 0), 5);
  OK(ioctl(fds[1], FIONREAD, &n));
  CHECK_EQ(n, 5);
  CHECK_EQ(recv(fds[1], buf, 3, MSG_PEEK), 3);
  CHECK_EQ(recv(fds[1], buf, 3, MSG_PEEK | MSG_TRUNC), 5);
  // What does not fit is lost.
  struct iovec iov = {buf, 3};
  struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
  CHECK_EQ(recvmsg(fds[1], &message, 0), 3);
  CHECK_EQ(message.msg_flags, MSG_TRUNC);
  CHECK_EQ(recv(fds[1], buf, sizeof(buf), 0), 0);
  CHECK_EQ(recv(fds[1], buf, sizeof(buf), MSG_TRUNC), 5);
  FAILS(recv(fds[1], buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
  // read(2) of nothing takes nothing.
  CHECK_EQ(send(fds[0], "x", 1, 0), 1);
  CHECK_EQ(read(fds[1], buf, 0), 0);
  CHECK_EQ(recv(fds[1], buf, 0, 0), 0);
  FAILS(recv(fds[1], buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
  // A datagram is whole or not at all.
  static char big[300000];
  FAILS(send(fds[0], big, sizeof(big), 0), EMSGSIZE);
  CHECK_EQ(send(fds[0], big, 100000, 0), 100000);
  CHECK_EQ(recv(fds[1], big, sizeof(big), 0), 100000);
  FAILS(send(fds[0], (char*)8, 10, 0), EFAULT);
  FAILS(listen(fds[0], 1), EOPNOTSUPP);
  FAILS(accept(fds[0], NULL, NULL), EOPNOTSUPP);
  OK(close(fds[1]));
  FAILS(send(fds[0], "x", 1, 0), ECONNREFUSED);
  FAILS(send(fds[0], "x", 1, 0), ENOTCONN);
  OK(close(fds[0]));
}

static void addresses(void) {
  struct sockaddr_un a, from;
  char buf[16];
  int server = bound("server"), client = bound("client"), nameless = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
  socklen_t size = name(&a, "server"), from_size = sizeof(from);
  CHECK_EQ(sendto(client, "q", 1, 0, (struct sockaddr*)&a, size), 1);
  CHECK_EQ(recvfrom(server, buf, sizeof(buf), 0, (struct sockaddr*)&from, &from_size), 1);
  CHECK_EQ(sendto(server, "re", 2, 0, (struct sockaddr*)&from, from_size), 2);
  CHECK_EQ(recv(client, buf, sizeof(buf), 0), 2);
  // Who has no name cannot be answered.
  CHECK_EQ(sendto(nameless, "q", 1, 0, (struct sockaddr*)&a, size), 1);
  from_size = sizeof(from);
  CHECK_EQ(recvfrom(server, buf, sizeof(buf), 0, (struct sockaddr*)&from, &from_size), 1);
  CHECK_EQ(from_size, 0);
  FAILS(send(nameless, "q", 1, 0), ENOTCONN);
  size = name(&a, "nobody");
  FAILS(sendto(nameless, "q", 1, 0, (struct sockaddr*)&a, size), ECONNREFUSED);
  a.sun_family = AF_INET;
  FAILS(sendto(nameless, "q", 1, 0, (struct sockaddr*)&a, size), EINVAL);
  FAILS(sendto(nameless, "q", 1, 0, (struct sockaddr*)&a, 200), EINVAL);
  // A connected receiver takes from its peer only.
  link_to(server, "client");
  size = name(&a, "server");
  FAILS(sendto(nameless, "q", 1, 0, (struct sockaddr*)&a, size), EPERM);
  FAILS(connect(nameless, (struct sockaddr*)&a, size), EPERM);
  CHECK_EQ(sendto(client, "q", 1, 0, (struct sockaddr*)&a, size), 1);
  CHECK_EQ(send(server, "to client", 9, 0), 9);
  CHECK_EQ(recv(client, buf, sizeof(buf), 0), 9);
  CHECK_EQ(recv(server, buf, sizeof(buf), 0), 1);
  // An address goes before the peer.
  size = name(&a, "client");
  CHECK_EQ(sendto(server, "x", 1, 0, (struct sockaddr*)&a, size), 1);
  // Dissolved.
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  OK(connect(server, &none, sizeof(none)));
  FAILS(send(server, "x", 1, 0), ENOTCONN);
  size = name(&a, "server");
  CHECK_EQ(sendto(nameless, "q", 1, 0, (struct sockaddr*)&a, size), 1);
  // To oneself.
  CHECK_EQ(sendto(server, "me", 2, 0, (struct sockaddr*)&a, size), 2);
  CHECK_EQ(recv(server, buf, sizeof(buf), 0), 1);
  CHECK_EQ(recv(server, buf, sizeof(buf), 0), 2);
  // The peer goes away.
  link_to(client, "server");
  OK(close(server));
  FAILS(send(client, "x", 1, 0), ECONNREFUSED);
  FAILS(send(client, "x", 1, 0), ENOTCONN);
  // Another with its name is not the same.
  server = bound("server");
  FAILS(send(client, "x", 1, 0), ENOTCONN);
  OK(close(server));
  OK(close(client));
  OK(close(nameless));
}

// What a peer sent before it turned to somebody else is lost, and it is told.
static void turned_away(void) {
  char buf[16];
  int one = bound("one"), two = bound("two"), three = bound("three");
  link_to(one, "two");
  link_to(two, "one");
  CHECK_EQ(send(two, "lost", 4, 0), 4);
  link_to(one, "three");
  FAILS(recv(one, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
  int error;
  socklen_t size = sizeof(error);
  OK(getsockopt(two, SOL_SOCKET, SO_ERROR, &error, &size));
  CHECK_EQ(error, ECONNRESET);
  OK(getsockopt(two, SOL_SOCKET, SO_ERROR, &error, &size));
  CHECK_EQ(error, 0);
  FAILS(send(two, "x", 1, 0), EPERM);
  OK(close(one));
  OK(close(two));
  OK(close(three));
}

static void full(void) {
  char buf[16];
  int server = bound("full"), client = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
  link_to(client, "full");
  struct pollfd poll_fd = {.fd = client, .events = POLLOUT};
  CHECK_EQ(poll(&poll_fd, 1, 0), 1);
  int sent = 0;
  while (send(client, "x", 1, MSG_DONTWAIT) == 1) sent++;
  CHECK_EQ(errno, EAGAIN);
  CHECK(sent > 1);
  CHECK_EQ(poll(&poll_fd, 1, 0), 0);
  // Somebody else meets the same queue.
  struct sockaddr_un a;
  socklen_t size = name(&a, "full");
  int other = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
  FAILS(sendto(other, "y", 1, MSG_DONTWAIT, (struct sockaddr*)&a, size), EAGAIN);
  pid_t pid = FORK(CHECK_EQ(sendto(other, "y", 1, 0, (struct sockaddr*)&a, size), 1));
  abi_await_state(pid, 'S');
  pid_t poller = FORK(CHECK_EQ(poll(&poll_fd, 1, -1), 1); CHECK_EQ(poll_fd.revents, POLLOUT));
  abi_await_state(poller, 'S');
  for (int i = 0; i < sent; i++) {
    CHECK_EQ(recv(server, buf, sizeof(buf), 0), 1);
    CHECK_EQ(buf[0], 'x');
  }
  WAIT_OK(poller);
  CHECK_EQ(recv(server, buf, sizeof(buf), 0), 1);
  CHECK_EQ(buf[0], 'y');
  WAIT_OK(pid);
  // A sender that waits hears of the end.
  while (send(client, "x", 1, MSG_DONTWAIT) == 1) continue;
  pid = FORK({
    OK(close(server));
    FAILS(send(client, "x", 1, 0), ECONNREFUSED);
  });
  abi_await_state(pid, 'S');
  OK(close(server));
  WAIT_OK(pid);
}

int main(void) {
  borders();
  addresses();
  turned_away();
  full();
  return 0;
}
