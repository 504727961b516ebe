// Many connections at once, from several threads, short ones and long ones.
#include <sys/epoll.h>

#include "tcp.h"

enum { kThreads = 3, kRounds = 60, kOpen = 150 };

struct work {
  int family, port, id;
};

static void* short_ones(void* argument) {
  struct work* w = argument;
  for (int i = 0; i < kRounds; ++i) {
    int fd = tcp_socket(w->family);
    struct Address a = loopback(w->family, w->port);
    OK(connect(fd, &a.any, a.size));
    unsigned char out[600], in[600];
    for (size_t k = 0; k < sizeof(out); ++k) out[k] = (unsigned char)(w->id * 31 + i + (int)k);
    CHECK_EQ(send(fd, out, sizeof(out), 0), sizeof(out));
    CHECK_EQ(recv(fd, in, sizeof(in), MSG_WAITALL), sizeof(in));
    CHECK_EQ(memcmp(in, out, sizeof(in)), 0);
    if (i & 1) {
      OK(shutdown(fd, SHUT_WR));
      CHECK_EQ(recv(fd, in, 1, 0), 0);
    }
    OK(close(fd));
  }
  return NULL;
}

// An echo server over epoll until all clients are gone.
static void serve(int server, int connections) {
  int ep = OK(epoll_create1(0)), done = 0;
  struct epoll_event e = {EPOLLIN, {.fd = server}}, events[16];
  OK(epoll_ctl(ep, EPOLL_CTL_ADD, server, &e));
  OK(fcntl(server, F_SETFL, O_NONBLOCK));
  char buf[4096];
  while (done < connections) {
    int n = OK(epoll_wait(ep, events, 16, 30000));
    if (n == 0) FAIL("nothing happens; %d of %d connections served", done, connections);
    for (int i = 0; i < n; ++i) {
      int fd = events[i].data.fd;
      if (fd == server) {
        int fresh = accept(server, NULL, NULL);
        if (fresh == -1) continue;
        struct epoll_event in = {EPOLLIN, {.fd = fresh}};
        OK(epoll_ctl(ep, EPOLL_CTL_ADD, fresh, &in));
        continue;
      }
      ssize_t got = recv(fd, buf, sizeof(buf), 0);
      if (got > 0) {
        CHECK_EQ(send(fd, buf, (size_t)got, MSG_NOSIGNAL), got);
        continue;
      }
      OK(close(fd));
      done++;
    }
  }
  OK(close(ep));
}

static void threads(int family) {
  int server = listener(family, 64);
  pthread_t thread[kThreads];
  struct work w[kThreads];
  for (int i = 0; i < kThreads; ++i) {
    w[i] = (struct work){family, port_of(server), i};
    ZERO(pthread_create(&thread[i], NULL, short_ones, &w[i]));
  }
  serve(server, kThreads * kRounds);
  for (int i = 0; i < kThreads; ++i) ZERO(pthread_join(thread[i], NULL));
  OK(close(server));
}

static void open_at_once(int family) {
  int server = listener(family, kOpen), fds[kOpen], peers[kOpen];
  for (int i = 0; i < kOpen; ++i) {
    fds[i] = client_of(server, family);
    peers[i] = OK(accept(server, NULL, NULL));
  }
  for (int i = 0; i < kOpen; ++i) CHECK_EQ(send(fds[i], &i, sizeof(i), 0), sizeof(i));
  for (int i = kOpen - 1; i >= 0; --i) {
    int got = -1;
    CHECK_EQ(recv(peers[i], &got, sizeof(got), MSG_WAITALL), sizeof(got));
    CHECK_EQ(got, i);
  }
  for (int i = 0; i < kOpen; ++i) {
    OK(close(fds[i]));
    OK(close(peers[i]));
  }
  OK(close(server));
}

int main(void) {
  EACH_FAMILY(family) {
    threads((int)family);
    open_at_once((int)family);
  }
  return 0;
}
