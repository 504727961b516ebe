// sock_diag(7): sockets by protocol and state, one by its number.
#include <netinet/tcp.h>

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/un.h>

#include "netlink.h"

static char g_answer[65536];
static struct nlmsghdr *g_found;

// All that is wanted, one after the other, until see() is content. Yields how
// many there were.
static int dump(int fd, void *body, size_t size,
                int (*see)(struct nlmsghdr *h)) {
  struct NetlinkRequest r;
  int count = 0;
  memcpy(nl_begin(&r, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, size), body, size);
  nl_send(fd, &r);
  g_found = NULL;
  for (;;) {
    ssize_t n = OK(recv(fd, g_answer, sizeof(g_answer), MSG_DONTWAIT));
    for (struct nlmsghdr *h = (struct nlmsghdr *)g_answer;
         NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n)) {
      if (h->nlmsg_type == NLMSG_DONE)
        return count;
      CHECK_EQ(h->nlmsg_type, SOCK_DIAG_BY_FAMILY);
      ++count;
      if (!g_found && see(h)) {
        static char kept[4096];
        g_found = memcpy(kept, h, h->nlmsg_len);
      }
    }
  }
}

static int g_port;
static int by_port(struct nlmsghdr *h) {
  return ((struct inet_diag_msg *)NLMSG_DATA(h))->id.idiag_sport ==
         htons(g_port);
}
static unsigned long g_ino;
static int by_ino(struct nlmsghdr *h) {
  return ((struct unix_diag_msg *)NLMSG_DATA(h))->udiag_ino == g_ino;
}

