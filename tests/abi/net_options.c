// setsockopt(2), getsockopt(2): SOL_IP, SOL_IPV6 and what SOL_SOCKET has for Internet sockets.
#include "net.h"

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

static int set(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof(value)) == 0 ? 0 : errno;
}

static void ip4(void) {
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  CHECK_EQ(net_get(fd, SOL_IP, IP_TTL), 64);
  CHECK_EQ(set(fd, SOL_IP, IP_TTL, 0), EINVAL);
  CHECK_EQ(set(fd, SOL_IP, IP_TTL, 256), EINVAL);
  CHECK_EQ(set(fd, SOL_IP, IP_TTL, 255), 0);
  CHECK_EQ(net_get(fd, SOL_IP, IP_TTL), 255);
  CHECK_EQ(set(fd, SOL_IP, IP_TTL, -1), 0);
  CHECK_EQ(net_get(fd, SOL_IP, IP_TTL), 64);
  CHECK_EQ(net_get(fd, SOL_IP, IP_TOS), 0);
  CHECK_EQ(set(fd, SOL_IP, IP_TOS, 0xb8), 0);
  CHECK_EQ(net_get(fd, SOL_IP, IP_TOS), 0xb8);
  // One byte does as well, both ways.
  unsigned char byte = 33;
  socklen_t size = 1;
  OK(setsockopt(fd, SOL_IP, IP_TTL, &byte, 1));
  CHECK_EQ(net_get(fd, SOL_IP, IP_TTL), 33);
  byte = 0;
  OK(getsockopt(fd, SOL_IP, IP_TTL, &byte, &size));
  CHECK_EQ(byte, 33);
  CHECK_EQ(size, 1);
  FAILS(setsockopt(fd, SOL_IP, IP_TTL, &byte, 0), EINVAL);
  FAILS(setsockopt(fd, SOL_IP, IP_TTL, (void*)8, 4), EFAULT);
  CHECK_EQ(net_get(fd, SOL_IP, IP_MTU_DISCOVER), IP_PMTUDISC_WANT);
  CHECK_EQ(set(fd, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO), 0);
  CHECK_EQ(set(fd, SOL_IP, IP_MTU_DISCOVER, 6), EINVAL);
  static const int kSwitches[] = {IP_RECVTTL,  IP_RECVTOS,        IP_PKTINFO,
                                  IP_RECVERR,  IP_RECVOPTS,       IP_RETOPTS,
                                  IP_FREEBIND, IP_MULTICAST_LOOP, IP_BIND_ADDRESS_NO_PORT};
  for (size_t i = 0; i < sizeof(kSwitches) / sizeof(int); ++i) {
    CHECK_EQ(net_get(fd, SOL_IP, kSwitches[i]), kSwitches[i] == IP_MULTICAST_LOOP);
    CHECK_EQ(set(fd, SOL_IP, kSwitches[i], 5), 0);
    CHECK_EQ(net_get(fd, SOL_IP, kSwitches[i]), 1);
    CHECK_EQ(set(fd, SOL_IP, kSwitches[i], 0), 0);
    CHECK_EQ(net_get(fd, SOL_IP, kSwitches[i]), 0);
  }
  CHECK_EQ(set(fd, SOL_IP, IP_MULTICAST_TTL, 256), EINVAL);
  CHECK_EQ(set(fd, SOL_IP, IP_MULTICAST_ALL, 2), EINVAL);
  CHECK_EQ(set(fd, SOL_IP, IP_MINTTL, 256), EINVAL);
  CHECK_EQ(set(fd, SOL_IP, IP_MINTTL, 5), 0);
  CHECK_EQ(net_get(fd, SOL_IP, IP_MINTTL), 5);
  CHECK_EQ(set(fd, SOL_IP, IP_HDRINCL, 1), ENOPROTOOPT);
  CHECK_EQ(set(fd, SOL_IP, 9999, 1), ENOPROTOOPT);
  CHECK_EQ(set(fd, SOL_IPV6, IPV6_V6ONLY, 1), ENOPROTOOPT);
  CHECK_EQ(set(fd, 12345, 1, 1), ENOPROTOOPT);
  int value;
  size = sizeof(value);
  FAILS(getsockopt(fd, SOL_IP, IP_MTU, &value, &size), ENOTCONN);
  struct sockaddr_in a = net_v4("127.0.0.1", 9);
  OK(connect(fd, SA(a)));
  CHECK_EQ(net_get(fd, SOL_IP, IP_MTU), 65535);
  OK(close(fd));
}

