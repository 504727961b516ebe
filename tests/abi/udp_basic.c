// udp(7): names, addresses, sizes.
#include "net.h"

static void names(void) {
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct sockaddr_in a = net_v4("1.2.3.4", 5);
  socklen_t size = sizeof(a);
  OK(getsockname(fd, (struct sockaddr*)&a, &size));
  CHECK_EQ(size, sizeof(a));
  CHECK_EQ(a.sin_family, AF_INET);
  CHECK_EQ(a.sin_port, 0);
  CHECK_EQ(a.sin_addr.s_addr, 0);
  size = sizeof(a);
  FAILS(getpeername(fd, (struct sockaddr*)&a, &size), ENOTCONN);
  char c;
  FAILS(recv(fd, &c, 1, MSG_DONTWAIT), EAGAIN);
  FAILS(send(fd, "x", 1, 0), EDESTADDRREQ);
  FAILS(listen(fd, 1), EOPNOTSUPP);
  FAILS(accept(fd, NULL, NULL), EOPNOTSUPP);
  // The first message gives it a port.
  int to = net_udp4("127.0.0.1", 0);
  net_send4(fd, "hello", "127.0.0.1", net_port(to));
  int port = net_port(fd);
  CHECK(port >= 1024);
  char text[16];
  size = sizeof(a);
  CHECK_EQ(recvfrom(to, text, sizeof(text), 0, (struct sockaddr*)&a, &size), 5);
  CHECK_EQ(size, sizeof(a));
  CHECK_EQ(ntohs(a.sin_port), port);
  CHECK_EQ(a.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  // And back; a room that is too small is told of.
  CHECK_EQ(sendto(to, "answer", 6, 0, SA(a)), 6);
  size = 4;
  struct sockaddr_in cut = {0};
  CHECK_EQ(recvfrom(fd, text, sizeof(text), 0, (struct sockaddr*)&cut, &size), 6);
  CHECK_EQ(size, sizeof(a));
  CHECK_EQ(cut.sin_addr.s_addr, 0);
  CHECK_EQ(net_get(fd, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
  CHECK_EQ(net_get(fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_UDP);
  CHECK_EQ(net_get(fd, SOL_SOCKET, SO_DOMAIN), AF_INET);
  OK(close(fd));
  OK(close(to));
}

static void errors(void) {
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct sockaddr_in a = net_v4("127.0.0.1", 0);
  FAILS(sendto(fd, "x", 1, 0, SA(a)), EINVAL);
  a = net_v4("127.0.0.1", 9);
  FAILS(sendto(fd, "x", 1, 0, (struct sockaddr*)&a, 8), EINVAL);
  a.sin_family = AF_INET6;
  FAILS(sendto(fd, "x", 1, 0, SA(a)), EAFNOSUPPORT);
  FAILS(sendto(fd, (char*)8, 10, 0, SA(a)), EAFNOSUPPORT);
  a.sin_family = AF_INET;
  FAILS(sendto(fd, (char*)8, 10, 0, SA(a)), EFAULT);
  FAILS(sendto(fd, "x", 1, MSG_OOB, SA(a)), EOPNOTSUPP);
  OK(close(fd));
}

static void sizes(void) {
  static char big[70000], got[70000];
  for (size_t i = 0; i < sizeof(big); ++i) big[i] = (char)(i * 7 + i / 256);
  int from = net_udp4("127.0.0.1", 0), to = net_udp4("127.0.0.1", 0);
  struct sockaddr_in a = net_v4("127.0.0.1", net_port(to));
  FAILS(sendto(from, big, 65508, 0, SA(a)), EMSGSIZE);
  FAILS(sendto(from, big, 70000, 0, SA(a)), EMSGSIZE);
  static const int kSizes[] = {0, 1, 2, 1471, 1472, 1473, 3072, 3073, 4096, 16000, 40001, 65507};
  for (size_t i = 0; i < sizeof(kSizes) / sizeof(kSizes[0]); ++i) {
    CHECK_EQ(sendto(from, big, kSizes[i], 0, SA(a)), kSizes[i]);
    CHECK_EQ(recv(to, got, sizeof(got), 0), kSizes[i]);
    CHECK(memcmp(big, got, kSizes[i]) == 0);
  }
  // Many pieces on both sides.
  struct iovec out[4] = {{big, 1}, {big + 1, 5000}, {NULL, 0}, {big + 5001, 7000}};
  struct iovec in[3] = {{got, 4000}, {got + 4000, 1}, {got + 4001, 20000}};
  struct msghdr m = {&a, sizeof(a), out, 4, NULL, 0, 0};
  CHECK_EQ(sendmsg(from, &m, 0), 12001);
  memset(got, 0, sizeof(got));
  m = (struct msghdr){NULL, 0, in, 3, NULL, 0, 0};
  CHECK_EQ(recvmsg(to, &m, 0), 12001);
  CHECK(memcmp(big, got, 12001) == 0);
  OK(close(from));
  OK(close(to));
}

int main(void) {
  net_private();
  names();
  errors();
  sizes();
  return 0;
}
