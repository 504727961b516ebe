// rtnetlink(7): what there is: lo, its addresses, its routes.
#include "netlink.h"

static int g_seen;

static void see_link(struct nlmsghdr* h) {
  CHECK_EQ(h->nlmsg_type, RTM_NEWLINK);
  struct ifinfomsg* m = NLMSG_DATA(h);
  struct rtattr* name = nl_find(h, sizeof(*m), IFLA_IFNAME);
  CHECK(name != NULL);
  if (strcmp(RTA_DATA(name), "lo") != 0) return;
  ++g_seen;
  CHECK_EQ(m->ifi_index, 1);
  CHECK_EQ(m->ifi_type, 772);
  CHECK_EQ(m->ifi_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING | IFF_BROADCAST),
           IFF_UP | IFF_LOOPBACK | IFF_RUNNING);
  CHECK_EQ(*(int*)RTA_DATA(nl_find(h, sizeof(*m), IFLA_MTU)), 65536);
  CHECK_EQ(nl_find(h, sizeof(*m), IFLA_ADDRESS)->rta_len, RTA_LENGTH(6));
  CHECK_STR(RTA_DATA(nl_find(h, sizeof(*m), IFLA_QDISC)), "noqueue");
}

static void see_address(struct nlmsghdr* h) {
  CHECK_EQ(h->nlmsg_type, RTM_NEWADDR);
  struct ifaddrmsg* m = NLMSG_DATA(h);
  if (m->ifa_index != 1) return;
  struct rtattr* address = nl_find(h, sizeof(*m), IFA_ADDRESS);
  CHECK(address != NULL);
  CHECK_EQ(m->ifa_scope, RT_SCOPE_HOST);
  CHECK(m->ifa_flags & IFA_F_PERMANENT);
  if (m->ifa_family == AF_INET) {
    g_seen |= 1;
    CHECK_EQ(m->ifa_prefixlen, 8);
    CHECK_EQ(*(unsigned*)RTA_DATA(address), htonl(INADDR_LOOPBACK));
    CHECK_EQ(*(unsigned*)RTA_DATA(nl_find(h, sizeof(*m), IFA_LOCAL)), htonl(INADDR_LOOPBACK));
    CHECK_STR(RTA_DATA(nl_find(h, sizeof(*m), IFA_LABEL)), "lo");
  } else {
    g_seen |= 2;
    CHECK_EQ(m->ifa_prefixlen, 128);
    CHECK(memcmp(RTA_DATA(address), &in6addr_loopback, 16) == 0);
  }
}

static void see_route(struct nlmsghdr* h) {
  CHECK_EQ(h->nlmsg_type, RTM_NEWROUTE);
  struct rtmsg* m = NLMSG_DATA(h);
  struct rtattr *to = nl_find(h, sizeof(*m), RTA_DST), *out = nl_find(h, sizeof(*m), RTA_OIF);
  if (m->rtm_family != AF_INET || !to || !out || *(int*)RTA_DATA(out) != 1) return;
  unsigned destination = ntohl(*(unsigned*)RTA_DATA(to));
  if (destination == 0x7f000001 && m->rtm_dst_len == 32) {
    g_seen |= 1;
    CHECK_EQ(m->rtm_type, RTN_LOCAL);
    CHECK_EQ(m->rtm_table, RT_TABLE_LOCAL);
    CHECK_EQ(m->rtm_scope, RT_SCOPE_HOST);
    CHECK_EQ(m->rtm_protocol, RTPROT_KERNEL);
  }
  if (destination == 0x7f000000 && m->rtm_dst_len == 8) {
    g_seen |= 2;
    CHECK_EQ(m->rtm_type, RTN_LOCAL);
    CHECK_EQ(*(unsigned*)RTA_DATA(nl_find(h, sizeof(*m), RTA_PREFSRC)), htonl(INADDR_LOOPBACK));
  }
  if (destination == 0x7fffffff) {
    g_seen |= 4;
    CHECK_EQ(m->rtm_type, RTN_BROADCAST);
    CHECK_EQ(m->rtm_scope, RT_SCOPE_LINK);
  }
}

int main(void) {
  net_private();
  int fd = OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
  CHECK(nl_dump(fd, RTM_GETLINK, AF_UNSPEC, see_link) >= 1);
  CHECK_EQ(g_seen, 1);
  g_seen = 0;
  nl_dump(fd, RTM_GETADDR, AF_UNSPEC, see_address);
  CHECK_EQ(g_seen, 3);
  g_seen = 0;
  nl_dump(fd, RTM_GETADDR, AF_INET, see_address);
  CHECK_EQ(g_seen, 1);
  g_seen = 0;
  nl_dump(fd, RTM_GETROUTE, AF_INET, see_route);
  CHECK_EQ(g_seen, 7);
  CHECK_EQ(nl_dump(fd, RTM_GETRULE, AF_INET, NULL), 3);
  nl_dump(fd, RTM_GETNEIGH, AF_INET, NULL);

  // One of each.
  struct NetlinkRequest r;
  char answer[4096];
  struct nlmsghdr* h = (struct nlmsghdr*)answer;
  nl_begin(&r, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
  nl_attribute(&r, IFLA_IFNAME, "lo", 3);
  nl_send(fd, &r);
  OK(recv(fd, answer, sizeof(answer), MSG_DONTWAIT));
  CHECK_EQ(h->nlmsg_flags & NLM_F_MULTI, 0);
  CHECK_EQ(((struct ifinfomsg*)NLMSG_DATA(h))->ifi_index, 1);
  struct rtmsg* m = nl_begin(&r, RTM_GETROUTE, 0, sizeof(*m));
  m->rtm_family = AF_INET;
  m->rtm_dst_len = 32;
  unsigned to = htonl(0x7f010203);
  nl_attribute(&r, RTA_DST, &to, 4);
  nl_send(fd, &r);
  OK(recv(fd, answer, sizeof(answer), MSG_DONTWAIT));
  CHECK_EQ(h->nlmsg_type, RTM_NEWROUTE);
  m = NLMSG_DATA(h);
  CHECK_EQ(m->rtm_type, RTN_LOCAL);
  CHECK_EQ(m->rtm_dst_len, 32);
  CHECK_EQ(*(unsigned*)RTA_DATA(nl_find(h, sizeof(*m), RTA_DST)), to);
  CHECK_EQ(*(unsigned*)RTA_DATA(nl_find(h, sizeof(*m), RTA_PREFSRC)), htonl(INADDR_LOOPBACK));
  CHECK_EQ(*(int*)RTA_DATA(nl_find(h, sizeof(*m), RTA_OIF)), 1);
  return 0;
}
