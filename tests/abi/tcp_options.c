// setsockopt(2) and getsockopt(2) of SOL_TCP (tcp(7)): values, defaults and what is refused.
#include "tcp.h"

#ifndef TCP_NOTSENT_LOWAT
#define TCP_NOTSENT_LOWAT 25
#endif
#ifndef TCP_INQ
#define TCP_INQ 36
#endif

static void numbers(int family) {
  const struct {
    int name, first, good, bad;
  } options[] = {
      {TCP_NODELAY, 0, 1, 1},
      {TCP_CORK, 0, 1, 1},
      {TCP_KEEPIDLE, 7200, 100, 0},
      {TCP_KEEPINTVL, 75, 20, 0},
      {TCP_KEEPCNT, 9, 3, 128},
      {TCP_SYNCNT, 6, 4, 0},
      {TCP_LINGER2, 60, 30, 30},
      {TCP_USER_TIMEOUT, 0, 5000, -1},
      {TCP_NOTSENT_LOWAT, 0, 4096, 4096},
      {TCP_INQ, 0, 1, 2},
      {TCP_KEEPIDLE, 100, 101, 32768},
      {TCP_WINDOW_CLAMP, 0, 50000, 50000},
  };
  int fd = tcp_socket(family);
  for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); ++i) {
    int name = options[i].name;
    if (int_option(fd, IPPROTO_TCP, name) != options[i].first)
      FAIL("option %d: expected %d, got %d", name, options[i].first, int_option(fd, IPPROTO_TCP, name));
    OK(set_int(fd, IPPROTO_TCP, name, options[i].good));
    CHECK_EQ(int_option(fd, IPPROTO_TCP, name), options[i].good);
    if (options[i].bad != options[i].good) FAILS(set_int(fd, IPPROTO_TCP, name, options[i].bad), EINVAL);
    CHECK_EQ(int_option(fd, IPPROTO_TCP, name), options[i].good);
  }
  OK(set_int(fd, IPPROTO_TCP, TCP_LINGER2, -5));
  CHECK_EQ(int_option(fd, IPPROTO_TCP, TCP_LINGER2), -1);
  CHECK_EQ(int_option(fd, IPPROTO_TCP, TCP_QUICKACK), 1);
  CHECK_EQ(int_option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
  OK(set_int(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5));
  CHECK_EQ(int_option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 7);  // 1 + 2 + 4
  CHECK_EQ(int_option(fd, IPPROTO_TCP, TCP_MAXSEG), 536);
  FAILS(set_int(fd, IPPROTO_TCP, TCP_MAXSEG, 87), EINVAL);
  FAILS(set_int(fd, IPPROTO_TCP, TCP_MAXSEG, 32768), EINVAL);
  OK(set_int(fd, IPPROTO_TCP, TCP_MAXSEG, 1000));
  CHECK_EQ(int_option(fd, IPPROTO_TCP, TCP_MAXSEG), 1000);
  FAILS(set_int(fd, IPPROTO_TCP, 9999, 1), ENOPROTOOPT);
  int value = 1;
  FAILS(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, 3), EINVAL);
  FAILS(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, (void*)8, 4), EFAULT);
  FAILS(getsockopt(fd, IPPROTO_TCP, 9999, &value, &(socklen_t){4}), ENOPROTOOPT);
  FAILS(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &(socklen_t){-1}), EINVAL);
  socklen_t size = 1;
  value = 0x55555555;
  OK(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &size));
  CHECK_EQ(size, 1);
  CHECK_EQ(value, 0x55555501);
  size = 64;
  OK(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, (char[64]){0}, &size));
  CHECK_EQ(size, 4);
  OK(close(fd));
}

static void congestion(int family) {
  int fd = tcp_socket(family);
  char name[64];
  OK(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
  socklen_t size = sizeof(name);
  OK(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size));
  CHECK_EQ(size, 16);
  CHECK_STR(name, "reno");
  FAILS(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "no-such", 7), ENOENT);
  FAILS(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "", 0), EINVAL);
  OK(close(fd));
}

