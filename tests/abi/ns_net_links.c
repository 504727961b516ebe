// What /proc and /sys say of links: settings (ip-sysctl), memberships, routes, neighbours (arp(7)), sysfs(5).
#include <net/if_arp.h>

#include "netlink.h"

static char g_text[65536];
static char* text(const char* path) {
  abi_get(path, g_text, sizeof(g_text));
  return g_text;
}
static char* line(const char* path) {
  char* t = text(path);
  t[strcspn(t, "\n")] = 0;
  return t;
}
static int put(const char* path, const char* value) {
  int fd = OK(open(path, O_WRONLY));
  ssize_t n = write(fd, value, strlen(value));
  int e = n < 0 ? errno : 0;
  OK(close(fd));
  return e;
}
#define CONF4 "proc/sys/net/ipv4/conf/"
#define CONF6 "proc/sys/net/ipv6/conf/"

static void settings(void) {
  static const char* const kWhose[] = {"all", "default", "lo"};
  for (int i = 0; i < 3; ++i) {
    char path[128];
    snprintf(path, sizeof(path), CONF4 "%s/arp_ignore", kWhose[i]);
    ZERO(put(path, "2\n"));
    CHECK(strcmp(line(path), "2") == 0);
    CHECK_EQ(put(path, "x"), EINVAL);
    ZERO(put(path, "0"));
    snprintf(path, sizeof(path), CONF4 "%s/rp_filter", kWhose[i]);
    ZERO(put(path, "1"));
    CHECK(strcmp(line(path), "1") == 0);
    ZERO(put(path, "0"));
    snprintf(path, sizeof(path), CONF6 "%s/hop_limit", kWhose[i]);
    CHECK_EQ(put(path, "0"), EINVAL);
    CHECK_EQ(put(path, "256"), EINVAL);
    ZERO(put(path, "64"));
    snprintf(path, sizeof(path), CONF6 "%s/router_solicitations", kWhose[i]);
    ZERO(put(path, "-1"));
    CHECK(strcmp(line(path), "-1") == 0);
  }
  FAILS(open(CONF4 "nobody/rp_filter", O_RDONLY), ENOENT);
  FAILS(open("proc/sys/net/ipv4/neigh/all/mcast_solicit", O_RDONLY), ENOENT);
  ZERO(put("proc/sys/net/ipv4/neigh/lo/base_reachable_time_ms", "20000"));
  CHECK(strcmp(line("proc/sys/net/ipv4/neigh/lo/base_reachable_time"), "20") == 0);
  ZERO(put("proc/sys/net/ipv6/neigh/lo/mcast_solicit", "5"));
  CHECK(strcmp(line("proc/sys/net/ipv6/neigh/lo/mcast_solicit"), "5") == 0);
}

// The hop limit of an interface stands in what leaves by it.
static void hop_limit(void) {
  ZERO(put(CONF6 "lo/hop_limit", "70"));
  int to = net_udp6("::1", 0), from = OK(socket(AF_INET6, SOCK_DGRAM, 0)), one = 1, hops = 0;
  OK(setsockopt(to, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &one, sizeof(one)));
  struct sockaddr_in6 a = net_v6("::1", net_port(to));
  CHECK_EQ(sendto(from, "x", 1, 0, SA(a)), 1);
  char byte, control[64];
  struct iovec v = {&byte, 1};
  struct msghdr m = {
      .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
  CHECK_EQ(recvmsg(to, &m, 0), 1);
  memcpy(&hops, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(hops));
  CHECK_EQ(hops, 70);
  OK(close(to));
  OK(close(from));
  ZERO(put(CONF6 "lo/hop_limit", "64"));
}

static void without_v6(void) {
  struct sockaddr_in6 a = net_v6("::1", 0);
  for (int i = 0; i < 2; ++i) {
    const char* path = i ? CONF6 "all/disable_ipv6" : CONF6 "lo/disable_ipv6";
    ZERO(put(path, "1"));
    CHECK(strcmp(line(CONF6 "lo/disable_ipv6"), "1") == 0);
    CHECK(strstr(text("proc/net/if_inet6"), "lo") == NULL);
    int fd = OK(socket(AF_INET6, SOCK_DGRAM, 0));
    FAILS(bind(fd, SA(a)), EADDRNOTAVAIL);
    ZERO(put(path, "0"));
    CHECK(strstr(text("proc/net/if_inet6"), " lo\n") != NULL);
    OK(bind(fd, SA(a)));
    OK(close(fd));
  }
}

static void memberships(void) {
  CHECK(strncmp(text("proc/net/igmp"), "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n",
                57) == 0);
  CHECK(strstr(g_text, "1\tlo        :     1      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n") != NULL);
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct ip_mreqn r = {.imr_ifindex = 1};
  inet_pton(AF_INET, "239.1.2.3", &r.imr_multiaddr);
  OK(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &r, sizeof(r)));
  CHECK(strstr(text("proc/net/igmp"), "lo        :     2      V3\n\t\t\t\t030201EF     1 ") != NULL);
  OK(close(fd));
  CHECK(strstr(text("proc/net/igmp"), "030201EF") == NULL);
  CHECK(strstr(text("proc/net/igmp6"),
               "1    lo              ff020000000000000000000000000001     1 0000000C 0\n") != NULL);
  CHECK(strstr(g_text, "1    lo              ff010000000000000000000000000001     1 00000008 0\n") != NULL);
}

