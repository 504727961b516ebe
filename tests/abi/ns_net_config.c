// What CAP_NET_ADMIN changes: addresses, routes, flags and MTU by rtnetlink(7)
// and netdevice(7), and who hears of it.
#include "netlink.h"

static int address(int fd, int type, int flags, const char* text, int prefix) {
  struct NetlinkRequest r;
  struct ifaddrmsg* m = nl_begin(&r, type, flags, sizeof(*m));
  unsigned char raw[16];
  m->ifa_family = strchr(text, ':') ? AF_INET6 : AF_INET;
  m->ifa_prefixlen = prefix;
  m->ifa_index = 1;
  CHECK_EQ(inet_pton(m->ifa_family, text, raw), 1);
  nl_attribute(&r, IFA_LOCAL, raw, m->ifa_family == AF_INET ? 4 : 16);
  return nl_ask(fd, &r);
}

static int route(int fd, int type, int flags, const char* text, int prefix, int kind) {
  struct NetlinkRequest r;
  struct rtmsg* m = nl_begin(&r, type, flags, sizeof(*m));
  unsigned char raw[4];
  int lo = 1;
  *m = (struct rtmsg){AF_INET, prefix, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_LINK, kind, 0};
  CHECK_EQ(inet_pton(AF_INET, text, raw), 1);
  nl_attribute(&r, RTA_DST, raw, 4);
  if (kind == RTN_UNICAST) nl_attribute(&r, RTA_OIF, &lo, 4);
  return nl_ask(fd, &r);
}

static int reach(const char* text) {
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct sockaddr_in a = net_v4(text, 9);
  int error = connect(fd, SA(a)) == 0 ? 0 : errno;
  OK(close(fd));
  return error;
}

static void expect_news(int fd, int type) {
  char buffer[4096];
  CHECK(recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT) > 0);
  CHECK_EQ(((struct nlmsghdr*)buffer)->nlmsg_type, type);
}

static int flags_of(int fd, const char* text) {
  struct NetlinkRequest r;
  static char answer[16384];
  unsigned char raw[4];
  int found = -1;
  CHECK_EQ(inet_pton(AF_INET, text, raw), 1);
  struct ifaddrmsg* m = nl_begin(&r, RTM_GETADDR, NLM_F_DUMP, sizeof(*m));
  m->ifa_family = AF_INET;
  nl_send(fd, &r);
  for (;;) {
    ssize_t n = OK(recv(fd, answer, sizeof(answer), MSG_DONTWAIT));
    for (struct nlmsghdr* h = (struct nlmsghdr*)answer; NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n)) {
      if (h->nlmsg_type == NLMSG_DONE) return found;
      struct rtattr* a = nl_find(h, sizeof(*m), IFA_LOCAL);
      if (memcmp(RTA_DATA(a), raw, 4) == 0) found = ((struct ifaddrmsg*)NLMSG_DATA(h))->ifa_flags;
    }
  }
}

// The second address of a network stands behind the first, goes without a trace, and goes with it or takes its place.
static void secondary(int fd) {
  const int flags = NLM_F_CREATE | NLM_F_EXCL;
  CHECK_EQ(address(fd, RTM_NEWADDR, flags, "10.9.6.1", 24), 0);
  CHECK_EQ(address(fd, RTM_NEWADDR, flags, "10.9.6.2", 24), 0);
  CHECK_EQ(address(fd, RTM_NEWADDR, flags, "10.9.6.3", 24), 0);
  CHECK_EQ(address(fd, RTM_NEWADDR, flags, "10.9.6.4", 25), 0);
  CHECK_EQ(flags_of(fd, "10.9.6.1"), IFA_F_PERMANENT);
  CHECK_EQ(flags_of(fd, "10.9.6.2"), IFA_F_PERMANENT | IFA_F_SECONDARY);
  CHECK_EQ(flags_of(fd, "10.9.6.4"), IFA_F_PERMANENT);
  CHECK_EQ(address(fd, RTM_DELADDR, 0, "10.9.6.2", 24), 0);
  CHECK_EQ(reach("10.9.6.77"), 0);
  CHECK_EQ(flags_of(fd, "10.9.6.3"), IFA_F_PERMANENT | IFA_F_SECONDARY);
  int promote = open("/proc/sys/net/ipv4/conf/lo/promote_secondaries", O_RDONLY);
  char on = 0;
  CHECK_EQ(read(promote, &on, 1), 1);
  OK(close(promote));
  CHECK_EQ(address(fd, RTM_DELADDR, 0, "10.9.6.1", 24), 0);
  CHECK_EQ(flags_of(fd, "10.9.6.3"), on == '1' ? IFA_F_PERMANENT : -1);
  CHECK_EQ(flags_of(fd, "10.9.6.4"), IFA_F_PERMANENT);
  if (on == '1') CHECK_EQ(address(fd, RTM_DELADDR, 0, "10.9.6.3", 24), 0);
  CHECK_EQ(address(fd, RTM_DELADDR, 0, "10.9.6.4", 25), 0);
  CHECK_EQ(reach("10.9.6.77"), ENETUNREACH);
}

