#include "socket_args.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "calls.h"
#include "memory.h"
#include "pools.h"

static size_t unix_address(struct Call* c, char* at) {
  static const char* const kPaths[] = {"sock", "sock", "sock", "d/sock", "f", "s2", "\0a", "\0b", "\0name"};
  uint64_t which = below(c, COUNT(kPaths));
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  size_t size = which >= 6 ? 1 + strlen(kPaths[which] + 1) : strlen(kPaths[which]) + 1;
  memcpy(name.sun_path, kPaths[which], size);
  memcpy(at, &name, sizeof(name));
  if (chance(c, 8)) return below(c, 2) ? 2 : sizeof(name);
  return 2 + size;
}

static size_t inet_address(struct Call* c, char* at) {
  static const unsigned kHosts[] = {0x7f000001, 0x7f000001, 0x7f000001, 0,
                                    0x7f000002, 0xffffffff, 0xe0000001, 0x0a000001};
  struct sockaddr_in name = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(kHosts[below(c, COUNT(kHosts))]),
                             .sin_port = htons((unsigned short)(chance(c, 50)   ? 5000
                                                                : chance(c, 85) ? 5001 + below(c, 5)
                                                                                : below(c, 65536)))};
  memcpy(at, &name, sizeof(name));
  return sizeof(name);
}

static size_t inet6_address(struct Call* c, char* at) {
  static const char* const kHosts[] = {"::1",     "::1",     "::1",        "::", "::ffff:127.0.0.1",
                                       "ff02::1", "fe80::1", "2001:db8::1"};
  struct sockaddr_in6 name = {
      .sin6_family = AF_INET6,
      .sin6_port = htons((unsigned short)(chance(c, 50) ? 5001 : 5000 + below(c, 6)))};
  inet_pton(AF_INET6, kHosts[below(c, COUNT(kHosts))], &name.sin6_addr);
  if (chance(c, 20)) name.sin6_scope_id = (unsigned)below(c, 4);
  if (chance(c, 10)) name.sin6_flowinfo = (unsigned)draw(c);
  memcpy(at, &name, sizeof(name));
  return sizeof(name);
}

static size_t netlink_address(struct Call* c, char* at) {
  struct sockaddr_nl name = {.nl_family = AF_NETLINK};
  if (chance(c, 30)) name.nl_pid = (unsigned)below(c, 5);
  if (chance(c, 30)) name.nl_groups = (unsigned)draw(c) & 0x7fff;
  memcpy(at, &name, sizeof(name));
  return sizeof(name);
}

static size_t packet_address(struct Call* c, char* at) {
  struct sockaddr_ll name = {
      .sll_family = AF_PACKET, .sll_protocol = htons(chance(c, 60) ? 3 : 0x800), .sll_halen = 6};
  name.sll_ifindex = chance(c, 80) ? 1 : (int)below(c, 5);
  memcpy(at, &name, sizeof(name));
  return sizeof(name);
}

long address_for(struct Call* c, long family) {
  char* at = room(c, 128);
  size_t size;
  if (chance(c, 4)) family = (long[]){AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET}[below(c, 5)];
  switch (family) {
    case AF_UNIX:
      size = unix_address(c, at);
      break;
    case AF_INET:
      size = inet_address(c, at);
      break;
    case AF_INET6:
      size = inet6_address(c, at);
      break;
    case AF_NETLINK:
      size = netlink_address(c, at);
      break;
    case AF_PACKET:
      size = packet_address(c, at);
      break;
    default:
      noise(c, at, 64);
      size = below(c, 129);
  }
  if (chance(c, 3)) memset(at, 0, 2);  // AF_UNSPEC
  c->extent = chance(c, 97) ? (long)size : (long)below(c, 129);
  return place(c, at);
}

long family_of_socket(struct Call* c, long fd) {
  int family = 0, size = sizeof(family);
  (void)c;
  raw_call(SYS_getsockopt, (long[kArguments]){fd, SOL_SOCKET, SO_DOMAIN, (long)&family, (long)&size});
  return family;
}

long socket_address(struct Call* c) { return address_for(c, family_of_socket(c, c->a[0])); }

long name_out(struct Call* c) { return chance(c, 20) ? 0 : place(c, room(c, 128)); }

long size_inout(struct Call* c) {
  if (chance(c, 5)) return wild_pointer(c);
  char* at = room(c, 4);
  int size = chance(c, 90) ? (int)below(c, 129) : (int)odd_number(c);
  memcpy(at, &size, 4);
  return (long)at;
}

