// Multicast on lo: membership, IP_MULTICAST_IF, TTL, LOOP, ALL (ip(7), ipv6(7)); broadcast.
#include "net.h"

static void groups(void) {
  int to = net_udp4("0.0.0.0", 0), from = OK(socket(AF_INET, SOCK_DGRAM, 0)), port = net_port(to);
  int lo = if_nametoindex("lo");
  struct ip_mreqn on_lo = {.imr_multiaddr = {htonl(0xefff0101)}, .imr_ifindex = lo};
  struct ip_mreqn use = {.imr_ifindex = lo};
  OK(setsockopt(from, SOL_IP, IP_MULTICAST_IF, &use, sizeof(use)));
  // Nobody is a member: nobody gets it.
  net_send4(from, "lost", "239.255.1.1", port);
  net_empty(to);
  OK(setsockopt(to, SOL_IP, IP_ADD_MEMBERSHIP, &on_lo, sizeof(on_lo)));
  FAILS(setsockopt(to, SOL_IP, IP_ADD_MEMBERSHIP, &on_lo, sizeof(on_lo)), EADDRINUSE);
  net_send4(from, "group", "239.255.1.1", port);
  net_expect(to, "group");
  net_empty(to);
  // Another socket of the machine gets it too, unless it wants its own groups only.
  int second = OK(socket(AF_INET, SOCK_DGRAM, 0));
  net_set(to, SOL_SOCKET, SO_REUSEADDR, 1);
  net_set(second, SOL_SOCKET, SO_REUSEADDR, 1);
  struct sockaddr_in a = net_v4("0.0.0.0", port);
  OK(bind(second, SA(a)));
  net_send4(from, "both", "239.255.1.1", port);
  net_expect(to, "both");
  net_expect(second, "both");
  net_set(second, SOL_IP, IP_MULTICAST_ALL, 0);
  net_send4(from, "one", "239.255.1.1", port);
  net_expect(to, "one");
  net_empty(second);
  OK(setsockopt(to, SOL_IP, IP_DROP_MEMBERSHIP, &on_lo, sizeof(on_lo)));
  FAILS(setsockopt(to, SOL_IP, IP_DROP_MEMBERSHIP, &on_lo, sizeof(on_lo)), EADDRNOTAVAIL);
  net_send4(from, "lost", "239.255.1.1", port);
  net_empty(to);
  // By address, and what is no group or no interface.
  struct ip_mreq old = {{htonl(0xefff0102)}, {htonl(INADDR_LOOPBACK)}};
  OK(setsockopt(to, SOL_IP, IP_ADD_MEMBERSHIP, &old, sizeof(old)));
  net_send4(from, "old", "239.255.1.2", port);
  net_expect(to, "old");
  old.imr_multiaddr.s_addr = htonl(INADDR_LOOPBACK);
  FAILS(setsockopt(to, SOL_IP, IP_ADD_MEMBERSHIP, &old, sizeof(old)), EINVAL);
  on_lo.imr_ifindex = 999;
  FAILS(setsockopt(to, SOL_IP, IP_ADD_MEMBERSHIP, &on_lo, sizeof(on_lo)), ENODEV);
  FAILS(setsockopt(to, SOL_IP, IP_ADD_MEMBERSHIP, &on_lo, 7), EINVAL);
  use.imr_ifindex = 999;
  FAILS(setsockopt(from, SOL_IP, IP_MULTICAST_IF, &use, sizeof(use)), EADDRNOTAVAIL);
  CHECK_EQ(net_get(from, SOL_IP, IP_MULTICAST_TTL), 1);
  CHECK_EQ(net_get(from, SOL_IP, IP_MULTICAST_LOOP), 1);
  net_set(from, SOL_IP, IP_MULTICAST_TTL, 5);
  CHECK_EQ(net_get(from, SOL_IP, IP_MULTICAST_TTL), 5);
}

static void groups6(void) {
  int to = net_udp6("::", 0), port = net_port(to), lo = if_nametoindex("lo");
  struct ipv6_mreq m = {.ipv6mr_interface = lo};
  CHECK_EQ(inet_pton(AF_INET6, "ff15::77", &m.ipv6mr_multiaddr), 1);
  OK(setsockopt(to, SOL_IPV6, IPV6_JOIN_GROUP, &m, sizeof(m)));
  FAILS(setsockopt(to, SOL_IPV6, IPV6_JOIN_GROUP, &m, sizeof(m)), EADDRINUSE);
  OK(setsockopt(to, SOL_IPV6, IPV6_LEAVE_GROUP, &m, sizeof(m)));
  FAILS(setsockopt(to, SOL_IPV6, IPV6_LEAVE_GROUP, &m, sizeof(m)), EADDRNOTAVAIL);
  FAILS(setsockopt(to, SOL_IPV6, IPV6_JOIN_GROUP, &m, 19), EINVAL);
  m.ipv6mr_multiaddr = in6addr_loopback;
  FAILS(setsockopt(to, SOL_IPV6, IPV6_JOIN_GROUP, &m, sizeof(m)), EINVAL);
  int value = 999;
  FAILS(setsockopt(to, SOL_IPV6, IPV6_MULTICAST_IF, &value, sizeof(value)), ENODEV);
  net_set(to, SOL_IPV6, IPV6_MULTICAST_IF, lo);
  CHECK_EQ(net_get(to, SOL_IPV6, IPV6_MULTICAST_IF), lo);
  CHECK_EQ(net_get(to, SOL_IPV6, IPV6_MULTICAST_HOPS), 1);
  (void)port;
}

static void broadcast(void) {
  int to = net_udp4("0.0.0.0", 0), from = OK(socket(AF_INET, SOCK_DGRAM, 0)), port = net_port(to);
  struct sockaddr_in a = net_v4("127.255.255.255", port);
  FAILS(sendto(from, "x", 1, 0, SA(a)), EACCES);
  FAILS(connect(from, SA(a)), EACCES);
  net_set(from, SOL_SOCKET, SO_BROADCAST, 1);
  CHECK_EQ(sendto(from, "all", 3, 0, SA(a)), 3);
  net_expect(to, "all");
  // Who has an address of his own does not hear them.
  int own = net_udp4("127.0.0.1", 0);
  a.sin_port = htons(net_port(own));
  CHECK_EQ(sendto(from, "all", 3, 0, SA(a)), 3);
  net_empty(own);
}

int main(void) {
  net_private();
  groups();
  groups6();
  broadcast();
  return 0;
}
