// setsockopt(2) and getsockopt(2): options by level, each with its value.
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#include "filters.h"
#include "memory.h"
#include "pools.h"
#include "socket_args.h"

static long number(struct Call* c) {
  char* at = room(c, 4);
  int value = chance(c, 50) ? (int)below(c, 2) : chance(c, 80) ? (int)below(c, 3000) : (int)odd_number(c);
  memcpy(at, &value, 4);
  return place(c, at);
}

static long descriptor(struct Call* c) {
  char* at = room(c, 4);
  int value = (int)fd_any(c);
  memcpy(at, &value, 4);
  return place(c, at);
}

static long linger(struct Call* c) {
  char* at = room(c, 8);
  int values[2] = {(int)below(c, 2), (int)below(c, 2)};
  memcpy(at, values, 8);
  return place(c, at);
}

// A wait that ends soon.
static long timeout(struct Call* c) {
  char* at = room(c, 16);
  long values[2] = {0, (long)below(c, 3000)};
  if (chance(c, 10)) values[below(c, 2)] = odd_number(c);
  memcpy(at, values, 16);
  return place(c, at);
}

static long name(struct Call* c) {
  static const char* const kNames[] = {"lo", "reno", "cubic", "eth0", "none", ""};
  const char* one = kNames[below(c, COUNT(kNames))];
  char* at = text(c, one);
  return place(c, at);
}

static long membership(struct Call* c) {
  unsigned words[5] = {htonl(0xe0000001 + (unsigned)below(c, 4)), htonl(chance(c, 50) ? 0x7f000001 : 0),
                       (unsigned)below(c, 2)};
  char* at = room(c, 20);
  memcpy(at, words, 12);
  c->extent = chance(c, 50) ? 8 : 12;
  return place(c, at);
}

static long membership6(struct Call* c) {
  struct ipv6_mreq request = {.ipv6mr_interface = (unsigned)below(c, 3)};
  request.ipv6mr_multiaddr.s6_addr[0] = 0xff;
  request.ipv6mr_multiaddr.s6_addr[1] = 2;
  request.ipv6mr_multiaddr.s6_addr[15] = (unsigned char)below(c, 4);
  char* at = room(c, sizeof(request));
  memcpy(at, &request, sizeof(request));
  return place(c, at);
}

static long packet_membership(struct Call* c) {
  struct packet_mreq request = {.mr_ifindex = 1, .mr_type = (unsigned short)below(c, 4), .mr_alen = 6};
  char* at = room(c, sizeof(request));
  memcpy(at, &request, sizeof(request));
  return place(c, at);
}

static long ring(struct Call* c) {
  unsigned words[4] = {4096, 1 + (unsigned)below(c, 4), 2048, 0};
  words[3] = words[1] * 2;
  if (chance(c, 20)) words[below(c, 4)] = (unsigned)odd_number(c);
  char* at = room(c, 28);
  memcpy(at, words, 16);
  return place(c, at);
}

