// ipv6(7): sockets of AF_INET6 that speak IPv4 too.
#include "tcp.h"

static struct Address any6(int port) {
  struct Address a = loopback(AF_INET6, port);
  a.v6.sin6_addr = in6addr_any;
  return a;
}

static struct Address mapped(int port) {
  struct Address a = loopback(AF_INET6, port);
  memset(&a.v6.sin6_addr, 0, 16);
  a.v6.sin6_addr.s6_addr[10] = a.v6.sin6_addr.s6_addr[11] = 0xff;
  a.v6.sin6_addr.s6_addr[12] = 127;
  a.v6.sin6_addr.s6_addr[15] = 1;
  return a;
}

int main(void) {
  int server = tcp_socket(AF_INET6);
  struct Address a = any6(0), got;
  OK(bind(server, &a.any, a.size));
  OK(listen(server, 5));
  int port = port_of(server);
  // An IPv4 client of an IPv6 listener.
  int fd = client_of(server, AF_INET);
  got.size = sizeof(got.v6);
  int peer = OK(accept(server, &got.any, &got.size));
  CHECK_EQ(got.size, sizeof(got.v6));
  CHECK_EQ(got.any.sa_family, AF_INET6);
  CHECK(IN6_IS_ADDR_V4MAPPED(&got.v6.sin6_addr));
  CHECK_EQ(ntohs(got.v6.sin6_port), port_of(fd));
  CHECK_EQ(int_option(peer, SOL_SOCKET, SO_DOMAIN), AF_INET6);
  got.size = sizeof(got.v6);
  OK(getsockname(peer, &got.any, &got.size));
  a = mapped(0);
  CHECK_EQ(memcmp(&got.v6.sin6_addr, &a.v6.sin6_addr, 16), 0);
  send_all(fd, "four");
  expect(peer, "four");
  OK(close(peer));
  OK(close(fd));
  // An IPv6 socket that connects to a mapped address.
  fd = tcp_socket(AF_INET6);
  a = mapped(port);
  OK(connect(fd, &a.any, a.size));
  peer = OK(accept(server, NULL, NULL));
  send_all(peer, "mapped");
  expect(fd, "mapped");
  OK(close(peer));
  OK(close(fd));
  // IPv6 proper.
  fd = client_of(server, AF_INET6);
  OK(close(OK(accept(server, NULL, NULL))));
  OK(close(fd));
  // The port is taken for both.
  int other = tcp_socket(AF_INET);
  a = loopback(AF_INET, port);
  FAILS(bind(other, &a.any, a.size), EADDRINUSE);
  OK(close(server));
  OK(set_int(other, SOL_SOCKET, SO_REUSEADDR, 1));
  OK(close(other));
  // Unless it wants IPv6 alone.
  server = tcp_socket(AF_INET6);
  OK(set_int(server, IPPROTO_IPV6, IPV6_V6ONLY, 1));
  a = any6(0);
  OK(bind(server, &a.any, a.size));
  OK(listen(server, 1));
  FAILS(set_int(server, IPPROTO_IPV6, IPV6_V6ONLY, 0), EINVAL);
  port = port_of(server);
  other = tcp_socket(AF_INET);
  a = loopback(AF_INET, port);
  FAILS(connect(other, &a.any, a.size), ECONNREFUSED);
  OK(bind(other, &a.any, a.size));
  OK(listen(other, 1));
  OK(close(other));
  fd = tcp_socket(AF_INET6);
  OK(set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
  a = mapped(port);
  FAILS(connect(fd, &a.any, a.size), ENETUNREACH);
  OK(close(fd));
  OK(close(server));
  return 0;
}
