// What the programs on netlink(7) share.
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "net.h"

struct NetlinkRequest {
  struct nlmsghdr header;
  char body[512];
};

static inline void* nl_begin(struct NetlinkRequest* r, int type, int flags, size_t fixed) {
  memset(r, 0, sizeof(*r));
  r->header.nlmsg_len = NLMSG_LENGTH(fixed);
  r->header.nlmsg_type = type;
  r->header.nlmsg_flags = NLM_F_REQUEST | flags;
  r->header.nlmsg_seq = 7;
  return r->body;
}
static inline void nl_attribute(struct NetlinkRequest* r, int type, const void* data, size_t size) {
  struct rtattr* a = (struct rtattr*)((char*)r + NLMSG_ALIGN(r->header.nlmsg_len));
  a->rta_type = type;
  a->rta_len = RTA_LENGTH(size);
  memcpy(RTA_DATA(a), data, size);
  r->header.nlmsg_len = NLMSG_ALIGN(r->header.nlmsg_len) + RTA_ALIGN(a->rta_len);
}

static inline void nl_send(int fd, struct NetlinkRequest* r) {
  CHECK_EQ(send(fd, r, r->header.nlmsg_len, 0), r->header.nlmsg_len);
}

// The errno with which a request is answered; 0: done.
static inline int nl_ask(int fd, struct NetlinkRequest* r) {
  static char answer[8192];
  r->header.nlmsg_flags |= NLM_F_ACK;
  nl_send(fd, r);
  ssize_t n = OK(recv(fd, answer, sizeof(answer), MSG_DONTWAIT));
  struct nlmsghdr* h = (struct nlmsghdr*)answer;
  CHECK(n >= (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)));
  CHECK_EQ(h->nlmsg_type, NLMSG_ERROR);
  CHECK_EQ(h->nlmsg_seq, 7);
  return -((struct nlmsgerr*)NLMSG_DATA(h))->error;
}

static inline struct rtattr* nl_find(struct nlmsghdr* h, size_t fixed, int type) {
  struct rtattr* a = (struct rtattr*)((char*)NLMSG_DATA(h) + NLMSG_ALIGN(fixed));
  int left = h->nlmsg_len - NLMSG_SPACE(fixed);
  for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
    if (a->rta_type == type) return a;
  return NULL;
}

// Calls see() for each message of a dump.
static inline int nl_dump(int fd, int type, int family, void (*see)(struct nlmsghdr* h)) {
  struct NetlinkRequest r;
  static char answer[65536];
  int count = 0;
  struct rtgenmsg* g = nl_begin(&r, type, NLM_F_DUMP, sizeof(struct ifinfomsg));
  g->rtgen_family = family;
  nl_send(fd, &r);
  for (;;) {
    ssize_t n = OK(recv(fd, answer, sizeof(answer), MSG_DONTWAIT));
    for (struct nlmsghdr* h = (struct nlmsghdr*)answer; NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n)) {
      CHECK_EQ(h->nlmsg_seq, 7);
      CHECK(h->nlmsg_flags & NLM_F_MULTI);
      if (h->nlmsg_type == NLMSG_DONE) return count;
      ++count;
      if (see) see(h);
    }
  }
}