static const struct Option {
  int level, name;
  Drawer *fd, *value;
} kOptions[] = {
    {SOL_SOCKET, SO_DEBUG, fd_socket, number},
    {SOL_SOCKET, SO_REUSEADDR, fd_socket, number},
    {SOL_SOCKET, SO_TYPE, fd_socket, number},
    {SOL_SOCKET, SO_ERROR, fd_socket, number},
    {SOL_SOCKET, SO_DONTROUTE, fd_socket, number},
    {SOL_SOCKET, SO_BROADCAST, fd_socket, number},
    {SOL_SOCKET, SO_SNDBUF, fd_socket, number},
    {SOL_SOCKET, SO_RCVBUF, fd_socket, number},
    {SOL_SOCKET, SO_SNDBUFFORCE, fd_socket, number},
    {SOL_SOCKET, SO_RCVBUFFORCE, fd_socket, number},
    {SOL_SOCKET, SO_KEEPALIVE, fd_socket, number},
    {SOL_SOCKET, SO_OOBINLINE, fd_socket, number},
    {SOL_SOCKET, SO_PRIORITY, fd_socket, number},
    {SOL_SOCKET, SO_LINGER, fd_socket, linger},
    {SOL_SOCKET, SO_REUSEPORT, fd_socket, number},
    {SOL_SOCKET, SO_PASSCRED, fd_unix, number},
    {SOL_SOCKET, SO_PEERCRED, fd_unix, in_noise},
    {SOL_SOCKET, SO_RCVLOWAT, fd_socket, number},
    {SOL_SOCKET, SO_SNDLOWAT, fd_socket, number},
    {SOL_SOCKET, SO_RCVTIMEO, fd_socket, timeout},
    {SOL_SOCKET, SO_SNDTIMEO, fd_socket, timeout},
    {SOL_SOCKET, SO_BINDTODEVICE, fd_inet, name},
    {SOL_SOCKET, SO_BINDTOIFINDEX, fd_inet, number},
    {SOL_SOCKET, SO_ATTACH_FILTER, fd_socket, filter_program},
    {SOL_SOCKET, SO_DETACH_FILTER, fd_socket, number},
    {SOL_SOCKET, SO_LOCK_FILTER, fd_packet, number},
    {SOL_SOCKET, SO_ATTACH_BPF, fd_socket, descriptor},
    {SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, fd_inet, filter_program},
    {SOL_SOCKET, SO_PEERNAME, fd_socket, in_noise},
    {SOL_SOCKET, SO_TIMESTAMP, fd_socket, number},
    {SOL_SOCKET, SO_TIMESTAMPNS, fd_socket, number},
    {SOL_SOCKET, SO_TIMESTAMPING, fd_socket, number},
    {SOL_SOCKET, SO_ACCEPTCONN, fd_socket, number},
    {SOL_SOCKET, SO_PEERSEC, fd_unix, in_noise},
    {SOL_SOCKET, SO_PASSSEC, fd_unix, number},
    {SOL_SOCKET, SO_MARK, fd_socket, number},
    {SOL_SOCKET, SO_PROTOCOL, fd_socket, number},
    {SOL_SOCKET, SO_DOMAIN, fd_socket, number},
    {SOL_SOCKET, SO_RXQ_OVFL, fd_socket, number},
    {SOL_SOCKET, SO_PEEK_OFF, fd_socket, number},
    {SOL_SOCKET, SO_NOFCS, fd_packet, number},
    {SOL_SOCKET, SO_BUSY_POLL, fd_inet, number},
    {SOL_SOCKET, SO_INCOMING_CPU, fd_inet, number},
    {SOL_SOCKET, SO_MAX_PACING_RATE, fd_inet, number},
    {SOL_SOCKET, SO_PEERGROUPS, fd_unix, in_noise},
    {SOL_SOCKET, SO_ZEROCOPY, fd_inet, number},
    {SOL_SOCKET, SO_TXTIME, fd_inet, linger},
    {SOL_SOCKET, SO_COOKIE, fd_socket, in_noise},
    {SOL_SOCKET, SO_MEMINFO, fd_socket, in_noise},
    {SOL_SOCKET, 77, fd_unix, in_noise},  // SO_PEERPIDFD
    {SOL_IP, IP_TOS, fd_inet, number},
    {SOL_IP, IP_TTL, fd_inet, number},
    {SOL_IP, IP_HDRINCL, fd_inet, number},
    {SOL_IP, IP_OPTIONS, fd_inet, in_noise},
    {SOL_IP, IP_RECVOPTS, fd_inet, number},
    {SOL_IP, IP_RETOPTS, fd_inet, number},
    {SOL_IP, IP_PKTINFO, fd_inet, number},
    {SOL_IP, IP_MTU_DISCOVER, fd_inet, number},
    {SOL_IP, IP_RECVERR, fd_inet, number},
    {SOL_IP, IP_RECVTTL, fd_inet, number},
    {SOL_IP, IP_RECVTOS, fd_inet, number},
    {SOL_IP, IP_MTU, fd_inet, number},
    {SOL_IP, IP_FREEBIND, fd_inet, number},
    {SOL_IP, IP_TRANSPARENT, fd_inet, number},
    {SOL_IP, IP_BIND_ADDRESS_NO_PORT, fd_inet, number},
    {SOL_IP, IP_MULTICAST_IF, fd_inet, membership},
    {SOL_IP, IP_MULTICAST_TTL, fd_inet, number},
    {SOL_IP, IP_MULTICAST_LOOP, fd_inet, number},
    {SOL_IP, IP_ADD_MEMBERSHIP, fd_inet, membership},
    {SOL_IP, IP_DROP_MEMBERSHIP, fd_inet, membership},
    {SOL_IP, IP_MSFILTER, fd_inet, in_noise},
    {SOL_IP, 64, fd_inet, in_noise},  // IPT_SO_GET_INFO
    {SOL_IPV6, IPV6_V6ONLY, fd_inet, number},
    {SOL_IPV6, IPV6_UNICAST_HOPS, fd_inet, number},
    {SOL_IPV6, IPV6_MULTICAST_IF, fd_inet, number},
    {SOL_IPV6, IPV6_MULTICAST_HOPS, fd_inet, number},
    {SOL_IPV6, IPV6_MULTICAST_LOOP, fd_inet, number},
    {SOL_IPV6, IPV6_ADD_MEMBERSHIP, fd_inet, membership6},
    {SOL_IPV6, IPV6_DROP_MEMBERSHIP, fd_inet, membership6},
    {SOL_IPV6, IPV6_MTU, fd_inet, number},
    {SOL_IPV6, IPV6_MTU_DISCOVER, fd_inet, number},
    {SOL_IPV6, IPV6_RECVERR, fd_inet, number},
    {SOL_IPV6, IPV6_RECVPKTINFO, fd_inet, number},
    {SOL_IPV6, IPV6_RECVHOPLIMIT, fd_inet, number},
    {SOL_IPV6, IPV6_RECVTCLASS, fd_inet, number},
    {SOL_IPV6, IPV6_TCLASS, fd_inet, number},
    {SOL_IPV6, IPV6_ADDRFORM, fd_inet, number},
    {SOL_IPV6, IPV6_CHECKSUM, fd_inet, number},
    {SOL_IPV6, IPV6_AUTOFLOWLABEL, fd_inet, number},
    {SOL_TCP, TCP_NODELAY, fd_inet, number},
    {SOL_TCP, TCP_MAXSEG, fd_inet, number},
    {SOL_TCP, TCP_CORK, fd_inet, number},
    {SOL_TCP, TCP_KEEPIDLE, fd_inet, number},
    {SOL_TCP, TCP_KEEPINTVL, fd_inet, number},
    {SOL_TCP, TCP_KEEPCNT, fd_inet, number},
    {SOL_TCP, TCP_SYNCNT, fd_inet, number},
    {SOL_TCP, TCP_LINGER2, fd_inet, number},
    {SOL_TCP, TCP_DEFER_ACCEPT, fd_inet, number},
    {SOL_TCP, TCP_WINDOW_CLAMP, fd_inet, number},
    {SOL_TCP, TCP_INFO, fd_inet, in_noise},
    {SOL_TCP, TCP_QUICKACK, fd_inet, number},
    {SOL_TCP, TCP_CONGESTION, fd_inet, name},
    {SOL_TCP, TCP_MD5SIG, fd_inet, in_noise},
    {SOL_TCP, TCP_USER_TIMEOUT, fd_inet, number},
    {SOL_TCP, TCP_REPAIR, fd_inet, number},
    {SOL_TCP, TCP_FASTOPEN, fd_inet, number},
    {SOL_TCP, TCP_FASTOPEN_CONNECT, fd_inet, number},
    {SOL_TCP, TCP_NOTSENT_LOWAT, fd_inet, number},
    {SOL_TCP, TCP_CC_INFO, fd_inet, in_noise},
    {SOL_TCP, TCP_SAVE_SYN, fd_inet, number},
    {SOL_TCP, TCP_ULP, fd_inet, name},
    {SOL_TCP, TCP_INQ, fd_inet, number},
    {SOL_TCP, TCP_ZEROCOPY_RECEIVE, fd_inet, in_noise},
    {IPPROTO_UDP, UDP_CORK, fd_inet, number},
    {IPPROTO_UDP, UDP_SEGMENT, fd_inet, number},
    {IPPROTO_UDP, UDP_GRO, fd_inet, number},
    {SOL_RAW, 1, fd_inet, number},  // ICMP_FILTER
    {SOL_ICMPV6, 1, fd_inet, in_noise},
    {SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, fd_netlink, number},
    {SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, fd_netlink, number},
    {SOL_NETLINK, NETLINK_PKTINFO, fd_netlink, number},
    {SOL_NETLINK, NETLINK_BROADCAST_ERROR, fd_netlink, number},
    {SOL_NETLINK, NETLINK_NO_ENOBUFS, fd_netlink, number},
    {SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, fd_netlink, in_noise},
    {SOL_NETLINK, NETLINK_CAP_ACK, fd_netlink, number},
    {SOL_NETLINK, NETLINK_EXT_ACK, fd_netlink, number},
    {SOL_NETLINK, NETLINK_GET_STRICT_CHK, fd_netlink, number},
    {SOL_PACKET, PACKET_ADD_MEMBERSHIP, fd_packet, packet_membership},
    {SOL_PACKET, PACKET_DROP_MEMBERSHIP, fd_packet, packet_membership},
    {SOL_PACKET, PACKET_STATISTICS, fd_packet, in_noise},
    {SOL_PACKET, PACKET_VERSION, fd_packet, number},
    {SOL_PACKET, PACKET_RX_RING, fd_packet, ring},
    {SOL_PACKET, PACKET_TX_RING, fd_packet, ring},
    {SOL_PACKET, PACKET_AUXDATA, fd_packet, number},
    {SOL_PACKET, PACKET_RESERVE, fd_packet, number},
    {SOL_PACKET, PACKET_LOSS, fd_packet, number},
    {SOL_PACKET, PACKET_FANOUT, fd_packet, number},
    {SOL_PACKET, PACKET_IGNORE_OUTGOING, fd_packet, number},
};

static const struct Option* draw_option(struct Call* c) {
  const struct Option* one = &kOptions[below(c, COUNT(kOptions))];
  c->a[0] = chance(c, 90) ? one->fd(c) : fd_socket(c);
  c->a[1] = chance(c, 98) ? one->level : odd_number(c);
  c->a[2] = chance(c, 97) ? one->name : (long)below(c, 80);
  return one;
}

void draw_setsockopt(struct Call* c) {
  const struct Option* one = draw_option(c);
  c->a[3] = one->value(c);
  c->a[4] = extent(c);
}

void draw_getsockopt(struct Call* c) {
  draw_option(c);
  c->a[3] = out_256(c);
  c->a[4] = size_inout(c);
}
