// bind(2) on UDP: which addresses, which ports, who may share them.
#include "net.h"

static int socket4(int option) {
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  if (option) net_set(fd, SOL_SOCKET, option, 1);
  return fd;
}
static int try4(int fd, const char* text, int port) {
  struct sockaddr_in a = net_v4(text, port);
  return bind(fd, SA(a)) == 0 ? 0 : errno;
}

static void addresses(void) {
  int fd = socket4(0);
  struct sockaddr_in a = net_v4("127.0.0.1", 0);
  FAILS(bind(fd, (struct sockaddr*)&a, 15), EINVAL);
  a.sin_family = AF_INET6;
  FAILS(bind(fd, SA(a)), EAFNOSUPPORT);
  a.sin_family = AF_UNSPEC;
  FAILS(bind(fd, SA(a)), EAFNOSUPPORT);
  CHECK_EQ(try4(fd, "192.0.2.1", 0), EADDRNOTAVAIL);
  CHECK_EQ(try4(fd, "127.9.8.7", 0), 0);
  CHECK_EQ(try4(fd, "127.0.0.1", 0), EINVAL);
  OK(close(fd));
  fd = socket4(0);
  a = net_v4("0.0.0.0", 0);
  a.sin_family = AF_UNSPEC;
  OK(bind(fd, SA(a)));
  CHECK(net_port(fd) != 0);
  OK(close(fd));
  fd = socket4(0);
  net_set(fd, SOL_IP, IP_FREEBIND, 1);
  CHECK_EQ(try4(fd, "192.0.2.1", 0), 0);
  OK(close(fd));
}

static void sharing(void) {
  int one = socket4(0);
  CHECK_EQ(try4(one, "127.0.0.1", 0), 0);
  int port = net_port(one);
  int fd = socket4(0);
  CHECK_EQ(try4(fd, "127.0.0.1", port), EADDRINUSE);
  CHECK_EQ(try4(fd, "0.0.0.0", port), EADDRINUSE);
  net_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  CHECK_EQ(try4(fd, "127.0.0.1", port), EADDRINUSE);
  // Another address is another name.
  CHECK_EQ(try4(fd, "127.0.0.2", port), 0);
  net_send4(one, "two", "127.0.0.2", port);
  net_expect(fd, "two");
  OK(close(fd));
  OK(close(one));
  // SO_REUSEADDR on both; SO_REUSEPORT on both; never one of each.
  one = socket4(SO_REUSEADDR);
  CHECK_EQ(try4(one, "127.0.0.1", port), 0);
  fd = socket4(SO_REUSEPORT);
  CHECK_EQ(try4(fd, "127.0.0.1", port), EADDRINUSE);
  net_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  CHECK_EQ(try4(fd, "127.0.0.1", port), 0);
  OK(close(fd));
  OK(close(one));
  one = socket4(SO_REUSEPORT);
  CHECK_EQ(try4(one, "0.0.0.0", port), 0);
  fd = socket4(SO_REUSEPORT);
  CHECK_EQ(try4(fd, "127.0.0.1", port), 0);
  // The more exact name gets it.
  net_send4(fd, "exact", "127.0.0.1", port);
  net_expect(fd, "exact");
  net_send4(fd, "any", "127.0.0.3", port);
  net_expect(one, "any");
  OK(close(fd));
  OK(close(one));
}

static void privileged(void) {
  int fd = socket4(0);
  CHECK_EQ(try4(fd, "127.0.0.1", 7), 0);
  OK(close(fd));
  OK(setresgid(99, 99, 99));
  OK(setresuid(99, 99, 99));
  fd = socket4(0);
  CHECK_EQ(try4(fd, "127.0.0.1", 7), EACCES);
  CHECK_EQ(try4(fd, "127.0.0.1", 1024), 0);
  OK(close(fd));
}

int main(void) {
  net_private();
  addresses();
  sharing();
  IN_CHILD(privileged());
  return 0;
}
