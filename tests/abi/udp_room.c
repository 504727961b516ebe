// SO_RCVBUF bounds what waits; what does not fit is lost and counted. SO_REUSEPORT spreads flows. Many
// threads.
#include "net.h"

enum { kThreads = 4, kRounds = 150 };
static int g_port;

static void* talk(void* at) {
  int fd = net_udp4("127.0.0.1", 0);
  struct sockaddr_in a = net_v4("127.0.0.1", g_port);
  OK(connect(fd, SA(a)));
  for (int i = 0; i < kRounds; ++i) {
    int out[2] = {(int)(intptr_t)at, i}, in[2];
    CHECK_EQ(send(fd, out, sizeof(out), 0), sizeof(out));
    CHECK_EQ(recv(fd, in, sizeof(in), 0), sizeof(in));
    CHECK(memcmp(in, out, sizeof(in)) == 0);
  }
  OK(close(fd));
  return NULL;
}

static void* answer(void* at) {
  int fd = *(int*)at;
  for (;;) {
    int message[2];
    struct sockaddr_in from;
    socklen_t size = sizeof(from);
    ssize_t n = OK(recvfrom(fd, message, sizeof(message), 0, (struct sockaddr*)&from, &size));
    if (n == 0) return NULL;
    CHECK_EQ(sendto(fd, message, n, 0, SA(from)), n);
  }
}

int main(void) {
  net_private();
  int fd = net_udp4("127.0.0.1", 0), from = net_udp4("127.0.0.1", 0), port = net_port(fd);
  net_set(fd, SOL_SOCKET, SO_RCVBUF, 4096);
  CHECK_EQ(net_get(fd, SOL_SOCKET, SO_RCVBUF), 8192);
  net_set(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
  for (int i = 0; i < 100; ++i) net_send4(from, "some bytes", "127.0.0.1", port);
  struct NetMessage m;
  int got = 0;
  while (net_recvmsg(fd, &m, MSG_DONTWAIT) == 10) ++got;
  CHECK(got >= 5 && got <= 40);
  net_send4(from, "some bytes", "127.0.0.1", port);
  CHECK_EQ(net_recvmsg(fd, &m, MSG_DONTWAIT), 10);
  CHECK_EQ(*(int*)net_cmsg(&m, SOL_SOCKET, SO_RXQ_OVFL, 4), 100 - got);

  // One port, several sockets: each flow keeps to one of them.
  int group[3], base = 0;
  for (int i = 0; i < 3; ++i) {
    group[i] = OK(socket(AF_INET, SOCK_DGRAM, 0));
    net_set(group[i], SOL_SOCKET, SO_REUSEPORT, 1);
    struct sockaddr_in a = net_v4("127.0.0.1", base);
    OK(bind(group[i], SA(a)));
    base = net_port(group[i]);
  }
  int seen[3] = {0};
  for (int i = 0; i < 60; ++i) {
    int s = net_udp4("127.0.0.1", 0), first = -1;
    for (int k = 0; k < 3; ++k) {
      net_send4(s, "x", "127.0.0.1", base);
      for (int g = 0; g < 3; ++g) {
        char c;
        if (recv(group[g], &c, 1, MSG_DONTWAIT) != 1) continue;
        if (first < 0) first = g;
        CHECK_EQ(g, first);
        seen[g]++;
      }
    }
    OK(close(s));
  }
  CHECK_EQ(seen[0] + seen[1] + seen[2], 180);
  CHECK(seen[0] && seen[1] && seen[2]);

  // Threads that ask, threads that answer.
  int server = net_udp4("127.0.0.1", 0);
  g_port = net_port(server);
  pthread_t clients[kThreads], servers[2];
  for (int i = 0; i < 2; ++i) ZERO(pthread_create(&servers[i], NULL, answer, &server));
  for (int i = 0; i < kThreads; ++i) ZERO(pthread_create(&clients[i], NULL, talk, (void*)(intptr_t)i));
  for (int i = 0; i < kThreads; ++i) ZERO(pthread_join(clients[i], NULL));
  for (int i = 0; i < 2; ++i) net_send4(from, "", "127.0.0.1", g_port);
  for (int i = 0; i < 2; ++i) ZERO(pthread_join(servers[i], NULL));
  return 0;
}
