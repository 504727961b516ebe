// recv(2) on UDP: MSG_PEEK, MSG_TRUNC, MSG_DONTWAIT, time limits, FIONREAD, SO_PEEK_OFF.
#include <linux/sockios.h>

#include "net.h"

int main(void) {
  net_private();
  int from = net_udp4("127.0.0.1", 0), to = net_udp4("127.0.0.1", 0), n;
  int port = net_port(to);
  char buf[32];
  OK(ioctl(to, FIONREAD, &n));
  CHECK_EQ(n, 0);
  net_send4(from, "first", "127.0.0.1", port);
  net_send4(from, "second!", "127.0.0.1", port);
  net_send4(from, "", "127.0.0.1", port);
  net_send4(from, "last", "127.0.0.1", port);
  OK(ioctl(to, FIONREAD, &n));
  CHECK_EQ(n, 5);
  OK(ioctl(from, SIOCOUTQ, &n));
  CHECK_EQ(n, 0);
  CHECK_EQ(recv(to, buf, 3, MSG_PEEK), 3);
  CHECK_EQ(recv(to, buf, 3, MSG_PEEK | MSG_TRUNC), 5);
  CHECK_EQ(recv(to, buf, sizeof(buf), MSG_PEEK), 5);
  struct iovec iov = {buf, 2};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
  CHECK_EQ(recvmsg(to, &m, 0), 2);
  CHECK_EQ(m.msg_flags, MSG_TRUNC);
  CHECK_EQ(recv(to, buf, 1, MSG_TRUNC), 7);
  CHECK_EQ(recv(to, buf, sizeof(buf), 0), 0);
  // A fault takes the datagram along.
  FAILS(recv(to, (void*)8, 4, 0), EFAULT);
  net_empty(to);
  FAILS(recv(to, buf, 1, MSG_OOB | MSG_DONTWAIT), EAGAIN);

  // SO_RCVTIMEO.
  struct timeval t = {0, 20000};
  OK(setsockopt(to, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
  struct timespec begin, end;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  FAILS(recv(to, buf, 1, 0), EAGAIN);
  clock_gettime(CLOCK_MONOTONIC, &end);
  CHECK((end.tv_sec - begin.tv_sec) * 1000000000L + end.tv_nsec - begin.tv_nsec >= 20000000);

  // SO_PEEK_OFF goes through what waits.
  CHECK_EQ(net_get(to, SOL_SOCKET, SO_PEEK_OFF), -1);
  net_set(to, SOL_SOCKET, SO_PEEK_OFF, 0);
  net_send4(from, "abcd", "127.0.0.1", port);
  net_send4(from, "efgh", "127.0.0.1", port);
  CHECK_EQ(recv(to, buf, 3, MSG_PEEK), 3);
  CHECK_EQ(net_get(to, SOL_SOCKET, SO_PEEK_OFF), 3);
  CHECK_EQ(recv(to, buf, 3, MSG_PEEK), 1);
  CHECK_EQ(buf[0], 'd');
  CHECK_EQ(recv(to, buf, 3, MSG_PEEK), 3);
  CHECK(memcmp(buf, "efg", 3) == 0);
  CHECK_EQ(recv(to, buf, sizeof(buf), 0), 4);
  CHECK_EQ(net_get(to, SOL_SOCKET, SO_PEEK_OFF), 3);

  // O_NONBLOCK.
  net_expect(to, "efgh");
  int quiet = OK(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  FAILS(recv(quiet, buf, 1, 0), EAGAIN);
  FAILS(read(quiet, buf, 1), EAGAIN);
  CHECK_EQ(fcntl(quiet, F_GETFD), FD_CLOEXEC);
  // A message that waits for nobody wakes who waits for it.
  int server = net_udp4("127.0.0.1", 0);
  port = net_port(server);
  pid_t child = FORK(abi_await_state(getppid(), 'S'); net_send4(from, "woken", "127.0.0.1", port));
  CHECK_EQ(recv(server, buf, sizeof(buf), 0), 5);
  WAIT_OK(child);
  return 0;
}