// Control messages of several kinds, some of them for other families.
static size_t control(struct Call* c, char* at, size_t limit) {
  static const struct {
    int level, type;
    size_t size;
  } kKinds[] = {{SOL_SOCKET, SCM_RIGHTS, 4},  {SOL_SOCKET, SCM_RIGHTS, 12}, {SOL_SOCKET, SCM_CREDENTIALS, 12},
                {SOL_IP, IP_TTL, 4},          {SOL_IP, IP_TOS, 4},          {SOL_IP, IP_PKTINFO, 12},
                {SOL_IPV6, IPV6_PKTINFO, 20}, {SOL_IPV6, IPV6_HOPLIMIT, 4}, {SOL_IPV6, IPV6_TCLASS, 4},
                {IPPROTO_UDP, 103, 2},        {SOL_SOCKET, 61, 8},          {SOL_IP, IP_RETOPTS, 8}};
  size_t used = 0;
  for (uint64_t count = below(c, 3); count > 0; count--) {
    uint64_t which = below(c, COUNT(kKinds));
    size_t size = kKinds[which].size;
    if (used + CMSG_SPACE(size) > limit) break;
    struct cmsghdr header = {
        .cmsg_len = CMSG_LEN(size), .cmsg_level = kKinds[which].level, .cmsg_type = kKinds[which].type};
    if (chance(c, 3)) header.cmsg_len = (size_t)odd_number(c);
    int words[8];
    for (int i = 0; i < 8; i++)
      words[i] = header.cmsg_type == SCM_RIGHTS ? (int)fd_any(c) : (int)below(c, 64);
    if (header.cmsg_type == SCM_CREDENTIALS)
      words[0] = (int)raw3(SYS_getpid, 0, 0, 0), words[1] = words[2] = 0;
    memcpy(at + used, &header, sizeof(header));
    memcpy(at + used + sizeof(header), words, size);
    used += CMSG_SPACE(size);
  }
  return used;
}

static struct msghdr header_out(struct Call* c, long family) {
  struct msghdr header = {0};
  if (chance(c, 50)) {
    header.msg_name = (void*)address_for(c, family);
    header.msg_namelen = (socklen_t)c->extent;
  }
  if (family == AF_NETLINK && chance(c, 90)) {
    struct iovec* one = (struct iovec*)room(c, sizeof(*one));
    one->iov_base = netlink_message(c);
    one->iov_len = (size_t)c->extent;
    header.msg_iov = one;
    header.msg_iovlen = 1;
  } else {
    header.msg_iov = (struct iovec*)iovec(c);
    header.msg_iovlen = (size_t)c->extent;
  }
  if (chance(c, 50)) {
    char* at = room(c, 160);
    header.msg_controllen = control(c, at, 160);
    header.msg_control = (void*)place(c, at);
  }
  return header;
}

static struct msghdr header_in(struct Call* c) {
  struct msghdr header = {0};
  if (chance(c, 50)) {
    header.msg_name = (void*)name_out(c);
    header.msg_namelen = (socklen_t)below(c, 129);
  }
  header.msg_iov = (struct iovec*)iovec(c);
  header.msg_iovlen = (size_t)c->extent;
  if (chance(c, 60)) {
    header.msg_control = (void*)place(c, room(c, 256));
    header.msg_controllen = chance(c, 70) ? 256 : below(c, 257);
  }
  return header;
}

static long put_header(struct Call* c, const struct msghdr* header) {
  char* at = room(c, sizeof(*header));
  memcpy(at, header, sizeof(*header));
  return place(c, at);
}

long message_out(struct Call* c, long family) {
  struct msghdr header = header_out(c, family);
  return put_header(c, &header);
}

long message_in(struct Call* c) {
  struct msghdr header = header_in(c);
  return put_header(c, &header);
}

static long put_headers(struct Call* c, struct mmsghdr* all, uint64_t count) {
  char* at = room(c, 3 * sizeof(*all));
  memcpy(at, all, count * sizeof(*all));
  c->extent = (long)count;
  return place(c, at);
}

long messages_out(struct Call* c, long family) {
  struct mmsghdr all[3] = {0};
  uint64_t count = 1 + below(c, 3);
  for (uint64_t i = 0; i < count; i++) all[i].msg_hdr = header_out(c, family);
  return put_headers(c, all, count);
}

long messages_in(struct Call* c) {
  struct mmsghdr all[3] = {0};
  uint64_t count = 1 + below(c, 3);
  for (uint64_t i = 0; i < count; i++) all[i].msg_hdr = header_in(c);
  return put_headers(c, all, count);
}
