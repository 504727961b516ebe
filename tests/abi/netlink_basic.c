// netlink(7): names, ports, what is not understood, acknowledgements.
#include "netlink.h"

int main(void) {
  net_private();
  FAILS(socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE), ESOCKTNOSUPPORT);
  FAILS(socket(AF_NETLINK, SOCK_RAW, 99), EPROTONOSUPPORT);
  int fd = OK(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  struct sockaddr_nl a = {.nl_family = AF_NETLINK}, name;
  socklen_t size = sizeof(name);
  OK(getsockname(fd, (struct sockaddr*)&name, &size));
  CHECK_EQ(size, sizeof(name));
  CHECK_EQ(name.nl_pid, 0);
  FAILS(bind(fd, (struct sockaddr*)&a, 8), EINVAL);
  OK(bind(fd, SA(a)));
  OK(getsockname(fd, (struct sockaddr*)&name, &size));
  CHECK_EQ(name.nl_family, AF_NETLINK);
  CHECK_EQ(name.nl_pid, getpid());
  // The second one gets another number; a taken one cannot be had.
  int second = OK(socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE));
  a.nl_pid = getpid();
  FAILS(bind(second, SA(a)), EADDRINUSE);
  a.nl_pid = 0;
  OK(bind(second, SA(a)));
  OK(getsockname(second, (struct sockaddr*)&name, &size));
  CHECK(name.nl_pid != 0 && name.nl_pid != (unsigned)getpid());
  a.nl_pid = 12345;
  FAILS(bind(second, SA(a)), EINVAL);

  struct NetlinkRequest r;
  nl_begin(&r, 250, 0, 16);
  CHECK_EQ(nl_ask(fd, &r), EOPNOTSUPP);
  nl_begin(&r, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
  CHECK_EQ(nl_ask(fd, &r), EINVAL);
  struct ifinfomsg* m = nl_begin(&r, RTM_GETLINK, 0, sizeof(*m));
  m->ifi_index = 999;
  CHECK_EQ(nl_ask(fd, &r), ENODEV);
  // An error carries the request.
  char answer[512];
  nl_send(fd, &r);
  struct sockaddr_nl from;
  size = sizeof(from);
  CHECK_EQ(recvfrom(fd, answer, sizeof(answer), MSG_DONTWAIT, (struct sockaddr*)&from, &size),
           NLMSG_LENGTH(sizeof(struct nlmsgerr)) + sizeof(*m));
  CHECK_EQ(from.nl_pid, 0);
  CHECK_EQ(from.nl_family, AF_NETLINK);
  struct nlmsgerr* e = NLMSG_DATA(answer);
  CHECK_EQ(e->error, -ENODEV);
  CHECK_EQ(e->msg.nlmsg_type, RTM_GETLINK);
  // What is no request is passed over; so is what is cut off.
  nl_begin(&r, NLMSG_NOOP, 0, 0);
  nl_send(fd, &r);
  CHECK_EQ(send(fd, &r, 7, 0), 7);
  net_empty(fd);
  r.header.nlmsg_len = 4000;
  CHECK_EQ(send(fd, &r, 64, 0), 64);
  net_empty(fd);
  // Several at once.
  struct NetlinkRequest two[2];
  m = nl_begin(&two[0], RTM_GETLINK, NLM_F_ACK, sizeof(*m));
  m->ifi_index = 998;
  memcpy((char*)two + two[0].header.nlmsg_len, two, two[0].header.nlmsg_len);
  CHECK_EQ(send(fd, two, 2 * two[0].header.nlmsg_len, 0), 2 * two[0].header.nlmsg_len);
  CHECK(recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0);
  CHECK(recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0);
  net_empty(fd);
  // MSG_PEEK and MSG_TRUNC tell how much there is.
  nl_begin(&r, RTM_GETLINK, NLM_F_DUMP, sizeof(*m));
  nl_send(fd, &r);
  ssize_t whole = OK(recv(fd, answer, 1, MSG_PEEK | MSG_TRUNC));
  CHECK(whole > 100);
  CHECK_EQ(recv(fd, answer, 1, MSG_TRUNC), whole);
  // Memberships.
  int value = 1, got[2] = {0};
  OK(setsockopt(second, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &value, sizeof(value)));
  value = 5;
  OK(setsockopt(second, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &value, sizeof(value)));
  size = sizeof(got);
  OK(getsockopt(second, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, got, &size));
  CHECK_EQ(got[0], 1 | 1 << 4);
  value = 0;
  FAILS(setsockopt(second, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &value, sizeof(value)), EINVAL);
  FAILS(setsockopt(second, SOL_NETLINK, 99, &value, sizeof(value)), ENOPROTOOPT);
  return 0;
}
