// What is sent last arrives before the end of the stream, also when both come while the reader looks.
#include <sched.h>

#include "tcp.h"

enum { kRounds = 300 };

static const char kLast[] = "the last";

struct Writer {
  int fd;
  bool close;
  atomic_int go;
};

static void* writer(void* argument) {
  struct Writer* w = argument;
  while (!atomic_load(&w->go)) sched_yield();
  CHECK_EQ(write(w->fd, kLast, sizeof(kLast)), sizeof(kLast));
  if (w->close)
    OK(close(w->fd));
  else
    OK(shutdown(w->fd, SHUT_WR));
  return NULL;
}

// The reader asks again and again; the bytes and the end come at any moment of that.
static void round_of(int from, int to, bool close_it) {
  struct Writer w = {from, close_it, 0};
  pthread_t thread;
  char buf[32];
  size_t got = 0;
  OK(fcntl(to, F_SETFL, O_NONBLOCK));
  ZERO(pthread_create(&thread, NULL, writer, &w));
  atomic_store(&w.go, 1);
  for (;;) {
    ssize_t n = read(to, buf + got, sizeof(buf) - got);
    if (n == 0) break;
    if (n > 0)
      got += (size_t)n;
    else
      CHECK_EQ(errno, EAGAIN);
  }
  CHECK_EQ(got, sizeof(kLast));
  CHECK_EQ(memcmp(buf, kLast, sizeof(kLast)), 0);
  ZERO(pthread_join(thread, NULL));
  if (!close_it) OK(close(from));
  OK(close(to));
}

int main(void) {
  for (int i = 0; i < kRounds; ++i) {
    int fds[2];
    OK(pipe(fds));
    round_of(fds[1], fds[0], true);
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    round_of(fds[0], fds[1], i % 2);
  }
  EACH_FAMILY(family) {
    for (int i = 0; i < kRounds; ++i) {
      int fds[2];
      tcp_pair((int)family, fds);
      round_of(fds[0], fds[1], i % 2);
    }
  }
  return 0;
}
