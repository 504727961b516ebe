// connect(2) on UDP: peers, what others send, refusals, taking the peer away.
#include "net.h"

int main(void) {
  net_private();
  int server = net_udp4("127.0.0.1", 0), other = net_udp4("127.0.0.1", 0);
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct sockaddr_in a = net_v4("127.0.0.1", net_port(server)), name;
  socklen_t size = sizeof(name);
  FAILS(connect(fd, (struct sockaddr*)&a, 8), EINVAL);
  FAILS(connect(fd, (struct sockaddr*)&a, 1), EINVAL);
  struct sockaddr_in6 wrong = net_v6("::1", 1);
  FAILS(connect(fd, SA(wrong)), EAFNOSUPPORT);
  OK(connect(fd, SA(a)));
  OK(getpeername(fd, (struct sockaddr*)&name, &size));
  CHECK_EQ(name.sin_port, a.sin_port);
  CHECK_EQ(name.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  size = sizeof(name);
  OK(getsockname(fd, (struct sockaddr*)&name, &size));
  CHECK_EQ(name.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  CHECK(name.sin_port != 0);
  CHECK_EQ(write(fd, "one", 3), 3);
  net_expect(server, "one");
  // Strangers are not heard.
  net_send4(other, "no", "127.0.0.1", net_port(fd));
  net_empty(fd);
  net_send4(server, "yes", "127.0.0.1", net_port(fd));
  net_expect(fd, "yes");
  // An address still goes elsewhere.
  net_send4(fd, "two", "127.0.0.1", net_port(other));
  net_expect(other, "two");

  // Nobody there: told at the next call, once.
  OK(close(server));
  CHECK_EQ(send(fd, "x", 1, 0), 1);
  char c;
  FAILS(recv(fd, &c, 1, MSG_DONTWAIT), ECONNREFUSED);
  net_empty(fd);
  CHECK_EQ(send(fd, "x", 1, 0), 1);
  FAILS(send(fd, "x", 1, 0), ECONNREFUSED);
  CHECK_EQ(send(fd, "x", 1, 0), 1);
  CHECK_EQ(net_get(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
  CHECK_EQ(net_get(fd, SOL_SOCKET, SO_ERROR), 0);
  // Who is not connected is not told.
  int loose = net_udp4("127.0.0.1", 0);
  net_send4(loose, "x", "127.0.0.1", ntohs(a.sin_port));
  net_empty(loose);

  // Another peer, and none.
  a = net_v4("127.0.0.1", net_port(other));
  OK(connect(fd, SA(a)));
  CHECK_EQ(write(fd, "three", 5), 5);
  net_expect(other, "three");
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  OK(connect(fd, &none, sizeof(none)));
  size = sizeof(name);
  FAILS(getpeername(fd, (struct sockaddr*)&name, &size), ENOTCONN);
  size = sizeof(name);
  OK(getsockname(fd, (struct sockaddr*)&name, &size));
  CHECK_EQ(name.sin_addr.s_addr, 0);
  CHECK_EQ(name.sin_port, 0);
  FAILS(send(fd, "x", 1, 0), EDESTADDRREQ);
  CHECK(net_port(fd) != 0);
  // A name of its own stays.
  int port = net_port(loose);
  OK(close(loose));
  loose = net_udp4("127.0.0.1", port);
  OK(connect(loose, SA(a)));
  OK(connect(loose, &none, sizeof(none)));
  CHECK_EQ(net_port(loose), port);

  // To oneself; 127/8 is all ours, with 127.0.0.1 as its face.
  a = net_v4("127.0.0.1", port);
  OK(connect(loose, SA(a)));
  CHECK_EQ(write(loose, "self", 4), 4);
  net_expect(loose, "self");
  fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  a = net_v4("127.5.6.7", port);
  OK(connect(fd, SA(a)));
  size = sizeof(name);
  OK(getsockname(fd, (struct sockaddr*)&name, &size));
  CHECK_EQ(name.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  // 0.0.0.0 is this host.
  a = net_v4("0.0.0.0", port);
  OK(connect(fd, SA(a)));
  size = sizeof(name);
  OK(getpeername(fd, (struct sockaddr*)&name, &size));
  CHECK_EQ(name.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  return 0;
}
