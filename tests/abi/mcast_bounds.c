// Memberships: how many there may be (ip(7), ipv6(7)), and that they end with their socket, a stream's too.
#include "net.h"

static int join6(int fd, int n, int interface) {
  struct ipv6_mreq m = {.ipv6mr_interface = interface};
  CHECK_EQ(inet_pton(AF_INET6, "ff05::1:0", &m.ipv6mr_multiaddr), 1);
  m.ipv6mr_multiaddr.s6_addr[14] = n >> 8;
  m.ipv6mr_multiaddr.s6_addr[15] = n;
  return setsockopt(fd, SOL_IPV6, IPV6_ADD_MEMBERSHIP, &m, sizeof(m));
}

int main(void) {
  net_private();
  int lo = if_nametoindex("lo"), fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  for (int i = 0; i < 21; ++i) {
    struct ip_mreqn m = {.imr_multiaddr = {htonl(0xefff0200 + i)}, .imr_ifindex = lo};
    int done = setsockopt(fd, SOL_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m));
    CHECK_EQ(done, i < 20 ? 0 : -1);
    if (i == 20) CHECK_EQ(errno, ENOBUFS);
  }
  OK(close(fd));
  fd = OK(socket(AF_INET6, SOCK_DGRAM, 0));
  int count = 0;
  while (count < 65536 && join6(fd, count, lo) == 0) ++count;
  CHECK_EQ(errno, ENOMEM);
  CHECK(count >= 100 && count < 10000);
  OK(close(fd));

  // IP_ADD_MEMBERSHIP is not for streams, MCAST_JOIN_GROUP is.
  struct group_req g = {.gr_interface = lo};
  struct sockaddr_in group = net_v4("239.255.3.1", 0);
  memcpy(&g.gr_group, &group, sizeof(group));
  int stream = OK(socket(AF_INET, SOCK_STREAM, 0)), to = net_udp4("0.0.0.0", 0),
      from = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct ip_mreqn use = {.imr_ifindex = lo};
  OK(setsockopt(from, SOL_IP, IP_MULTICAST_IF, &use, sizeof(use)));
  OK(setsockopt(stream, SOL_IP, MCAST_JOIN_GROUP, &g, sizeof(g)));
  net_send4(from, "heard", "239.255.3.1", net_port(to));
  net_expect(to, "heard");
  OK(close(stream));
  net_send4(from, "lost", "239.255.3.1", net_port(to));
  net_empty(to);
  return 0;
}
