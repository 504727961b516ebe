// UDP over IPv6, and IPv4 through IPv6 sockets (ipv6(7)).
#include "net.h"

static void plain(void) {
  int fd = OK(socket(AF_INET6, SOCK_DGRAM, 0)), to = net_udp6("::1", 0);
  struct sockaddr_in6 a = net_v6("::1", net_port(to)), from;
  socklen_t size = sizeof(from);
  FAILS(bind(fd, (struct sockaddr*)&a, 23), EINVAL);
  struct sockaddr_in v4 = net_v4("127.0.0.1", 0);
  FAILS(bind(fd, SA(v4)), EINVAL);
  FAILS(bind(fd, (struct sockaddr*)&v4, sizeof(a)), EAFNOSUPPORT);
  struct sockaddr_in6 absent = net_v6("2001:db8::1", 0);
  FAILS(bind(fd, SA(absent)), EADDRNOTAVAIL);
  struct sockaddr_in6 local = net_v6("fe80::1", 0);
  FAILS(bind(fd, SA(local)), EINVAL);
  CHECK_EQ(sendto(fd, "six", 3, 0, SA(a)), 3);
  char buf[8];
  CHECK_EQ(recvfrom(to, buf, sizeof(buf), 0, (struct sockaddr*)&from, &size), 3);
  CHECK_EQ(size, sizeof(from));
  CHECK_EQ(from.sin6_family, AF_INET6);
  CHECK(memcmp(&from.sin6_addr, &in6addr_loopback, 16) == 0);
  CHECK_EQ(ntohs(from.sin6_port), net_port(fd));
  CHECK_EQ(from.sin6_scope_id, 0);
  // An address that is not ours leads nowhere.
  a = net_v6("2001:db8::1", 9);
  FAILS(sendto(fd, "x", 1, 0, SA(a)), ENETUNREACH);
  // Refusals.
  a = net_v6("::1", net_port(to));
  OK(close(to));
  OK(connect(fd, SA(a)));
  CHECK_EQ(send(fd, "x", 1, 0), 1);
  FAILS(recv(fd, buf, 1, MSG_DONTWAIT), ECONNREFUSED);
  static char big[65528];
  FAILS(send(fd, big, 65528, 0), EMSGSIZE);
  OK(close(fd));
}

static void mapped(void) {
  int fd = net_udp6("::", 0), four = net_udp4("127.0.0.1", 0);
  CHECK_EQ(net_get(fd, SOL_IPV6, IPV6_V6ONLY), 0);
  int port = net_port(fd);
  net_send4(four, "hello", "127.0.0.1", port);
  struct sockaddr_in6 from;
  socklen_t size = sizeof(from);
  char buf[64];
  CHECK_EQ(recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr*)&from, &size), 5);
  CHECK_STR(inet_ntop(AF_INET6, &from.sin6_addr, buf, sizeof(buf)), "::ffff:127.0.0.1");
  CHECK_EQ(sendto(fd, "back", 4, 0, SA(from)), 4);
  net_expect(four, "back");
  // A plain IPv4 address does as well.
  struct sockaddr_in a4 = net_v4("127.0.0.1", net_port(four));
  CHECK_EQ(sendto(fd, "four", 4, 0, SA(a4)), 4);
  net_expect(four, "four");
  OK(connect(fd, SA(from)));
  size = sizeof(from);
  OK(getsockname(fd, (struct sockaddr*)&from, &size));
  CHECK_STR(inet_ntop(AF_INET6, &from.sin6_addr, buf, sizeof(buf)), "::ffff:127.0.0.1");
  OK(close(fd));
  // Both wildcards meet, unless IPV6_V6ONLY.
  fd = net_udp4("0.0.0.0", port);
  int six = OK(socket(AF_INET6, SOCK_DGRAM, 0));
  struct sockaddr_in6 any = net_v6("::", port);
  FAILS(bind(six, SA(any)), EADDRINUSE);
  net_set(six, SOL_IPV6, IPV6_V6ONLY, 1);
  OK(bind(six, SA(any)));
  int one = 0;
  FAILS(setsockopt(six, SOL_IPV6, IPV6_V6ONLY, &one, sizeof(one)), EINVAL);
  from = net_v6("::ffff:127.0.0.1", 9);
  FAILS(sendto(six, "x", 1, 0, SA(from)), ENETUNREACH);
  FAILS(connect(six, SA(from)), ENETUNREACH);
  net_send4(four, "x", "127.0.0.1", port);
  net_empty(six);
  net_expect(fd, "x");
  OK(close(six));
  six = OK(socket(AF_INET6, SOCK_DGRAM, 0));
  net_set(six, SOL_IPV6, IPV6_V6ONLY, 1);
  from.sin6_port = 0;
  FAILS(bind(six, SA(from)), EINVAL);
  // Bound to a mapped address it is an IPv4 socket with long names.
  OK(close(six));
  six = net_udp6("::ffff:127.0.0.1", 0);
  net_send4(four, "mapped", "127.0.0.1", net_port(six));
  net_expect(six, "mapped");
  any = net_v6("::1", 9);
  FAILS(sendto(six, "x", 1, 0, SA(any)), EAFNOSUPPORT);
  // The wildcard as a destination is this host.
  OK(close(six));
  six = net_udp6("::1", 0);
  any = net_v6("::", net_port(six));
  int sender = OK(socket(AF_INET6, SOCK_DGRAM, 0));
  CHECK_EQ(sendto(sender, "any", 3, 0, SA(any)), 3);
  net_expect(six, "any");
}

int main(void) {
  net_private();
  plain();
  mapped();
  return 0;
}
