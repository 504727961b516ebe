// poll(2) and epoll(7) on TCP sockets, in every state.
#include <sys/epoll.h>

#include "tcp.h"

#define ALL (POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLRDNORM | POLLWRNORM)
#define READ (POLLIN | POLLRDNORM)
#define WRITE (POLLOUT | POLLWRNORM)

static void states(int family) {
  int fd = tcp_socket(family), fds[2];
  char buf[16];
  CHECK_EQ(poll_now(fd, ALL, 0), WRITE | POLLHUP);
  struct Address a = loopback(family, 0);
  OK(bind(fd, &a.any, a.size));
  CHECK_EQ(poll_now(fd, ALL, 0), WRITE | POLLHUP);
  OK(listen(fd, 2));
  CHECK_EQ(poll_now(fd, ALL, 0), 0);
  fds[0] = client_of(fd, family);
  await(fd, POLLIN);
  CHECK_EQ(poll_now(fd, ALL, 0), READ);
  fds[1] = OK(accept(fd, NULL, NULL));
  CHECK_EQ(poll_now(fd, ALL, 0), 0);
  OK(close(fd));
  CHECK_EQ(poll_now(fds[0], ALL, 0), WRITE);
  CHECK_EQ(poll_now(fds[1], ALL, 0), WRITE);
  send_all(fds[0], "abc");
  await(fds[1], POLLIN);
  CHECK_EQ(poll_now(fds[1], ALL, 0), READ | WRITE);
  OK(set_int(fds[1], SOL_SOCKET, SO_RCVLOWAT, 10));
  CHECK_EQ(poll_now(fds[1], ALL, 0), WRITE);
  send_all(fds[0], "defghij");
  await(fds[1], POLLIN);
  CHECK_EQ(recv(fds[1], buf, 16, 0), 10);
  OK(set_int(fds[1], SOL_SOCKET, SO_RCVLOWAT, 1));
  OK(shutdown(fds[0], SHUT_WR));
  await(fds[1], POLLRDHUP);
  CHECK_EQ(poll_now(fds[1], ALL, 0), READ | WRITE | POLLRDHUP);
  CHECK_EQ(poll_now(fds[0], ALL, 0), WRITE);
  OK(shutdown(fds[1], SHUT_WR));
  await(fds[1], POLLHUP);
  CHECK_EQ(poll_now(fds[1], ALL, 0), READ | WRITE | POLLRDHUP | POLLHUP);
  await(fds[0], POLLHUP);
  CHECK_EQ(poll_now(fds[0], ALL, 0), READ | WRITE | POLLRDHUP | POLLHUP);
  close_pair(fds);
  tcp_pair(family, fds);
  OK(shutdown(fds[0], SHUT_RD));
  CHECK_EQ(poll_now(fds[0], ALL, 0), READ | WRITE | POLLRDHUP);
  close_pair(fds);
}

static void full(int family) {
  int fds[2];
  static char block[65536];
  tcp_pair(family, fds);
  OK(fcntl(fds[0], F_SETFL, O_NONBLOCK));
  OK(fcntl(fds[1], F_SETFL, O_NONBLOCK));
  size_t sent = 0, got = 0;
  // Until nothing goes any more, even after the other side's buffer has taken what it can.
  for (int quiet = 0; quiet < 3;) {
    ssize_t n = send(fds[0], block, sizeof(block), 0);
    if (n > 0) {
      sent += (size_t)n;
      quiet = 0;
      continue;
    }
    CHECK_EQ(errno, EAGAIN);
    if (poll_now(fds[0], POLLOUT, 50) == 0) quiet++;
  }
  CHECK(sent > 65536);
  CHECK_EQ(poll_now(fds[0], ALL, 0), 0);
  int ep = OK(epoll_create1(0));
  struct epoll_event e = {EPOLLOUT | EPOLLET, {.fd = fds[0]}};
  OK(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &e));
  CHECK_EQ(epoll_wait(ep, &e, 1, 0), 0);
  while (got < sent) {
    ssize_t n = recv(fds[1], block, sizeof(block), 0);
    if (n < 0) {
      CHECK_EQ(errno, EAGAIN);
      await(fds[1], POLLIN);
      continue;
    }
    got += (size_t)n;
  }
  CHECK_EQ(epoll_wait(ep, &e, 1, 10000), 1);
  CHECK_EQ(e.events, EPOLLOUT);
  CHECK_EQ(epoll_wait(ep, &e, 1, 0), 0);
  OK(close(ep));
  close_pair(fds);
}

static void edges(int family) {
  int fds[2];
  char buf[16];
  tcp_pair(family, fds);
  int ep = OK(epoll_create1(0));
  struct epoll_event e = {EPOLLIN | EPOLLRDHUP | EPOLLET, {.u64 = 7}};
  OK(epoll_ctl(ep, EPOLL_CTL_ADD, fds[1], &e));
  CHECK_EQ(epoll_wait(ep, &e, 1, 0), 0);
  send_all(fds[0], "abcd");
  CHECK_EQ(epoll_wait(ep, &e, 1, 10000), 1);
  CHECK_EQ(e.events, EPOLLIN);
  CHECK_EQ(e.data.u64, 7);
  CHECK_EQ(epoll_wait(ep, &e, 1, 0), 0);
  CHECK_EQ(recv(fds[1], buf, 2, 0), 2);
  CHECK_EQ(epoll_wait(ep, &e, 1, 0), 0);
  send_all(fds[0], "ef");
  CHECK_EQ(epoll_wait(ep, &e, 1, 10000), 1);
  CHECK_EQ(e.events, EPOLLIN);
  OK(close(fds[0]));
  CHECK_EQ(epoll_wait(ep, &e, 1, 10000), 1);
  CHECK_EQ(e.events, EPOLLIN | EPOLLRDHUP);
  OK(close(ep));
  OK(close(fds[1]));
}

int main(void) {
  EACH_FAMILY(family) {
    states((int)family);
    full((int)family);
    edges((int)family);
  }
  return 0;
}