int main(void) {
  net_private();
  int fd = OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
  if (address(fd, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "10.9.8.7", 24) == EPERM) {
    CHECK_EQ(route(fd, RTM_NEWROUTE, NLM_F_CREATE, "192.0.2.0", 24, RTN_UNICAST), EPERM);
    return 0;
  }
  int news = OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
  struct sockaddr_nl a = {.nl_family = AF_NETLINK,
                          .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_LINK};
  OK(bind(news, SA(a)));
  CHECK_EQ(address(fd, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "10.9.8.7", 24), EEXIST);
  CHECK_EQ(reach("10.9.8.7"), 0);
  int to = net_udp4("10.9.8.7", 0), from = net_udp4("127.0.0.1", 0);
  net_send4(from, "hello", "10.9.8.7", net_port(to));
  net_expect(to, "hello");
  OK(close(to));
  CHECK_EQ(address(fd, RTM_DELADDR, 0, "10.9.8.7", 24), 0);
  expect_news(news, RTM_DELADDR);
  CHECK_EQ(address(fd, RTM_DELADDR, 0, "10.9.8.7", 24), EADDRNOTAVAIL);
  CHECK_EQ(reach("10.9.8.7"), ENETUNREACH);
  CHECK_EQ(address(fd, RTM_NEWADDR, NLM_F_CREATE, "10.9.8.7", 33), EINVAL);
  CHECK_EQ(address(fd, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "2001:db8::7", 128), 0);
  CHECK_EQ(address(fd, RTM_DELADDR, 0, "2001:db8::7", 128), 0);
  while (recv(news, &(char[4096]){0}, 4096, MSG_DONTWAIT) > 0) {
  }

  CHECK_EQ(reach("192.0.2.1"), ENETUNREACH);
  CHECK_EQ(route(fd, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "192.0.2.0", 24, RTN_UNICAST), 0);
  expect_news(news, RTM_NEWROUTE);
  CHECK_EQ(route(fd, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "192.0.2.0", 24, RTN_UNICAST), EEXIST);
  CHECK_EQ(reach("192.0.2.1"), 0);
  // The longest prefix wins.
  CHECK_EQ(route(fd, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "192.0.2.128", 25, RTN_UNREACHABLE), 0);
  CHECK_EQ(reach("192.0.2.1"), 0);
  CHECK_EQ(reach("192.0.2.129"), EHOSTUNREACH);
  CHECK_EQ(route(fd, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "192.0.2.192", 26, RTN_PROHIBIT), 0);
  CHECK_EQ(reach("192.0.2.193"), EACCES);
  CHECK_EQ(route(fd, RTM_DELROUTE, 0, "192.0.2.192", 26, RTN_PROHIBIT), 0);
  CHECK_EQ(route(fd, RTM_DELROUTE, 0, "192.0.2.128", 25, RTN_UNREACHABLE), 0);
  CHECK_EQ(route(fd, RTM_DELROUTE, 0, "192.0.2.0", 24, RTN_UNICAST), 0);
  CHECK_EQ(route(fd, RTM_DELROUTE, 0, "192.0.2.0", 24, RTN_UNICAST), ESRCH);
  CHECK_EQ(reach("192.0.2.1"), ENETUNREACH);

  secondary(fd);

  // A smaller MTU makes fragments, which come together again.
  struct ifreq r = {.ifr_name = "lo"};
  r.ifr_mtu = 1400;
  OK(ioctl(from, SIOCSIFMTU, &r));
  r.ifr_mtu = 0;
  OK(ioctl(from, SIOCGIFMTU, &r));
  CHECK_EQ(r.ifr_mtu, 1400);
  static char big[20000], got[20000];
  for (size_t i = 0; i < sizeof(big); ++i) big[i] = i * 13 + i / 251;
  to = net_udp4("127.0.0.1", 0);
  struct sockaddr_in at = net_v4("127.0.0.1", net_port(to));
  CHECK_EQ(sendto(from, big, sizeof(big), 0, SA(at)), sizeof(big));
  CHECK_EQ(recv(to, got, sizeof(got), MSG_DONTWAIT), sizeof(got));
  CHECK(memcmp(big, got, sizeof(big)) == 0);
  net_set(from, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
  FAILS(sendto(from, big, sizeof(big), 0, SA(at)), EMSGSIZE);
  CHECK_EQ(sendto(from, big, 1372, 0, SA(at)), 1372);
  FAILS(sendto(from, big, 1373, 0, SA(at)), EMSGSIZE);
  net_set(from, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
  // IPv6: a socket that discovers the path's MTU by itself has nothing cut, nor one that says so.
  int to6 = net_udp6("::1", 0), from6 = net_udp6("::1", 0);
  struct sockaddr_in6 at6 = net_v6("::1", net_port(to6));
  CHECK_EQ(sendto(from6, big, sizeof(big), 0, SA(at6)), sizeof(big));
  CHECK_EQ(recv(to6, got, sizeof(got), MSG_DONTWAIT), sizeof(got));
  for (int mode = IPV6_PMTUDISC_DO; mode <= IPV6_PMTUDISC_INTERFACE; ++mode) {
    net_set(from6, SOL_IPV6, IPV6_MTU_DISCOVER, mode);
    FAILS(sendto(from6, big, 1353, 0, SA(at6)), EMSGSIZE);
    CHECK_EQ(sendto(from6, big, 1352, 0, SA(at6)), 1352);
    CHECK_EQ(recv(to6, got, sizeof(got), MSG_DONTWAIT), 1352);
  }
  net_set(from6, SOL_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
  CHECK_EQ(sendto(from6, big, 1353, 0, SA(at6)), 1353);
  CHECK_EQ(recv(to6, got, sizeof(got), MSG_DONTWAIT), 1353);
  net_set(from6, SOL_IPV6, IPV6_DONTFRAG, 1);
  FAILS(sendto(from6, big, 1353, 0, SA(at6)), EMSGSIZE);
  int raw6 = OK(socket(AF_INET6, SOCK_RAW, 253));
  at6.sin6_port = 0;
  CHECK_EQ(sendto(raw6, big, 1361, 0, SA(at6)), 1361);
  net_set(raw6, SOL_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO);
  FAILS(sendto(raw6, big, 1361, 0, SA(at6)), EMSGSIZE);
  CHECK_EQ(sendto(raw6, big, 1360, 0, SA(at6)), 1360);
  r.ifr_mtu = 65536;
  OK(ioctl(from, SIOCSIFMTU, &r));
  CHECK_EQ(recv(to, got, sizeof(got), MSG_DONTWAIT), 1372);

  // Down and up again.
  OK(ioctl(from, SIOCGIFFLAGS, &r));
  CHECK(r.ifr_flags & IFF_UP);
  r.ifr_flags &= ~IFF_UP;
  OK(ioctl(from, SIOCSIFFLAGS, &r));
  OK(ioctl(from, SIOCGIFFLAGS, &r));
  CHECK(!(r.ifr_flags & IFF_UP));
  r.ifr_flags |= IFF_UP;
  OK(ioctl(from, SIOCSIFFLAGS, &r));
  CHECK_EQ(reach("127.0.0.1"), 0);
  net_send4(from, "again", "127.0.0.1", net_port(to));
  net_expect(to, "again");
  return 0;
}
