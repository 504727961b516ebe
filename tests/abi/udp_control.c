// Ancillary data of UDP: IP_PKTINFO, TTL, TOS, their IPv6 kin, time stamps (ip(7), ipv6(7), socket(7)).
#include "net.h"

static struct NetMessage g_message;

static void* take(int fd, int level, int type, size_t size) {
  OK(net_recvmsg(fd, &g_message, MSG_DONTWAIT));
  return net_cmsg(&g_message, level, type, size);
}

static void v4(void) {
  int to = net_udp4("0.0.0.0", 0), from = net_udp4("127.0.0.1", 0), port = net_port(to);
  struct sockaddr_in a = net_v4("127.0.0.2", port);
  net_set(to, SOL_IP, IP_PKTINFO, 1);
  CHECK_EQ(net_get(to, SOL_IP, IP_PKTINFO), 1);
  net_send4(from, "x", "127.0.0.2", port);
  struct in_pktinfo* info = take(to, SOL_IP, IP_PKTINFO, sizeof(*info));
  CHECK(info != NULL);
  CHECK_EQ(info->ipi_ifindex, if_nametoindex("lo"));
  CHECK_EQ(info->ipi_addr.s_addr, a.sin_addr.s_addr);
  CHECK_EQ(info->ipi_spec_dst.s_addr, a.sin_addr.s_addr);
  net_set(to, SOL_IP, IP_PKTINFO, 0);

  net_set(to, SOL_IP, IP_RECVTTL, 1);
  net_set(to, SOL_IP, IP_RECVTOS, 1);
  net_send4(from, "x", "127.0.0.2", port);
  CHECK_EQ(*(int*)take(to, SOL_IP, IP_TTL, sizeof(int)), net_get(from, SOL_IP, IP_TTL));
  CHECK_EQ(*(unsigned char*)net_cmsg(&g_message, SOL_IP, IP_TOS, 1), 0);
  net_set(from, SOL_IP, IP_TTL, 7);
  net_set(from, SOL_IP, IP_TOS, 0x28);
  net_send4(from, "x", "127.0.0.2", port);
  CHECK_EQ(*(int*)take(to, SOL_IP, IP_TTL, sizeof(int)), 7);
  CHECK_EQ(*(unsigned char*)net_cmsg(&g_message, SOL_IP, IP_TOS, 1), 0x28);
  // For one message.
  int value = 9;
  OK(net_sendmsg(from, SA(a), "x", SOL_IP, IP_TTL, &value, sizeof(value)));
  CHECK_EQ(*(int*)take(to, SOL_IP, IP_TTL, sizeof(int)), 9);
  value = 0x10;
  OK(net_sendmsg(from, SA(a), "x", SOL_IP, IP_TOS, &value, sizeof(value)));
  CHECK(take(to, SOL_IP, IP_TTL, sizeof(int)) != NULL);
  CHECK_EQ(*(unsigned char*)net_cmsg(&g_message, SOL_IP, IP_TOS, 1), 0x10);
  value = 0;
  FAILS(net_sendmsg(from, SA(a), "x", SOL_IP, IP_TTL, &value, sizeof(value)), EINVAL);
  value = 256;
  FAILS(net_sendmsg(from, SA(a), "x", SOL_IP, IP_TTL, &value, sizeof(value)), EINVAL);
  FAILS(net_sendmsg(from, SA(a), "x", SOL_IP, IP_RECVERR, &value, sizeof(value)), EINVAL);
  // Other levels are not for us.
  OK(net_sendmsg(from, SA(a), "x", IPPROTO_TCP, 1, &value, sizeof(value)));
  net_expect(to, "x");

  // IP_PKTINFO chooses the source.
  int any = net_udp4("0.0.0.0", 0);
  struct in_pktinfo choice = {.ipi_spec_dst = {htonl(0x7f000009)}};
  OK(net_sendmsg(any, SA(a), "x", SOL_IP, IP_PKTINFO, &choice, sizeof(choice)));
  take(to, SOL_IP, IP_TTL, sizeof(int));
  CHECK_EQ(((struct sockaddr_in*)&g_message.from)->sin_addr.s_addr, htonl(0x7f000009));
  choice.ipi_spec_dst.s_addr = htonl(0xc0000201);
  FAILS(net_sendmsg(any, SA(a), "x", SOL_IP, IP_PKTINFO, &choice, sizeof(choice)), ENETUNREACH);
  choice = (struct in_pktinfo){.ipi_ifindex = 999};
  FAILS(net_sendmsg(any, SA(a), "x", SOL_IP, IP_PKTINFO, &choice, sizeof(choice)), ENODEV);
}

