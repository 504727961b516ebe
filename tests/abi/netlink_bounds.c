// netlink(7): what nobody reads is bounded; a socket that has lost answers hears of it.
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>

#include "netlink.h"

int main(void) {
  net_private();
  static char answer[65536];
  struct NetlinkRequest r;
  int fd = OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)), one = 1;
  net_set(fd, SOL_SOCKET, SO_RCVBUF, 8192);
  nl_begin(&r, RTM_GETLINK, NLM_F_ACK, sizeof(struct ifinfomsg));
  ((struct ifinfomsg*)r.body)->ifi_index = 1;
  for (int i = 0; i < 400; ++i) nl_send(fd, &r);
  FAILS(recv(fd, answer, sizeof(answer), MSG_DONTWAIT), ENOBUFS);
  int count = 0;
  while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0) ++count;
  CHECK_EQ(errno, EAGAIN);
  CHECK(count > 0 && count < 100);
  // It goes on afterwards.
  nl_send(fd, &r);
  OK(recv(fd, answer, sizeof(answer), MSG_DONTWAIT));
  OK(recv(fd, answer, sizeof(answer), MSG_DONTWAIT));
  net_empty(fd);
  // NETLINK_NO_ENOBUFS: not a word of it.
  OK(setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &one, sizeof(one)));
  for (int i = 0; i < 400; ++i) nl_send(fd, &r);
  count = 0;
  while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0) ++count;
  CHECK_EQ(errno, EAGAIN);
  CHECK(count > 0 && count < 100);

  // A dump that is read in part stands in the way of the next.
  enum { kSockets = 700 };
  for (int i = 0; i < kSockets; ++i) net_udp4("127.0.0.1", 0);
  int diag = OK(socket(AF_NETLINK, SOCK_DGRAM, NETLINK_SOCK_DIAG));
  struct inet_diag_req_v2 q = {.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_UDP, .idiag_states = -1};
  memcpy(nl_begin(&r, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, sizeof(q)), &q, sizeof(q));
  nl_send(diag, &r);
  struct NetlinkRequest second = r;
  second.header.nlmsg_seq = 8;
  nl_send(diag, &second);
  int sockets = 0, busy = 0;
  for (int done = 0; !done;) {
    ssize_t n = OK(recv(diag, answer, sizeof(answer), MSG_DONTWAIT));
    for (struct nlmsghdr* h = (struct nlmsghdr*)answer; NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n)) {
      if (h->nlmsg_seq == 8) {
        CHECK_EQ(h->nlmsg_type, NLMSG_ERROR);
        CHECK_EQ(((struct nlmsgerr*)NLMSG_DATA(h))->error, -EBUSY);
        ++busy;
      } else if (h->nlmsg_type == NLMSG_DONE) {
        done = 1;
      } else {
        ++sockets;
      }
    }
  }
  CHECK_EQ(busy, 1);
  CHECK(sockets >= kSockets);

  // Memberships: as much as there is room for, and how much there would be.
  int group = RTNLGRP_LINK;
  OK(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)));
  uint32_t groups[16];
  memset(groups, 0xee, sizeof(groups));
  socklen_t size = 4;
  OK(getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups, &size));
  CHECK_EQ(size, 8);
  CHECK_EQ(groups[0], 1u << (RTNLGRP_LINK - 1));
  CHECK_EQ(groups[1], 0xeeeeeeee);
  size = sizeof(groups);
  OK(getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups, &size));
  CHECK_EQ(size, 8);
  CHECK_EQ(groups[1], 0);
  return 0;
}