static void ip6(void) {
  int fd = OK(socket(AF_INET6, SOCK_DGRAM, 0));
  CHECK_EQ(net_get(fd, SOL_IPV6, IPV6_V6ONLY), 0);
  CHECK_EQ(set(fd, SOL_IPV6, IPV6_V6ONLY, 1), 0);
  CHECK_EQ(net_get(fd, SOL_IPV6, IPV6_V6ONLY), 1);
  CHECK_EQ(net_get(fd, SOL_IPV6, IPV6_UNICAST_HOPS), 64);
  CHECK_EQ(set(fd, SOL_IPV6, IPV6_UNICAST_HOPS, 256), EINVAL);
  CHECK_EQ(set(fd, SOL_IPV6, IPV6_UNICAST_HOPS, 3), 0);
  CHECK_EQ(net_get(fd, SOL_IPV6, IPV6_UNICAST_HOPS), 3);
  CHECK_EQ(set(fd, SOL_IPV6, IPV6_UNICAST_HOPS, -1), 0);
  CHECK_EQ(net_get(fd, SOL_IPV6, IPV6_UNICAST_HOPS), 64);
  CHECK_EQ(set(fd, SOL_IPV6, IPV6_TCLASS, 256), EINVAL);
  CHECK_EQ(set(fd, SOL_IPV6, IPV6_TCLASS, 0x20), 0);
  CHECK_EQ(net_get(fd, SOL_IPV6, IPV6_TCLASS), 0x20);
  CHECK_EQ(net_get(fd, SOL_IPV6, IPV6_MTU_DISCOVER), IPV6_PMTUDISC_WANT);
  static const int kSwitches[] = {IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS, IPV6_RECVERR,
                                  IPV6_DONTFRAG};
  for (size_t i = 0; i < sizeof(kSwitches) / sizeof(int); ++i) {
    CHECK_EQ(net_get(fd, SOL_IPV6, kSwitches[i]), 0);
    CHECK_EQ(set(fd, SOL_IPV6, kSwitches[i], 1), 0);
    CHECK_EQ(net_get(fd, SOL_IPV6, kSwitches[i]), 1);
  }
  FAILS(setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, "x", 1), EINVAL);
  // Options of IPv4 for what comes by it.
  CHECK_EQ(set(fd, SOL_IP, IP_TTL, 9), 0);
  CHECK_EQ(net_get(fd, SOL_IP, IP_TTL), 9);
  struct sockaddr_in6 a = net_v6("::1", 9);
  OK(connect(fd, SA(a)));
  CHECK_EQ(net_get(fd, SOL_IPV6, IPV6_MTU), 65536);
  OK(close(fd));
}

static void device(void) {
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0)), to = net_udp4("127.0.0.1", 0);
  char name[IFNAMSIZ] = "xxxx";
  socklen_t size = sizeof(name);
  OK(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size));
  CHECK_EQ(size, 0);
  FAILS(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "nothing", 8), ENODEV);
  OK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
  size = sizeof(name);
  OK(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size));
  CHECK_EQ(size, 3);
  CHECK_STR(name, "lo");
  CHECK_EQ(net_get(fd, SOL_SOCKET, SO_BINDTOIFINDEX), if_nametoindex("lo"));
  net_send4(fd, "by lo", "127.0.0.1", net_port(to));
  net_expect(to, "by lo");
  OK(close(fd));
  // Once without privilege, not twice: not even to the same.
  pid_t pid = OK(fork());
  if (pid == 0) {
    fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
    OK(setresuid(1000, 1000, 1000));
    int lo = if_nametoindex("lo"), none = 0;
    FAILS(setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &(int){-1}, sizeof(int)), EINVAL);
    OK(setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &lo, sizeof(lo)));
    FAILS(setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &lo, sizeof(lo)), EPERM);
    FAILS(setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &none, sizeof(none)), EPERM);
    FAILS(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), EPERM);
    FAILS(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0), EPERM);
    CHECK_EQ(net_get(fd, SOL_SOCKET, SO_BINDTOIFINDEX), lo);
    _exit(0);
  }
  int status;
  OK(waitpid(pid, &status, 0));
  CHECK_EQ(status, 0);
  OK(close(to));
}

int main(void) {
  net_private();
  ip4();
  ip6();
  device();
  return 0;
}