static void routes(void) {
  text("proc/net/ipv6_route");
  const char* const own =
      "00000000000000000000000000000001 80 00000000000000000000000000000000 00 "
      "00000000000000000000000000000000 ";
  // Older kernels have it in the main table too, with a metric.
  char* found = strstr(g_text, own);
  while (found && strncmp(found + strlen(own), "00000000 ", 9) != 0) found = strstr(found + 1, own);
  CHECK(found);
  CHECK(strstr(found, " 80200001       lo\n") != NULL);
  CHECK(strstr(g_text, " ffffffff 00000001 00000000 00200200       lo\n") != NULL);
}

static void neighbours(void) {
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct arpreq r = {.arp_pa.sa_family = AF_INET};
  struct sockaddr_in a = net_v4("10.9.8.7", 0);
  memcpy(&r.arp_pa, &a, sizeof(a));
  FAILS(ioctl(fd, SIOCGARP, &r), ENODEV);
  strcpy(r.arp_dev, "lo");
  FAILS(ioctl(fd, SIOCGARP, &r), ENXIO);
  FAILS(ioctl(fd, SIOCDARP, &r), ENXIO);
  strcpy(r.arp_dev, "nobody");
  FAILS(ioctl(fd, SIOCGARP, &r), ENODEV);
  strcpy(r.arp_dev, "lo");
  r.arp_flags = ATF_NETMASK;
  FAILS(ioctl(fd, SIOCSARP, &r), EINVAL);
  r.arp_flags = 0;
  r.arp_pa.sa_family = AF_UNIX;
  FAILS(ioctl(fd, SIOCGARP, &r), EPFNOSUPPORT);
  FAILS(ioctl(fd, SIOCGARP, NULL), EFAULT);
  OK(close(fd));

  fd = OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
  struct NetlinkRequest q;
  struct ndmsg* m = nl_begin(&q, RTM_NEWNEIGH, NLM_F_CREATE, sizeof(*m));
  m->ndm_family = AF_INET;
  m->ndm_ifindex = 1;
  CHECK_EQ(nl_ask(fd, &q), EINVAL);
  m = nl_begin(&q, RTM_NEWNEIGH, NLM_F_CREATE, sizeof(*m));
  m->ndm_family = AF_INET;
  m->ndm_ifindex = 77;
  nl_attribute(&q, NDA_DST, &a.sin_addr, 4);
  CHECK_EQ(nl_ask(fd, &q), ENODEV);
  m = nl_begin(&q, RTM_GETNEIGH, 0, sizeof(*m));
  m->ndm_family = AF_INET;
  m->ndm_ifindex = 1;
  nl_attribute(&q, NDA_DST, &a.sin_addr, 4);
  CHECK_EQ(nl_ask(fd, &q), ENOENT);
  m = nl_begin(&q, RTM_DELNEIGH, 0, sizeof(*m));
  m->ndm_family = AF_INET;
  m->ndm_ifindex = 1;
  nl_attribute(&q, NDA_DST, &a.sin_addr, 4);
  CHECK_EQ(nl_ask(fd, &q), ENOENT);
  OK(close(fd));
}

static void sysfs(void) {
  static const char* const kRows[][2] = {
      {"address", "00:00:00:00:00:00"},
      {"broadcast", "00:00:00:00:00:00"},
      {"addr_len", "6"},
      {"type", "772"},
      {"mtu", "65536"},
      {"ifindex", "1"},
      {"iflink", "1"},
      {"operstate", "unknown"},
      {"carrier", "1"},
      {"flags", "0x9"},
      {"tx_queue_len", "1000"},
      {"dev_id", "0x0"},
      {"uevent", "INTERFACE=lo"},
  };
  for (size_t i = 0; i < sizeof(kRows) / sizeof(kRows[0]); ++i) {
    char path[128];
    snprintf(path, sizeof(path), "sys/class/net/lo/%s", kRows[i][0]);
    CHECK(strcmp(line(path), kRows[i][1]) == 0);
  }
  char target[64] = {0};
  CHECK_EQ(readlink("sys/class/net/lo", target, sizeof(target)), 28);
  CHECK(strcmp(target, "../../devices/virtual/net/lo") == 0);
  CHECK(atol(line("sys/class/net/lo/statistics/rx_packets")) >= 0);
  FAILS(open("sys/class/net/nobody/mtu", O_RDONLY), ENOENT);
}

int main(void) {
  net_private();
  abi_scratch();
  net_own_proc();
  settings();
  hop_limit();
  without_v6();
  memberships();
  routes();
  neighbours();
  sysfs();
  net_no_proc();
  return 0;
}
