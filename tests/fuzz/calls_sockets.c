// Sockets.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "calls.h"
#include "memory.h"
#include "paths.h"
#include "socket_args.h"

SOME_OF(send_flags, MSG_DONTWAIT, MSG_NOSIGNAL, MSG_MORE, MSG_OOB, MSG_EOR, MSG_DONTROUTE, MSG_CONFIRM,
        MSG_FASTOPEN)
SOME_OF(receive_flags, MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MSG_OOB, MSG_ERRQUEUE,
        MSG_CMSG_CLOEXEC)
ONE_OF(shutdown_how, SHUT_RD, SHUT_WR, SHUT_RDWR)
ONE_OF(socket_type, SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW)
SOME_OF(accept_flags, SOCK_CLOEXEC)

static long nonblock_type(struct Call* c) {
  return socket_type(c) | (chance(c, 92) ? SOCK_NONBLOCK : 0) | (chance(c, 10) ? SOCK_CLOEXEC : 0);
}

static long accept_nonblock(struct Call* c) { return accept_flags(c) | (chance(c, 92) ? SOCK_NONBLOCK : 0); }

// Protocols by family and type, now and then one that does not go with them.
static void draw_socket(struct Call* c) {
  static const struct {
    int family, type, protocol;
  } kSockets[] = {{AF_UNIX, SOCK_STREAM, 0},
                  {AF_UNIX, SOCK_DGRAM, 0},
                  {AF_UNIX, SOCK_SEQPACKET, 0},
                  {AF_INET, SOCK_STREAM, 0},
                  {AF_INET, SOCK_DGRAM, 0},
                  {AF_INET, SOCK_DGRAM, IPPROTO_ICMP},
                  {AF_INET, SOCK_RAW, IPPROTO_ICMP},
                  {AF_INET, SOCK_RAW, IPPROTO_RAW},
                  {AF_INET, SOCK_RAW, IPPROTO_UDP},
                  {AF_INET6, SOCK_STREAM, 0},
                  {AF_INET6, SOCK_DGRAM, 0},
                  {AF_INET6, SOCK_RAW, IPPROTO_ICMPV6},
                  {AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6},
                  {AF_NETLINK, SOCK_RAW, 0},
                  {AF_NETLINK, SOCK_DGRAM, 15},
                  {AF_NETLINK, SOCK_RAW, 9},
                  {AF_PACKET, SOCK_RAW, 0x0300},
                  {AF_PACKET, SOCK_DGRAM, 0x0008},
                  {AF_INET, SOCK_STREAM, 262},
                  {AF_INET, SOCK_STREAM, 132},
                  {40, SOCK_STREAM, 0}};
  uint64_t which = below(c, COUNT(kSockets));
  c->a[0] = chance(c, 98) ? kSockets[which].family : (long)below(c, 46);
  c->a[1] = (chance(c, 97) ? kSockets[which].type : socket_type(c)) | (chance(c, 92) ? SOCK_NONBLOCK : 0) |
            (chance(c, 10) ? SOCK_CLOEXEC : 0);
  c->a[2] = chance(c, 97) ? kSockets[which].protocol : small(c);
}

static enum Kind kind_of(long family) {
  switch (family) {
    case AF_INET:
    case AF_INET6:
      return kInet;
    case AF_NETLINK:
      return kNetlink;
    case AF_PACKET:
      return kPacket;
    default:
      return kUnix;
  }
}

static void keep_socket(struct Call* c) { keep(c, kind_of(c->a[0]), c->result); }
static void keep_accepted(struct Call* c) { keep(c, kind_of(family_of_socket(c, c->result)), c->result); }
// Of a number that stays good: a copy.
static void keep_listener(struct Call* c) {
  long copy = raw3(SYS_fcntl, c->a[0], F_DUPFD_CLOEXEC, 0);
  if (copy > 2) keep(c, kListener, copy);
}
static void keep_socketpair(struct Call* c) { keep_pair(c, kUnix, c->a[3]); }

static long unix_family(struct Call* c) { return chance(c, 95) ? AF_UNIX : AF_INET; }
static long backlog(struct Call* c) { return chance(c, 90) ? (long)below(c, 8) : odd_number(c); }

// One that can be listened on, connected, and accepted from.
static long fd_stream(struct Call* c) {
  long fd = fd_unix(c), other = fd_inet(c), listener = fd_listener(c);
  return chance(c, 80) ? listener : chance(c, 40) ? fd : other;
}

// Often with a socket that nobody has used yet.
static void draw_connect(struct Call* c) {
  static const int kFamilies[] = {AF_UNIX, AF_INET, AF_INET6};
  c->a[0] = fd_socket(c);
  if (chance(c, 50)) {
    int family = kFamilies[below(c, 3)];
    c->a[0] = raw3(SYS_socket, family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->a[0] > 2) keep(c, kind_of(family), c->a[0]);
  }
  c->a[1] = socket_address(c);
  c->a[2] = extent(c);
}

static void draw_sendto(struct Call* c) {
  long family;
  c->a[0] = fd_socket(c);
  family = family_of_socket(c, c->a[0]);
  c->a[1] = family == AF_NETLINK ? (long)netlink_message(c) : buffer(c);
  c->a[2] = extent(c);
  c->a[3] = send_flags(c);
  c->a[4] = chance(c, 40) ? 0 : address_for(c, family);
  c->a[5] = c->a[4] == 0 ? 0 : c->extent;
}

static void draw_sendmsg(struct Call* c) {
  c->a[0] = fd_socket(c);
  c->a[1] = message_out(c, family_of_socket(c, c->a[0]));
  c->a[2] = send_flags(c);
}

static void draw_sendmmsg(struct Call* c) {
  c->a[0] = fd_socket(c);
  c->a[1] = messages_out(c, family_of_socket(c, c->a[0]));
  c->a[2] = chance(c, 95) ? c->extent : odd_number(c);
  c->a[3] = send_flags(c);
}

static const struct Row kRows[] = {
    {SYS_socket, 8, .prepare = draw_socket, .after = keep_socket},
    {SYS_socketpair, .args = {unix_family, nonblock_type, zero, out_8}, .after = keep_socketpair},
    {SYS_bind, 8, .args = {fd_socket, socket_address, extent}},
    {SYS_listen, 4, .args = {fd_stream, backlog}, .after = keep_listener},
    {SYS_accept, .args = {fd_stream, name_out, size_inout}, .after = keep_accepted},
    {SYS_accept4, 8, .args = {fd_stream, name_out, size_inout, accept_nonblock}, .after = keep_accepted},
    {SYS_connect, 10, .prepare = draw_connect},
    {SYS_getsockname, .args = {fd_socket, name_out, size_inout}},
    {SYS_getpeername, .args = {fd_socket, name_out, size_inout}},
    {SYS_sendto, 12, .prepare = draw_sendto},
    {SYS_recvfrom, 10, .args = {fd_socket, buffer, extent, receive_flags, name_out, size_inout}},
    {SYS_sendmsg, 12, .prepare = draw_sendmsg},
    {SYS_recvmsg, 10, .args = {fd_socket, message_in, receive_flags}},
    {SYS_sendmmsg, 4, .prepare = draw_sendmmsg},
    {SYS_recvmmsg, 4, .args = {fd_socket, messages_in, extent, receive_flags, time_pointer}},
    {SYS_getsockopt, 12, .prepare = draw_getsockopt},
    {SYS_setsockopt, 16, .prepare = draw_setsockopt},
    {SYS_shutdown, 2, .args = {fd_socket, shutdown_how}},
};

struct Rows socket_rows(void) {
  return ROWS(kRows);
}
