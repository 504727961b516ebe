// setsockopt(2), getsockopt(2) of SOL_SOCKET on AF_UNIX sockets (socket(7)).
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "abi.h"

static int get(int fd, int name) {
  int value = -12345;
  socklen_t size = sizeof(value);
  OK(getsockopt(fd, SOL_SOCKET, name, &value, &size));
  CHECK_EQ(size, sizeof(value));
  return value;
}

static void set(int fd, int name, int value) { OK(setsockopt(fd, SOL_SOCKET, name, &value, sizeof(value))); }

static void buffers(int fd) {
  int start = get(fd, SO_SNDBUF);
  CHECK(start >= 4608);
  set(fd, SO_SNDBUF, 10000);
  CHECK_EQ(get(fd, SO_SNDBUF), 20000);
  set(fd, SO_RCVBUF, 10001);
  CHECK_EQ(get(fd, SO_RCVBUF), 20002);
  // Neither less nor more than there may be.
  set(fd, SO_SNDBUF, 0);
  CHECK_EQ(get(fd, SO_SNDBUF), 4608);
  set(fd, SO_SNDBUF, 1 << 30);
  int most = get(fd, SO_SNDBUF);
  set(fd, SO_SNDBUF, -1);
  CHECK_EQ(get(fd, SO_SNDBUF), most);
  set(fd, SO_RCVBUF, 0);
  CHECK_EQ(get(fd, SO_RCVBUF), 2304);
  IN_CHILD({
    OK(setuid(12345));
    int value = 1000000;
    FAILS(setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &value, sizeof(value)), EPERM);
    FAILS(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &value, sizeof(value)), EPERM);
    value = 7;
    FAILS(setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &value, sizeof(value)), EPERM);
    FAILS(setsockopt(fd, SOL_SOCKET, SO_MARK, &value, sizeof(value)), EPERM);
    FAILS(setsockopt(fd, SOL_SOCKET, SO_DEBUG, &value, sizeof(value)), EACCES);
  });
}

static void flags(int fd) {
  static const int names[] = {SO_REUSEADDR, SO_DONTROUTE, SO_BROADCAST, SO_KEEPALIVE,
                              SO_OOBINLINE, SO_PASSCRED,  SO_TIMESTAMP, SO_TIMESTAMPNS};
  for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
    CHECK_EQ(get(fd, names[i]), 0);
    set(fd, names[i], 17);
    CHECK_EQ(get(fd, names[i]), 1);
    set(fd, names[i], 0);
    CHECK_EQ(get(fd, names[i]), 0);
  }
  set(fd, SO_PRIORITY, 5);
  CHECK_EQ(get(fd, SO_PRIORITY), 5);
  CHECK_EQ(get(fd, SO_RCVLOWAT), 1);
  CHECK_EQ(get(fd, SO_SNDLOWAT), 1);
  set(fd, SO_RCVLOWAT, 0);
  CHECK_EQ(get(fd, SO_RCVLOWAT), 1);
  set(fd, SO_RCVLOWAT, 3);
  CHECK_EQ(get(fd, SO_RCVLOWAT), 3);
  set(fd, SO_RCVLOWAT, -1);
  CHECK_EQ(get(fd, SO_RCVLOWAT), 0x7fffffff);
  int value = 1;
  FAILS(setsockopt(fd, SOL_SOCKET, SO_SNDLOWAT, &value, sizeof(value)), ENOPROTOOPT);
  struct linger linger = {1, 3}, got;
  socklen_t size = sizeof(got);
  OK(getsockopt(fd, SOL_SOCKET, SO_LINGER, &got, &size));
  CHECK_EQ(size, sizeof(got));
  CHECK_EQ(got.l_onoff, 0);
  OK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
  OK(getsockopt(fd, SOL_SOCKET, SO_LINGER, &got, &size));
  CHECK_EQ(got.l_onoff, 1);
  CHECK_EQ(got.l_linger, 3);
  FAILS(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, 4), EINVAL);
  uint64_t cookie = 0, again = 1;
  size = sizeof(cookie);
  OK(getsockopt(fd, SOL_SOCKET, 57 /* SO_COOKIE */, &cookie, &size));
  OK(getsockopt(fd, SOL_SOCKET, 57, &again, &size));
  CHECK(cookie != 0);
  CHECK_EQ(cookie, again);
}

