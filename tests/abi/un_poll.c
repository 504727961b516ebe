// poll(2) and epoll(7) of AF_UNIX sockets: the masks of every state.
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "abi.h"

enum { kAll = POLLIN | POLLPRI | POLLOUT | POLLRDHUP | POLLRDNORM | POLLWRNORM | POLLRDBAND | POLLWRBAND };
enum { kIn = POLLIN | POLLRDNORM, kOut = POLLOUT | POLLWRNORM | POLLWRBAND };

static int mask(int fd) {
  struct pollfd p = {.fd = fd, .events = kAll};
  OK(poll(&p, 1, 0));
  return p.revents;
}

static int listener_at(struct sockaddr_un* a, socklen_t* size, int type) {
  int fd = OK(socket(AF_UNIX, type, 0));
  sa_family_t family = AF_UNIX;
  *size = sizeof(*a);
  OK(bind(fd, (struct sockaddr*)&family, sizeof(family)));
  OK(getsockname(fd, (struct sockaddr*)a, size));
  return fd;
}

static void connected(int type) {
  struct sockaddr_un a;
  socklen_t size;
  int fds[2];
  char c;
  // Not connected.
  int fresh = OK(socket(AF_UNIX, type, 0));
  CHECK_EQ(mask(fresh), kOut | POLLHUP);
  int listener = listener_at(&a, &size, type);
  CHECK_EQ(mask(listener), kOut | POLLHUP);
  OK(listen(listener, 4));
  CHECK_EQ(mask(listener), 0);
  OK(connect(fresh, (struct sockaddr*)&a, size));
  CHECK_EQ(mask(listener), kIn);
  CHECK_EQ(mask(fresh), kOut);
  int conn = OK(accept(listener, NULL, NULL));
  CHECK_EQ(mask(listener), 0);
  CHECK_EQ(mask(conn), kOut);
  CHECK_EQ(write(fresh, "x", 1), 1);
  CHECK_EQ(mask(conn), kIn | kOut);
  CHECK_EQ(read(conn, &c, 1), 1);
  CHECK_EQ(mask(conn), kOut);
  OK(close(fresh));
  CHECK_EQ(mask(conn), kIn | kOut | POLLRDHUP | POLLHUP);
  OK(close(conn));
  // Halves.
  OK(socketpair(AF_UNIX, type, 0, fds));
  OK(shutdown(fds[0], SHUT_WR));
  CHECK_EQ(mask(fds[0]), kOut);
  CHECK_EQ(mask(fds[1]), kIn | kOut | POLLRDHUP);
  OK(shutdown(fds[0], SHUT_RD));
  CHECK_EQ(mask(fds[0]), kIn | kOut | POLLRDHUP | POLLHUP);
  CHECK_EQ(mask(fds[1]), kIn | kOut | POLLRDHUP | POLLHUP);
  OK(close(fds[0]));
  OK(close(fds[1]));
  // A reset is an error until it is asked about.
  OK(socketpair(AF_UNIX, type, 0, fds));
  CHECK_EQ(write(fds[0], "x", 1), 1);
  OK(close(fds[1]));
  CHECK_EQ(mask(fds[0]), kIn | kOut | POLLRDHUP | POLLHUP | POLLERR);
  int error;
  socklen_t error_size = sizeof(error);
  OK(getsockopt(fds[0], SOL_SOCKET, SO_ERROR, &error, &error_size));
  CHECK_EQ(error, ECONNRESET);
  CHECK_EQ(mask(fds[0]), kIn | kOut | POLLRDHUP | POLLHUP);
  OK(close(fds[0]));
  OK(close(listener));
}

static void datagrams(void) {
  int fds[2];
  char c;
  int fresh = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
  CHECK_EQ(mask(fresh), kOut);
  OK(close(fresh));
  OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
  CHECK_EQ(mask(fds[0]), kOut);
  CHECK_EQ(write(fds[0], "x", 1), 1);
  CHECK_EQ(mask(fds[1]), kIn | kOut);
  CHECK_EQ(read(fds[1], &c, 1), 1);
  OK(shutdown(fds[1], SHUT_RD));
  CHECK_EQ(mask(fds[1]), kIn | kOut | POLLRDHUP);
  CHECK_EQ(mask(fds[0]), kOut);
  OK(shutdown(fds[1], SHUT_WR));
  CHECK_EQ(mask(fds[1]), kIn | kOut | POLLRDHUP | POLLHUP);
  OK(close(fds[1]));
  CHECK_EQ(mask(fds[0]), kOut);
  OK(close(fds[0]));
}

static void full(void) {
  int fds[2];
  static char block[4096];
  OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds));
  long sent = 0;
  for (ssize_t n; (n = write(fds[0], block, sizeof(block))) > 0;) sent += n;
  CHECK_EQ(errno, EAGAIN);
  CHECK_EQ(mask(fds[0]), 0);
  CHECK_EQ(mask(fds[1]), kIn | kOut);
  // A waiter is woken when most of it has been read, or when the reader goes.
  pid_t pid = FORK({
    struct pollfd p = {.fd = fds[0], .events = POLLOUT};
    CHECK_EQ(poll(&p, 1, -1), 1);
    CHECK_EQ(p.revents, POLLOUT);
  });
  abi_await_state(pid, 'S');
  while (sent > 0) sent -= OK(read(fds[1], block, sizeof(block)));
  WAIT_OK(pid);
  CHECK_EQ(mask(fds[0]), kOut);
  while (write(fds[0], block, sizeof(block)) > 0) continue;
  pid = FORK({
    OK(close(fds[1]));
    struct pollfd p = {.fd = fds[0], .events = POLLOUT};
    CHECK_EQ(poll(&p, 1, -1), 1);
    CHECK(p.revents & POLLHUP);
  });
  abi_await_state(pid, 'S');
  OK(close(fds[1]));
  WAIT_OK(pid);
  OK(close(fds[0]));
}

static void edges(void) {
  int fds[2], epoll = OK(epoll_create1(0));
  char c[4];
  struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET}, got;
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[1], &event));
  CHECK_EQ(epoll_wait(epoll, &got, 1, 0), 0);
  CHECK_EQ(write(fds[0], "a", 1), 1);
  CHECK_EQ(epoll_wait(epoll, &got, 1, 0), 1);
  CHECK_EQ(got.events, EPOLLIN);
  CHECK_EQ(epoll_wait(epoll, &got, 1, 0), 0);
  CHECK_EQ(write(fds[0], "b", 1), 1);
  CHECK_EQ(epoll_wait(epoll, &got, 1, 0), 1);
  CHECK_EQ(read(fds[1], c, 4), 2);
  CHECK_EQ(epoll_wait(epoll, &got, 1, 0), 0);
  pid_t pid = FORK({
    CHECK_EQ(epoll_wait(epoll, &got, 1, -1), 1);
    CHECK_EQ(got.events, EPOLLIN | EPOLLRDHUP);
  });
  abi_await_state(pid, 'S');
  OK(shutdown(fds[0], SHUT_WR));
  WAIT_OK(pid);
  OK(close(fds[0]));
  CHECK_EQ(epoll_wait(epoll, &got, 1, 0), 1);
  CHECK_EQ(got.events, EPOLLIN | EPOLLRDHUP | EPOLLHUP);
  OK(close(fds[1]));
  CHECK_EQ(epoll_wait(epoll, &got, 1, 0), 0);
}

int main(void) {
  connected(SOCK_STREAM);
  connected(SOCK_SEQPACKET);
  datagrams();
  full();
  edges();
  return 0;
}