static void inherited(int family) {
  int server = listener(family, 1), fds[2];
  OK(set_int(server, IPPROTO_TCP, TCP_NODELAY, 1));
  OK(set_int(server, IPPROTO_TCP, TCP_KEEPIDLE, 77));
  OK(set_int(server, SOL_SOCKET, SO_KEEPALIVE, 1));
  OK(set_int(server, SOL_SOCKET, SO_RCVBUF, 20000));
  fds[0] = client_of(server, family);
  fds[1] = OK(accept(server, NULL, NULL));
  CHECK_EQ(int_option(fds[1], IPPROTO_TCP, TCP_NODELAY), 1);
  CHECK_EQ(int_option(fds[1], IPPROTO_TCP, TCP_KEEPIDLE), 77);
  CHECK_EQ(int_option(fds[1], SOL_SOCKET, SO_KEEPALIVE), 1);
  CHECK_EQ(int_option(fds[1], SOL_SOCKET, SO_RCVBUF), 40000);
  CHECK_EQ(int_option(fds[0], SOL_SOCKET, SO_KEEPALIVE), 0);
  CHECK_EQ(int_option(fds[0], SOL_SOCKET, SO_DOMAIN), family);
  CHECK_EQ(int_option(fds[1], SOL_SOCKET, SO_DOMAIN), family);
  close_pair(fds);
  OK(close(server));
}

static void info(int family) {
  int fds[2];
  struct tcp_info i;
  socklen_t size = sizeof(i);
  int server = listener(family, 7);
  memset(&i, 0x55, sizeof(i));
  OK(getsockopt(server, IPPROTO_TCP, TCP_INFO, &i, &size));
  CHECK_EQ(i.tcpi_state, TCP_LISTEN);
  CHECK_EQ(i.tcpi_sacked, 7);
  CHECK_EQ(i.tcpi_unacked, 0);
  fds[0] = client_of(server, family);
  await(server, POLLIN);
  size = sizeof(i);
  OK(getsockopt(server, IPPROTO_TCP, TCP_INFO, &i, &size));
  CHECK_EQ(i.tcpi_unacked, 1);
  fds[1] = OK(accept(server, NULL, NULL));
  send_all(fds[0], "12345");
  expect(fds[1], "12345");
  size = sizeof(i);
  OK(getsockopt(fds[0], IPPROTO_TCP, TCP_INFO, &i, &size));
  CHECK_EQ(size, sizeof(i));
  CHECK_EQ(i.tcpi_state, TCP_ESTABLISHED);
  CHECK(i.tcpi_options & TCPI_OPT_SACK);
  CHECK(i.tcpi_options & TCPI_OPT_TIMESTAMPS);
  CHECK(i.tcpi_options & TCPI_OPT_WSCALE);
  CHECK(i.tcpi_snd_mss > 1000);
  CHECK(i.tcpi_snd_cwnd >= 10);
  CHECK(i.tcpi_rtt > 0);
  CHECK(i.tcpi_rto >= 200000);
  CHECK_EQ(int_option(fds[0], IPPROTO_TCP, TCP_MAXSEG), i.tcpi_snd_mss);
  OK(close(fds[0]));
  await(fds[1], POLLRDHUP);
  size = 8;
  OK(getsockopt(fds[1], IPPROTO_TCP, TCP_INFO, &i, &size));
  CHECK_EQ(size, 8);
  CHECK_EQ(i.tcpi_state, TCP_CLOSE_WAIT);
  OK(close(fds[1]));
  OK(close(server));
}

static void inq(int family) {
  int fds[2];
  char buf[8], control[64];
  tcp_pair(family, fds);
  OK(set_int(fds[1], IPPROTO_TCP, TCP_INQ, 1));
  send_all(fds[0], "0123456789");
  await(fds[1], POLLIN);
  struct iovec iov = {buf, 4};
  struct msghdr m = {
      .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
  CHECK_EQ(recvmsg(fds[1], &m, 0), 4);
  struct cmsghdr* c = CMSG_FIRSTHDR(&m);
  CHECK(c != NULL);
  CHECK_EQ(c->cmsg_level, SOL_TCP);
  CHECK_EQ(c->cmsg_type, TCP_INQ);
  CHECK_EQ(*(int*)CMSG_DATA(c), 6);
  close_pair(fds);
}

int main(void) {
  EACH_FAMILY(family) {
    numbers((int)family);
    congestion((int)family);
    inherited((int)family);
    info((int)family);
    inq((int)family);
  }
  return 0;
}
