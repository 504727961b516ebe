// Messages for netlink sockets: requests of rtnetlink with attributes, of which some fit.
#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "memory.h"
#include "socket_args.h"

enum { kMessage = 512 };

struct Builder {
  char* at;
  size_t used;
};

static void put(struct Builder* b, unsigned short type, const void* data, size_t size) {
  if (b->used + 4 + size + 8 > kMessage) return;
  struct nlattr head = {.nla_len = (unsigned short)(4 + size), .nla_type = type};
  memcpy(b->at + b->used, &head, 4);
  memcpy(b->at + b->used + 4, data, size);
  b->used += (4 + size + 3) & ~3UL;
}

static void put_number(struct Builder* b, unsigned short type, unsigned value) { put(b, type, &value, 4); }

static void put_link(struct Call* c, struct Builder* b) {
  static const char* const kKinds[] = {"veth", "bridge", "dummy", "vlan", "none"};
  static const char* const kNames[] = {"lo", "eth0", "v0", "v1", "a-name-that-is-longer"};
  const char* name = kNames[below(c, COUNT(kNames))];
  if (chance(c, 60)) put(b, IFLA_IFNAME, name, strlen(name) + 1);
  if (chance(c, 30)) put_number(b, IFLA_MTU, (unsigned)below(c, 70000));
  if (chance(c, 20)) put_number(b, IFLA_EXT_MASK, (unsigned)below(c, 32));
  if (chance(c, 20)) put(b, IFLA_ADDRESS, "\2\0\0\0\0\1", 6);
  if (chance(c, 30)) {
    const char* kind = kKinds[below(c, COUNT(kKinds))];
    size_t begin = b->used;
    put(b, IFLA_LINKINFO | NLA_F_NESTED, "", 0);
    put(b, IFLA_INFO_KIND, kind, strlen(kind) + 1);
    unsigned short size = (unsigned short)(b->used - begin);
    if (b->used > begin) memcpy(b->at + begin, &size, 2);
  }
}

static void put_address(struct Call* c, struct Builder* b, int family) {
  unsigned four = htonl(0x7f000002 + (unsigned)below(c, 3));
  char sixteen[16] = {0xfd, 0, [15] = (char)below(c, 4)};
  const void* data = family == AF_INET ? (const void*)&four : sixteen;
  size_t size = family == AF_INET ? 4 : 16;
  if (chance(c, 90)) put(b, IFA_LOCAL, data, size);
  if (chance(c, 70)) put(b, IFA_ADDRESS, data, size);
  if (chance(c, 20)) put(b, IFA_LABEL, "lo:1", 5);
  if (chance(c, 20)) put_number(b, IFA_FLAGS, (unsigned)below(c, 256));
}

static void put_route(struct Call* c, struct Builder* b, int family) {
  unsigned four = htonl(0x0a000000 + (unsigned)below(c, 256));
  char sixteen[16] = {0xfd, 1, [15] = (char)below(c, 4)};
  const void* data = family == AF_INET ? (const void*)&four : sixteen;
  size_t size = family == AF_INET ? 4 : 16;
  if (chance(c, 70)) put(b, RTA_DST, data, size);
  if (chance(c, 70)) put_number(b, RTA_OIF, (unsigned)below(c, 3));
  if (chance(c, 30)) put(b, RTA_GATEWAY, data, size);
  if (chance(c, 20)) put(b, RTA_PREFSRC, data, size);
  if (chance(c, 20)) put_number(b, RTA_PRIORITY, (unsigned)below(c, 3));
  if (chance(c, 20)) put_number(b, RTA_TABLE, 254);
}

// The fixed part, by the family of the request's type; all of them begin with a family.
static int put_body(struct Call* c, struct Builder* b, unsigned type) {
  unsigned char body[32] = {0};
  int family = chance(c, 60) ? AF_INET : chance(c, 80) ? AF_INET6 : AF_UNSPEC;
  unsigned group = (type - RTM_BASE) / 4, index = (unsigned)below(c, 3);
  size_t size = group == 1 ? 8 : group == 2 ? 12 : group == 3 ? 12 : group == 4 ? 12 : group == 0 ? 16 : 20;
  body[0] = (unsigned char)family;
  if (group <= 1) memcpy(body + 4, &index, 4);
  if (group == 0 && chance(c, 40)) body[8] = IFF_UP, body[12] = IFF_UP;
  if (group == 1) body[1] = family == AF_INET ? 8 : 128;
  if (group == 2) body[1] = chance(c, 50) ? 24 : 0, body[4] = 254, body[5] = 4, body[7] = RTN_UNICAST;
  if (group == 3) memcpy(body + 4, &index, 4);
  if (chance(c, 5)) size = below(c, 32);
  memcpy(b->at + b->used, body, size);
  b->used += (size + 3) & ~3UL;
  return family;
}

static size_t one_message(struct Call* c, char* at) {
  static const long kTypes[] = {RTM_GETLINK,  RTM_GETADDR,  RTM_GETROUTE,   RTM_GETNEIGH, RTM_GETRULE,
                                RTM_GETQDISC, RTM_NEWLINK,  RTM_SETLINK,    RTM_DELLINK,  RTM_NEWADDR,
                                RTM_DELADDR,  RTM_NEWROUTE, RTM_DELROUTE,   RTM_NEWNEIGH, RTM_DELNEIGH,
                                RTM_NEWRULE,  RTM_GETNSID,  RTM_GETNETCONF, RTM_GETSTATS, NLMSG_DONE};
  static const long kFlags[] = {NLM_F_ACK,  NLM_F_DUMP,    NLM_F_ECHO,   NLM_F_CREATE,
                                NLM_F_EXCL, NLM_F_REPLACE, NLM_F_APPEND, NLM_F_MULTI};
  struct Builder b = {at, sizeof(struct nlmsghdr)};
  struct nlmsghdr head = {.nlmsg_type = (unsigned short)one_of(c, kTypes, COUNT(kTypes))};
  head.nlmsg_flags = (unsigned short)(NLM_F_REQUEST | some_of(c, kFlags, COUNT(kFlags)));
  head.nlmsg_seq = (unsigned)below(c, 1000);
  int family = put_body(c, &b, head.nlmsg_type);
  unsigned group = (head.nlmsg_type - RTM_BASE) / 4;
  if (group == 0) put_link(c, &b);
  if (group == 1) put_address(c, &b, family);
  if (group == 2 || group == 4) put_route(c, &b, family);
  if (group == 3 && chance(c, 70)) put(&b, NDA_DST, "\177\0\0\2", 4);
  if (chance(c, 10)) put_number(&b, (unsigned short)below(c, 64), (unsigned)draw(c));
  head.nlmsg_len = (unsigned)b.used;
  if (chance(c, 3)) head.nlmsg_len = (unsigned)odd_number(c);
  memcpy(at, &head, sizeof(head));
  return b.used;
}

char* netlink_message(struct Call* c) {
  char* at = room(c, 2 * kMessage);
  size_t used = one_message(c, at);
  if (chance(c, 15)) used += one_message(c, at + used);
  c->extent = (long)used;
  return at;
}
