// tcp(7), "Out-of-band data": MSG_OOB, SO_OOBINLINE, SIOCATMARK, POLLPRI.
#include <linux/sockios.h>

#include "tcp.h"

static int at_mark(int fd) {
  int yes = -1;
  OK(ioctl(fd, SIOCATMARK, &yes));
  return yes;
}

static void beside(int family) {
  int fds[2], n;
  char buf[16] = {0};
  tcp_pair(family, fds);
  FAILS(recv(fds[1], buf, 1, MSG_OOB), EINVAL);
  send_all(fds[0], "abc");
  CHECK_EQ(send(fds[0], "d!", 2, MSG_OOB), 2);
  send_all(fds[0], "ef");
  await(fds[1], POLLPRI);
  CHECK_EQ(recv(fds[1], buf, 1, MSG_OOB | MSG_PEEK), 1);
  CHECK_EQ(recv(fds[1], buf, 1, MSG_OOB), 1);
  CHECK_EQ(buf[0], '!');
  FAILS(recv(fds[1], buf, 1, MSG_OOB), EINVAL);
  CHECK_EQ(poll_now(fds[1], POLLPRI, 0), 0);
  CHECK_EQ(at_mark(fds[1]), 0);
  OK(ioctl(fds[1], FIONREAD, &n));
  CHECK_EQ(n, 4);
  // Reading stops at the mark.
  CHECK_EQ(recv(fds[1], buf, sizeof(buf), 0), 4);
  CHECK_EQ(memcmp(buf, "abcd", 4), 0);
  CHECK_EQ(at_mark(fds[1]), 1);
  CHECK_EQ(recv(fds[1], buf, 2, MSG_WAITALL), 2);
  CHECK_EQ(memcmp(buf, "ef", 2), 0);
  CHECK_EQ(at_mark(fds[1]), 0);
  close_pair(fds);
}

static void within(int family) {
  int fds[2];
  char buf[16] = {0};
  tcp_pair(family, fds);
  OK(set_int(fds[1], SOL_SOCKET, SO_OOBINLINE, 1));
  send_all(fds[0], "ab");
  CHECK_EQ(send(fds[0], "!", 1, MSG_OOB), 1);
  send_all(fds[0], "cd");
  await(fds[1], POLLPRI);
  FAILS(recv(fds[1], buf, 1, MSG_OOB), EINVAL);
  CHECK_EQ(recv(fds[1], buf, sizeof(buf), 0), 2);
  CHECK_EQ(at_mark(fds[1]), 1);
  CHECK_EQ(recv(fds[1], buf, 3, MSG_WAITALL), 3);
  CHECK_EQ(memcmp(buf, "!cd", 3), 0);
  close_pair(fds);
}

static void alone(int family) {
  int fds[2];
  char buf[4];
  tcp_pair(family, fds);
  CHECK_EQ(send(fds[0], "x", 1, MSG_OOB), 1);
  await(fds[1], POLLPRI);
  CHECK_EQ(at_mark(fds[1]), 1);
  CHECK_EQ(recv(fds[1], buf, 4, MSG_OOB), 1);
  FAILS(recv(fds[1], buf, 1, MSG_DONTWAIT), EAGAIN);
  send_all(fds[0], "yz");
  expect(fds[1], "yz");
  close_pair(fds);
}

int main(void) {
  EACH_FAMILY(family) {
    beside((int)family);
    within((int)family);
    alone((int)family);
  }
  return 0;
}