static void v6(void) {
  int to = net_udp6("::", 0), from = net_udp6("::", 0);
  struct sockaddr_in6 a = net_v6("::1", net_port(to));
  net_set(to, SOL_IPV6, IPV6_RECVPKTINFO, 1);
  net_set(to, SOL_IPV6, IPV6_RECVHOPLIMIT, 1);
  net_set(to, SOL_IPV6, IPV6_RECVTCLASS, 1);
  CHECK_EQ(sendto(from, "x", 1, 0, SA(a)), 1);
  struct in6_pktinfo* info = take(to, SOL_IPV6, IPV6_PKTINFO, sizeof(*info));
  CHECK(info && memcmp(&info->ipi6_addr, &in6addr_loopback, 16) == 0);
  CHECK_EQ(info->ipi6_ifindex, if_nametoindex("lo"));
  CHECK_EQ(*(int*)net_cmsg(&g_message, SOL_IPV6, IPV6_HOPLIMIT, sizeof(int)), 64);
  CHECK_EQ(*(int*)net_cmsg(&g_message, SOL_IPV6, IPV6_TCLASS, sizeof(int)), 0);
  int value = 33;
  OK(net_sendmsg(from, SA(a), "x", SOL_IPV6, IPV6_HOPLIMIT, &value, sizeof(value)));
  CHECK_EQ(*(int*)take(to, SOL_IPV6, IPV6_HOPLIMIT, sizeof(int)), 33);
  OK(net_sendmsg(from, SA(a), "x", SOL_IPV6, IPV6_TCLASS, &value, sizeof(value)));
  CHECK_EQ(*(int*)take(to, SOL_IPV6, IPV6_TCLASS, sizeof(int)), 33);
  value = 256;
  FAILS(net_sendmsg(from, SA(a), "x", SOL_IPV6, IPV6_HOPLIMIT, &value, sizeof(value)), EINVAL);
  net_set(from, SOL_IPV6, IPV6_UNICAST_HOPS, 12);
  net_set(from, SOL_IPV6, IPV6_TCLASS, 0x40);
  CHECK_EQ(sendto(from, "x", 1, 0, SA(a)), 1);
  CHECK_EQ(*(int*)take(to, SOL_IPV6, IPV6_HOPLIMIT, sizeof(int)), 12);
  CHECK_EQ(*(int*)net_cmsg(&g_message, SOL_IPV6, IPV6_TCLASS, sizeof(int)), 0x40);
  // An IPv4 packet tells what it can.
  int four = net_udp4("127.0.0.1", 0);
  net_send4(four, "x", "127.0.0.3", net_port(to));
  info = take(to, SOL_IPV6, IPV6_PKTINFO, sizeof(*info));
  char text[64];
  CHECK_STR(inet_ntop(AF_INET6, &info->ipi6_addr, text, sizeof(text)), "::ffff:127.0.0.3");
  CHECK(net_cmsg(&g_message, SOL_IPV6, IPV6_HOPLIMIT, sizeof(int)) == NULL);
}

static void stamps(void) {
  int to = net_udp4("127.0.0.1", 0), from = net_udp4("127.0.0.1", 0);
  struct timespec before, after;
  clock_gettime(CLOCK_REALTIME, &before);
  net_set(to, SOL_SOCKET, SO_TIMESTAMP, 1);
  net_send4(from, "x", "127.0.0.1", net_port(to));
  struct timeval* us = take(to, SOL_SOCKET, SCM_TIMESTAMP, sizeof(*us));
  clock_gettime(CLOCK_REALTIME, &after);
  CHECK(us && us->tv_sec >= before.tv_sec && us->tv_sec <= after.tv_sec && us->tv_usec < 1000000);
  net_set(to, SOL_SOCKET, SO_TIMESTAMPNS, 1);
  CHECK_EQ(net_get(to, SOL_SOCKET, SO_TIMESTAMP), 0);
  net_send4(from, "x", "127.0.0.1", net_port(to));
  struct timespec* ns = take(to, SOL_SOCKET, SCM_TIMESTAMPNS, sizeof(*ns));
  CHECK(ns && ns->tv_sec >= before.tv_sec && ns->tv_nsec < 1000000000);
  // Too little room for it.
  net_send4(from, "x", "127.0.0.1", net_port(to));
  struct NetMessage m = {0};
  m.iov = (struct iovec){m.data, sizeof(m.data)};
  m.header = (struct msghdr){NULL, 0, &m.iov, 1, m.control, 20, 0};
  CHECK_EQ(recvmsg(to, &m.header, 0), 1);
  CHECK(m.header.msg_flags & MSG_CTRUNC);
}

int main(void) {
  net_private();
  v4();
  v6();
  stamps();
  return 0;
}