static void read_only(void) {
  int stream = OK(socket(AF_UNIX, SOCK_STREAM, 0)), dgram = OK(socket(AF_UNIX, SOCK_RAW, 0));
  CHECK_EQ(get(stream, SO_TYPE), SOCK_STREAM);
  CHECK_EQ(get(dgram, SO_TYPE), SOCK_DGRAM);
  CHECK_EQ(get(stream, SO_DOMAIN), AF_UNIX);
  CHECK_EQ(get(stream, SO_PROTOCOL), 0);
  CHECK_EQ(get(stream, SO_ACCEPTCONN), 0);
  sa_family_t family = AF_UNIX;
  OK(bind(stream, (struct sockaddr*)&family, sizeof(family)));
  OK(listen(stream, 1));
  CHECK_EQ(get(stream, SO_ACCEPTCONN), 1);
  int value = 1;
  FAILS(setsockopt(stream, SOL_SOCKET, SO_TYPE, &value, sizeof(value)), ENOPROTOOPT);
  FAILS(setsockopt(stream, SOL_SOCKET, SO_DOMAIN, &value, sizeof(value)), ENOPROTOOPT);
  FAILS(setsockopt(stream, SOL_SOCKET, SO_ERROR, &value, sizeof(value)), ENOPROTOOPT);
  FAILS(setsockopt(stream, SOL_SOCKET, SO_ACCEPTCONN, &value, sizeof(value)), ENOPROTOOPT);
  OK(close(stream));
  OK(close(dgram));
}

static void arguments(int fd) {
  int value = 1;
  char bytes[16];
  socklen_t size = 2;
  FAILS(setsockopt(fd, SOL_SOCKET, 9999, &value, sizeof(value)), ENOPROTOOPT);
  FAILS(getsockopt(fd, SOL_SOCKET, 9999, bytes, &size), ENOPROTOOPT);
  FAILS(setsockopt(fd, IPPROTO_TCP, 1, &value, sizeof(value)), EOPNOTSUPP);
  FAILS(getsockopt(fd, IPPROTO_TCP, 1, bytes, &size), EOPNOTSUPP);
  FAILS(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, 3), EINVAL);
  FAILS(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, -1), EINVAL);
  FAILS(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, (int*)8, sizeof(value)), EFAULT);
  FAILS(getsockopt(fd, SOL_SOCKET, SO_TYPE, (int*)8, &size), EFAULT);
  FAILS(getsockopt(fd, SOL_SOCKET, SO_TYPE, bytes, (socklen_t*)8), EFAULT);
  // A short room gets a part.
  memset(bytes, 0x55, sizeof(bytes));
  OK(getsockopt(fd, SOL_SOCKET, SO_TYPE, bytes, &size));
  CHECK_EQ(size, 2);
  CHECK_EQ(bytes[0], SOCK_STREAM);
  CHECK_EQ(bytes[2], 0x55);
  size = -1;
  FAILS(getsockopt(fd, SOL_SOCKET, SO_TYPE, bytes, &size), EINVAL);
  FAILS(getsockopt(0x7ffff, SOL_SOCKET, SO_TYPE, bytes, &size), EBADF);
}

// Times of datagrams.
static void stamps(void) {
  int fds[2];
  OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
  set(fds[1], SO_TIMESTAMP, 1);
  long long before = abi_ns(CLOCK_REALTIME) / 1000;
  CHECK_EQ(write(fds[0], "x", 1), 1);
  char c[128], byte;
  struct iovec iov = {&byte, 1};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c)};
  CHECK_EQ(recvmsg(fds[1], &m, 0), 1);
  struct cmsghdr* h = CMSG_FIRSTHDR(&m);
  CHECK(h != NULL);
  CHECK_EQ(h->cmsg_level, SOL_SOCKET);
  CHECK_EQ(h->cmsg_type, SCM_TIMESTAMP);
  CHECK_EQ(h->cmsg_len, CMSG_LEN(sizeof(struct timeval)));
  struct timeval t;
  memcpy(&t, CMSG_DATA(h), sizeof(t));
  long long at = t.tv_sec * 1000000LL + t.tv_usec;
  CHECK(at >= before && at <= abi_ns(CLOCK_REALTIME) / 1000);
}

int main(void) {
  int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  buffers(fd);
  flags(fd);
  arguments(fd);
  read_only();
  stamps();
  return 0;
}