int main(void) {
  net_private();
  int fd = OK(socket(AF_NETLINK, SOCK_DGRAM, NETLINK_SOCK_DIAG));
  int udp = net_udp4("127.0.0.1", 0), peer = OK(socket(AF_INET, SOCK_DGRAM, 0)),
      six = net_udp6("::1", 0);
  struct sockaddr_in to = net_v4("127.0.0.1", net_port(udp));
  OK(connect(peer, SA(to)));
  struct stat st;
  OK(fstat(udp, &st));
  struct inet_diag_req_v2 q = {.sdiag_family = AF_INET,
                               .sdiag_protocol = IPPROTO_UDP,
                               .idiag_states = -1};
  g_port = net_port(udp);
  CHECK(dump(fd, &q, sizeof(q), by_port) >= 2);
  CHECK(g_found != NULL);
  struct inet_diag_msg *m = NLMSG_DATA(g_found);
  CHECK_EQ(m->idiag_family, AF_INET);
  CHECK_EQ(m->idiag_state, 7);
  CHECK_EQ(m->id.idiag_src[0], htonl(INADDR_LOOPBACK));
  CHECK_EQ(m->id.idiag_dport, 0);
  CHECK_EQ(m->idiag_inode, st.st_ino);
  CHECK_EQ(m->idiag_uid, 0);
  g_port = net_port(peer);
  dump(fd, &q, sizeof(q), by_port);
  CHECK(g_found != NULL);
  m = NLMSG_DATA(g_found);
  CHECK_EQ(m->idiag_state, 1);
  CHECK_EQ(m->id.idiag_dport, to.sin_port);
  // States are a filter.
  q.idiag_states = 1 << 1;
  g_port = net_port(udp);
  dump(fd, &q, sizeof(q), by_port);
  CHECK(g_found == NULL);
  q.idiag_states = -1;
  q.sdiag_family = AF_INET6;
  g_port = net_port(six);
  dump(fd, &q, sizeof(q), by_port);
  CHECK(g_found != NULL);
  m = NLMSG_DATA(g_found);
  CHECK(memcmp(m->id.idiag_src, &in6addr_loopback, 16) == 0);

  // TCP: who listens, with its queue, and connections. A name alone is not shown.
  int server = OK(socket(AF_INET, SOCK_STREAM, 0)), named = OK(socket(AF_INET, SOCK_STREAM, 0)),
      client = OK(socket(AF_INET, SOCK_STREAM, 0));
  struct sockaddr_in at = net_v4("127.0.0.1", 0);
  OK(bind(named, SA(at)));
  OK(bind(server, SA(at)));
  OK(listen(server, 9));
  at.sin_port = htons(net_port(server));
  OK(connect(client, SA(at)));
  OK(fstat(server, &st));
  struct inet_diag_req_v2 t = {.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = 1 << 10};
  g_port = net_port(server);
  CHECK_EQ(dump(fd, &t, sizeof(t), by_port), 1);
  CHECK(g_found != NULL);
  m = NLMSG_DATA(g_found);
  CHECK_EQ(m->idiag_state, 10);
  CHECK_EQ(m->idiag_rqueue, 1);
  CHECK_EQ(m->idiag_wqueue, 9);
  CHECK_EQ(m->idiag_inode, st.st_ino);
  int accepted = OK(accept(server, NULL, NULL));
  CHECK_EQ(send(client, "abc", 3, 0), 3);
  t.idiag_states = 1 << 1;
  CHECK_EQ(dump(fd, &t, sizeof(t), by_port), 2);
  m = NLMSG_DATA(g_found);
  CHECK_EQ(m->idiag_state, 1);
  CHECK_EQ(m->idiag_rqueue, 3);
  CHECK_EQ(m->id.idiag_dport, htons(net_port(client)));
  OK(fstat(accepted, &st));
  CHECK_EQ(m->idiag_inode, st.st_ino);
  // More of each, as it is asked for.
  t.idiag_ext = 1 << (INET_DIAG_INFO - 1) | 1 << (INET_DIAG_CONG - 1) | 1 << (INET_DIAG_MEMINFO - 1) |
                1 << (INET_DIAG_SKMEMINFO - 1) | 1 << (INET_DIAG_TOS - 1);
  net_set(accepted, SOL_IP, IP_TOS, 0x10);
  CHECK_EQ(dump(fd, &t, sizeof(t), by_port), 2);
  m = NLMSG_DATA(g_found);
  struct rtattr *more = nl_find(g_found, sizeof(*m), INET_DIAG_INFO);
  CHECK(more != NULL && RTA_PAYLOAD(more) >= 192);
  CHECK_EQ(((struct tcp_info *)RTA_DATA(more))->tcpi_state, 1);
  CHECK(((struct tcp_info *)RTA_DATA(more))->tcpi_snd_cwnd > 0);
  more = nl_find(g_found, sizeof(*m), INET_DIAG_CONG);
  char algorithm[16];
  socklen_t length = sizeof(algorithm);
  OK(getsockopt(accepted, SOL_TCP, TCP_CONGESTION, algorithm, &length));
  CHECK(more != NULL);
  CHECK_STR((char *)RTA_DATA(more), algorithm);
  CHECK_EQ(RTA_PAYLOAD(more), strlen(algorithm) + 1);
  more = nl_find(g_found, sizeof(*m), INET_DIAG_TOS);
  CHECK(more != NULL);
  CHECK_EQ(*(unsigned char *)RTA_DATA(more), 0x10);
  more = nl_find(g_found, sizeof(*m), INET_DIAG_MEMINFO);
  CHECK(more != NULL);
  CHECK_EQ(RTA_PAYLOAD(more), 16);
  more = nl_find(g_found, sizeof(*m), INET_DIAG_SKMEMINFO);
  CHECK(more != NULL);
  CHECK_EQ(RTA_PAYLOAD(more), 36);
  CHECK_EQ(((unsigned *)RTA_DATA(more))[1], net_get(accepted, SOL_SOCKET, SO_RCVBUF));
  CHECK_EQ(((unsigned *)RTA_DATA(more))[3], net_get(accepted, SOL_SOCKET, SO_SNDBUF));
  t.idiag_ext = 0;
  t.idiag_states = 0xfff;
  g_port = net_port(named);
  dump(fd, &t, sizeof(t), by_port);
  CHECK(g_found == NULL);

  // AF_UNIX.
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  snprintf(name.sun_path + 1, 20, "diag-%d", getpid());
  int local = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  OK(bind(local, (struct sockaddr *)&name, 2 + 1 + strlen(name.sun_path + 1)));
  OK(listen(local, 5));
  OK(fstat(local, &st));
  g_ino = st.st_ino;
  struct unix_diag_req u = {.sdiag_family = AF_UNIX,
                            .udiag_states = -1,
                            .udiag_show = UDIAG_SHOW_NAME};
  dump(fd, &u, sizeof(u), by_ino);
  CHECK(g_found != NULL);
  struct unix_diag_msg *d = NLMSG_DATA(g_found);
  CHECK_EQ(d->udiag_type, SOCK_STREAM);
  CHECK_EQ(d->udiag_state, 10);
  struct rtattr *a = nl_find(g_found, sizeof(*d), UNIX_DIAG_NAME);
  CHECK(a != NULL);
  CHECK_EQ(a->rta_len, RTA_LENGTH(1 + strlen(name.sun_path + 1)));
  CHECK(memcmp(RTA_DATA(a), name.sun_path, 1 + strlen(name.sun_path + 1)) == 0);
  // One that is not there; what is too short.
  struct NetlinkRequest r;
  u.udiag_ino = 0x7fffffff;
  u.udiag_cookie[0] = u.udiag_cookie[1] = -1;
  memcpy(nl_begin(&r, SOCK_DIAG_BY_FAMILY, 0, sizeof(u)), &u, sizeof(u));
  CHECK_EQ(nl_ask(fd, &r), ENOENT);
  *(char *)nl_begin(&r, SOCK_DIAG_BY_FAMILY, 0, 8) = AF_UNIX;
  CHECK_EQ(nl_ask(fd, &r), EINVAL);
  return 0;
}
