// IP_RECVERR, IPV6_RECVERR: the error queue (ip(7)).
#include <poll.h>
#include <time.h>

#include <linux/errqueue.h>

#include "net.h"

struct told4 {
  struct sock_extended_err e;
  struct sockaddr_in offender;
};
struct told6 {
  struct sock_extended_err e;
  struct sockaddr_in6 offender;
};

static void refused(void) {
  struct NetMessage m;
  int gone = net_udp4("127.0.0.1", 0), port = net_port(gone), fd = net_udp4("127.0.0.1", 0);
  OK(close(gone));
  net_set(fd, SOL_IP, IP_RECVERR, 1);
  FAILS(net_recvmsg(fd, &m, MSG_ERRQUEUE), EAGAIN);
  net_send4(fd, "payload", "127.0.0.1", port);
  struct pollfd p = {fd, POLLIN | POLLOUT, 0};
  CHECK_EQ(poll(&p, 1, 0), 1);
  CHECK_EQ(p.revents, POLLOUT | POLLERR);
  // Told although it is not connected.
  CHECK_EQ(net_recvmsg(fd, &m, MSG_ERRQUEUE), 7);
  CHECK(memcmp(m.data, "payload", 7) == 0);
  CHECK_EQ(m.header.msg_flags, MSG_ERRQUEUE);
  struct sockaddr_in* to = (struct sockaddr_in*)&m.from;
  CHECK_EQ(ntohs(to->sin_port), port);
  CHECK_EQ(to->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  struct told4* t = net_cmsg(&m, SOL_IP, IP_RECVERR, sizeof(*t));
  CHECK(t != NULL);
  CHECK_EQ(t->e.ee_errno, ECONNREFUSED);
  CHECK_EQ(t->e.ee_origin, SO_EE_ORIGIN_ICMP);
  CHECK_EQ(t->e.ee_type, 3);
  CHECK_EQ(t->e.ee_code, 3);
  CHECK_EQ(t->offender.sin_family, AF_INET);
  CHECK_EQ(t->offender.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  // With the queue empty the error is gone too.
  CHECK_EQ(net_get(fd, SOL_SOCKET, SO_ERROR), 0);
  CHECK_EQ(poll(&p, 1, 0), 1);
  CHECK_EQ(p.revents, POLLOUT);
  // The error itself comes by any call.
  net_send4(fd, "a", "127.0.0.1", port);
  char c;
  FAILS(recv(fd, &c, 1, MSG_DONTWAIT), ECONNREFUSED);
  p.events = 0;
  CHECK_EQ(poll(&p, 1, 0), 1);
  CHECK_EQ(p.revents, POLLERR);
  // Turning it off empties it.
  net_set(fd, SOL_IP, IP_RECVERR, 0);
  FAILS(net_recvmsg(fd, &m, MSG_ERRQUEUE), EAGAIN);
}

static void too_long(void) {
  struct NetMessage m;
  static char big[65508];
  int fd = net_udp4("127.0.0.1", 0);
  net_set(fd, SOL_IP, IP_RECVERR, 1);
  struct sockaddr_in a = net_v4("127.0.0.1", 9);
  OK(connect(fd, SA(a)));
  FAILS(send(fd, big, sizeof(big), 0), EMSGSIZE);
  CHECK_EQ(net_recvmsg(fd, &m, MSG_ERRQUEUE), 0);
  struct told4* t = net_cmsg(&m, SOL_IP, IP_RECVERR, sizeof(*t));
  CHECK(t != NULL);
  CHECK_EQ(t->e.ee_errno, EMSGSIZE);
  CHECK_EQ(t->e.ee_origin, SO_EE_ORIGIN_LOCAL);
  CHECK_EQ(t->offender.sin_family, AF_UNSPEC);
}

static void six(void) {
  struct NetMessage m;
  int gone = net_udp6("::1", 0), port = net_port(gone), fd = net_udp6("::1", 0);
  OK(close(gone));
  net_set(fd, SOL_IPV6, IPV6_RECVERR, 1);
  struct sockaddr_in6 a = net_v6("::1", port);
  CHECK_EQ(sendto(fd, "six", 3, 0, SA(a)), 3);
  CHECK_EQ(net_recvmsg(fd, &m, MSG_ERRQUEUE), 3);
  struct told6* t = net_cmsg(&m, SOL_IPV6, IPV6_RECVERR, sizeof(*t));
  CHECK(t != NULL);
  CHECK_EQ(t->e.ee_errno, ECONNREFUSED);
  CHECK_EQ(t->e.ee_origin, SO_EE_ORIGIN_ICMP6);
  CHECK_EQ(t->e.ee_type, 1);
  CHECK_EQ(t->e.ee_code, 4);
  CHECK(memcmp(&t->offender.sin6_addr, &in6addr_loopback, 16) == 0);
  CHECK_EQ(ntohs(((struct sockaddr_in6*)&m.from)->sin6_port), port);
}

int main(void) {
  net_private();
  refused();
  too_long();
  six();
  return 0;
}
