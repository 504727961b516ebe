// udp(7): UDP_CORK and MSG_MORE: many small pieces are one datagram, up to the largest there is.
#include <netinet/udp.h>

#include "net.h"

static char g_sent[65536], g_got[65536];

static void pieces(int family, int size, int count, int by_option) {
  int from = OK(socket(family, SOCK_DGRAM, 0));
  int to = family == AF_INET ? net_udp4("127.0.0.1", 0) : net_udp6("::1", 0);
  net_set(to, SOL_SOCKET, SO_RCVBUF, 1 << 20);
  if (family == AF_INET) {
    struct sockaddr_in a = net_v4("127.0.0.1", net_port(to));
    OK(connect(from, SA(a)));
  } else {
    struct sockaddr_in6 a = net_v6("::1", net_port(to));
    OK(connect(from, SA(a)));
  }
  if (by_option) net_set(from, SOL_UDP, UDP_CORK, 1);
  for (int i = 0; i < count; ++i) {
    int more = by_option || i + 1 < count ? MSG_MORE : 0;
    CHECK_EQ(send(from, g_sent + i * size, size, by_option ? 0 : more), size);
    if (more) net_empty(to);
  }
  if (by_option) net_set(from, SOL_UDP, UDP_CORK, 0);
  CHECK_EQ(recv(to, g_got, sizeof(g_got), MSG_DONTWAIT), size * count);
  CHECK(memcmp(g_got, g_sent, size * count) == 0);
  net_empty(to);
  OK(close(from));
  OK(close(to));
}

int main(void) {
  net_private();
  for (size_t i = 0; i < sizeof(g_sent); ++i) g_sent[i] = i * 7 + i / 251;
  for (int f = 0; f < 2; ++f) {
    int family = f ? AF_INET6 : AF_INET;
    for (int by_option = 0; by_option < 2; ++by_option) {
      pieces(family, 1, 1, by_option);
      pieces(family, 1, 18, by_option);
      pieces(family, 1, 300, by_option);
      pieces(family, 100, 40, by_option);
      pieces(family, 1300, 50, by_option);
      pieces(family, 5000, 13, by_option);
    }
  }
  // Too much is refused, and nothing of it is sent.
  int from = OK(socket(AF_INET, SOCK_DGRAM, 0)), to = net_udp4("127.0.0.1", 0);
  struct sockaddr_in a = net_v4("127.0.0.1", net_port(to));
  OK(connect(from, SA(a)));
  CHECK_EQ(send(from, g_sent, 60000, MSG_MORE), 60000);
  FAILS(send(from, g_sent, 6000, MSG_MORE), EMSGSIZE);
  return 0;
}
