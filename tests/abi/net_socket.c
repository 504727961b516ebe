// socket(2) of AF_INET and AF_INET6: which types and protocols there are, and who may have them.
#include "net.h"

static int try_socket(int family, int type, int protocol) {
  int fd = socket(family, type, protocol);
  if (fd < 0) return errno;
  OK(close(fd));
  return 0;
}

static void unprivileged(void) {
  OK(setresgid(99, 99, 99));
  OK(setresuid(99, 99, 99));
  CHECK_EQ(try_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), EPERM);
  CHECK_EQ(try_socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6), EPERM);
  CHECK_EQ(try_socket(AF_INET, SOCK_RAW, 0), EPROTONOSUPPORT);
  CHECK_EQ(try_socket(AF_PACKET, SOCK_RAW, 0), EPERM);
  CHECK_EQ(try_socket(AF_INET, SOCK_DGRAM, 0), 0);
}

int main(void) {
  net_private();
  static const int kFamilies[] = {AF_INET, AF_INET6};
  for (int i = 0; i < 2; ++i) {
    int f = kFamilies[i];
    CHECK_EQ(try_socket(f, SOCK_DGRAM, 0), 0);
    CHECK_EQ(try_socket(f, SOCK_DGRAM, IPPROTO_UDP), 0);
    CHECK_EQ(try_socket(f, SOCK_DGRAM, IPPROTO_TCP), EPROTONOSUPPORT);
    CHECK_EQ(try_socket(f, SOCK_RAW, 0), EPROTONOSUPPORT);
    CHECK_EQ(try_socket(f, SOCK_RAW, 253), 0);
    CHECK_EQ(try_socket(f, SOCK_DGRAM, -1), EINVAL);
    CHECK_EQ(try_socket(f, SOCK_DGRAM, 4000), EINVAL);
    CHECK_EQ(try_socket(f, SOCK_RDM, 0), ESOCKTNOSUPPORT);
    CHECK_EQ(try_socket(f, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
    CHECK_EQ(try_socket(f, 11, 0), EINVAL);
    CHECK_EQ(try_socket(f, SOCK_DGRAM | 0x10, 0), EINVAL);
    int pair[2];
    FAILS(socketpair(f, SOCK_DGRAM, 0, pair), EOPNOTSUPP);
  }
  CHECK_EQ(try_socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMPV6), EPROTONOSUPPORT);
  CHECK_EQ(try_socket(46, SOCK_DGRAM, 0), EAFNOSUPPORT);
  CHECK_EQ(try_socket(-1, SOCK_DGRAM, 0), EAFNOSUPPORT);
  IN_CHILD(unprivileged());
  return 0;
}
