// Sockets in flight: in each other, in listeners, deep in one another; those that nobody can reach are
// closed.
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "abi.h"

static void send_fds(int to, const int* fds, int count) {
  char c[CMSG_SPACE(4 * sizeof(int))] = {0};
  struct iovec iov = {"x", 1};
  struct msghdr m = {
      .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
  struct cmsghdr* h = CMSG_FIRSTHDR(&m);
  h->cmsg_level = SOL_SOCKET;
  h->cmsg_type = SCM_RIGHTS;
  h->cmsg_len = CMSG_LEN(count * sizeof(int));
  memcpy(CMSG_DATA(h), fds, count * sizeof(int));
  CHECK_EQ(sendmsg(to, &m, 0), 1);
}

static int receive_fd(int from) {
  char c[CMSG_SPACE(sizeof(int))] = {0}, byte;
  struct iovec iov = {&byte, 1};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c)};
  CHECK_EQ(recvmsg(from, &m, 0), 1);
  struct cmsghdr* h = CMSG_FIRSTHDR(&m);
  CHECK(h != NULL && h->cmsg_type == SCM_RIGHTS);
  int fd;
  memcpy(&fd, CMSG_DATA(h), sizeof(fd));
  return fd;
}

// A pipe whose write end is in `p[1]`: it ends when that has been closed everywhere.
static void await_end(int read_end) {
  char c;
  CHECK_EQ(read(read_end, &c, 1), 0);
  OK(close(read_end));
}

// The last sockets of a process that close let the collector run.
static void another_close(void) { OK(close(OK(socket(AF_UNIX, SOCK_DGRAM, 0)))); }

static void in_itself(void) {
  int fds[2], p[2];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  OK(pipe(p));
  int cargo[2] = {fds[1], p[1]};
  send_fds(fds[0], cargo, 2);  // the end that would receive itself
  OK(close(p[1]));
  OK(close(fds[1]));
  OK(close(fds[0]));
  another_close();
  await_end(p[0]);
}

static void in_each_other(void) {
  int a[2], b[2], p[2];
  OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, a));
  OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, b));
  OK(pipe(p));
  int first[2] = {b[1], p[1]};
  send_fds(a[0], first, 2);
  send_fds(b[0], &a[1], 1);
  for (int i = 0; i < 2; i++) {
    OK(close(a[i]));
    OK(close(b[i]));
  }
  OK(close(p[1]));
  another_close();
  await_end(p[0]);
}

// What can still be received stays, although it is part of a circle.
static void reachable(void) {
  int a[2], b[2], p[2];
  char c;
  OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, a));
  OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, b));
  OK(pipe(p));
  send_fds(a[0], &b[1], 1);
  send_fds(b[0], &a[1], 1);
  send_fds(b[0], &p[1], 1);
  OK(close(p[1]));
  OK(close(b[1]));
  OK(close(b[0]));
  another_close();
  int got = receive_fd(a[1]);  // b[1], with its queue
  int again = receive_fd(got), w = receive_fd(got);
  CHECK_EQ(write(w, "k", 1), 1);
  CHECK_EQ(read(p[0], &c, 1), 1);
  OK(close(w));
  OK(close(got));
  OK(close(again));
  OK(close(a[0]));
  OK(close(a[1]));
  await_end(p[0]);
}

// A connection that was never accepted, in a listener that is in flight in that connection.
static void in_a_listener(void) {
  int p[2], listener = OK(socket(AF_UNIX, SOCK_STREAM, 0)), client = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  socklen_t size = sizeof(a);
  sa_family_t family = AF_UNIX;
  OK(bind(listener, (struct sockaddr*)&family, sizeof(family)));
  OK(getsockname(listener, (struct sockaddr*)&a, &size));
  OK(listen(listener, 4));
  OK(connect(client, (struct sockaddr*)&a, size));
  OK(pipe(p));
  int cargo[2] = {listener, p[1]};
  send_fds(client, cargo, 2);
  OK(close(p[1]));
  OK(close(listener));
  OK(close(client));
  another_close();
  await_end(p[0]);
}

// Each in the queue of the next: closing the last closes all.
static void in_a_row(void) {
  enum { kLong = 400 };
  int p[2], last[2], next[2];
  OK(pipe(p));
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, last));
  send_fds(last[0], &p[1], 1);
  OK(close(p[1]));
  for (int i = 0; i < kLong; i++) {
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, next));
    send_fds(next[0], last, 2);
    OK(close(last[0]));
    OK(close(last[1]));
    memcpy(last, next, sizeof(last));
  }
  OK(close(last[0]));
  OK(close(last[1]));
  await_end(p[0]);
}

// A file in flight is open: closing the descriptor does not end it.
static void still_open(void) {
  int fds[2], inner[2];
  char c;
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, inner));
  send_fds(fds[0], &inner[1], 1);
  OK(close(inner[1]));
  CHECK_EQ(write(inner[0], "v", 1), 1);
  struct pollfd poll_fd = {.fd = inner[0], .events = POLLIN};
  CHECK_EQ(poll(&poll_fd, 1, 0), 0);
  int got = receive_fd(fds[1]);
  CHECK_EQ(read(got, &c, 1), 1);
  send_fds(fds[0], &got, 1);
  OK(close(got));
  OK(close(fds[1]));  // with the message in its queue
  CHECK_EQ(poll(&poll_fd, 1, -1), 1);
  CHECK_EQ(poll_fd.revents, POLLIN | POLLHUP);
  CHECK_EQ(read(inner[0], &c, 1), 0);
  OK(close(inner[0]));
  OK(close(fds[0]));
  // An epoll that watches goes on watching on the way.
  int epoll = OK(epoll_create1(0)), pipes[2];
  OK(pipe(pipes));
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = 7};
  OK(epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[0], &event));
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  send_fds(fds[0], &epoll, 1);
  OK(close(epoll));
  CHECK_EQ(write(pipes[1], "x", 1), 1);
  epoll = receive_fd(fds[1]);
  CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 1);
  CHECK_EQ(event.data.u32, 7);
}

int main(void) {
  in_itself();
  in_each_other();
  reachable();
  in_a_listener();
  in_a_row();
  still_open();
  return 0;
}
