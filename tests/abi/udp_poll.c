// poll(2) and epoll(7) on UDP, shutdown(2), SO_ERROR.
#include <poll.h>
#include <sys/epoll.h>

#include "net.h"

static int events(int fd, int wanted) {
  struct pollfd p = {fd, wanted, 0};
  OK(poll(&p, 1, 0));
  return p.revents;
}

int main(void) {
  net_private();
  const int all = POLLIN | POLLOUT | POLLPRI | POLLRDHUP;
  int fd = net_udp4("127.0.0.1", 0), from = net_udp4("127.0.0.1", 0), port = net_port(fd);
  CHECK_EQ(events(fd, all), POLLOUT);
  net_send4(from, "x", "127.0.0.1", port);
  CHECK_EQ(events(fd, all), POLLIN | POLLOUT);
  net_expect(fd, "x");
  CHECK_EQ(events(fd, all), POLLOUT);

  // Edge triggered: once for each arrival.
  int ep = OK(epoll_create1(0));
  struct epoll_event e = {EPOLLIN | EPOLLET, {.u32 = 5}}, got;
  OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
  CHECK_EQ(epoll_wait(ep, &got, 1, 0), 0);
  net_send4(from, "a", "127.0.0.1", port);
  CHECK_EQ(epoll_wait(ep, &got, 1, 0), 1);
  CHECK_EQ(got.events, EPOLLIN);
  CHECK_EQ(epoll_wait(ep, &got, 1, 0), 0);
  net_send4(from, "b", "127.0.0.1", port);
  CHECK_EQ(epoll_wait(ep, &got, 1, 0), 1);
  net_expect(fd, "a");
  net_expect(fd, "b");

  // Woken from sleep.
  pid_t child = FORK(abi_await_state(getppid(), 'S'); net_send4(from, "late", "127.0.0.1", port));
  struct pollfd p = {fd, POLLIN, 0};
  CHECK_EQ(poll(&p, 1, 10000), 1);
  WAIT_OK(child);
  net_expect(fd, "late");

  // A refusal is an error until somebody takes it.
  struct sockaddr_in a = net_v4("127.0.0.1", port);
  OK(connect(from, SA(a)));
  OK(close(fd));
  CHECK_EQ(send(from, "x", 1, 0), 1);
  CHECK_EQ(events(from, all), POLLOUT | POLLERR);
  CHECK_EQ(net_get(from, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
  CHECK_EQ(events(from, all), POLLOUT);

  // shutdown(2) wants a peer.
  fd = net_udp4("127.0.0.1", 0);
  FAILS(shutdown(fd, SHUT_RD), ENOTCONN);
  OK(close(fd));
  fd = net_udp4("127.0.0.1", 0);
  a = net_v4("127.0.0.1", net_port(fd));
  OK(connect(fd, SA(a)));
  CHECK_EQ(send(fd, "kept", 4, 0), 4);
  OK(shutdown(fd, SHUT_WR));
  FAILS(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
  CHECK_EQ(events(fd, all), POLLIN | POLLOUT);
  OK(shutdown(fd, SHUT_RD));
  CHECK_EQ(events(fd, all), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
  net_expect(fd, "kept");
  char c;
  CHECK_EQ(recv(fd, &c, 1, 0), 0);
  FAILS(shutdown(fd, 3), EINVAL);
  return 0;
}
