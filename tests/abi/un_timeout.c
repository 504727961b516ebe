// SO_RCVTIMEO, SO_SNDTIMEO, and what signals do to calls that wait (signal(7)).
#include <stddef.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "abi.h"

static volatile int g_alarms;

static void on_alarm(int signal) {
  (void)signal;
  g_alarms++;
}

static void set(int fd, int name, long sec, long usec) {
  struct timeval t = {sec, usec};
  OK(setsockopt(fd, SOL_SOCKET, name, &t, sizeof(t)));
}

static struct timeval get(int fd, int name) {
  struct timeval t = {-1, -1};
  socklen_t size = sizeof(t);
  OK(getsockopt(fd, SOL_SOCKET, name, &t, &size));
  CHECK_EQ(size, sizeof(t));
  return t;
}

static void values(void) {
  int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  struct timeval t = get(fd, SO_RCVTIMEO);
  CHECK_EQ(t.tv_sec, 0);
  CHECK_EQ(t.tv_usec, 0);
  set(fd, SO_RCVTIMEO, 5, 0);
  set(fd, SO_SNDTIMEO, 7, 500000);
  CHECK_EQ(get(fd, SO_RCVTIMEO).tv_sec, 5);
  CHECK_EQ(get(fd, SO_SNDTIMEO).tv_usec, 500000);
  t.tv_usec = 1000000;
  FAILS(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)), EDOM);
  t.tv_usec = -1;
  FAILS(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)), EDOM);
  FAILS(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, 8), EINVAL);
  set(fd, SO_RCVTIMEO, 0, 0);
  CHECK_EQ(get(fd, SO_RCVTIMEO).tv_sec, 0);
  OK(close(fd));
}

// The call fails with EAGAIN, not before the time.
#define TIMES_OUT(call)                                        \
  do {                                                         \
    long long start_ = abi_ns(CLOCK_MONOTONIC);                \
    FAILS(call, EAGAIN);                                       \
    CHECK(abi_ns(CLOCK_MONOTONIC) - start_ >= 48 * 1000000LL); \
  } while (0)

static void waits(void) {
  int fds[2];
  static char block[1 << 20];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  set(fds[0], SO_RCVTIMEO, 0, 50000);
  TIMES_OUT(read(fds[0], block, 1));
  TIMES_OUT(recv(fds[0], block, 1, 0));
  CHECK_EQ(write(fds[1], "abc", 3), 3);
  CHECK_EQ(recv(fds[0], block, 10, MSG_WAITALL), 3);  // what there was by then
  set(fds[0], SO_SNDTIMEO, 0, 50000);
  ssize_t n = OK(write(fds[0], block, sizeof(block)));
  CHECK(n > 0 && n < (ssize_t)sizeof(block));
  TIMES_OUT(write(fds[0], block, sizeof(block)));
  OK(close(fds[0]));
  OK(close(fds[1]));
  // accept(2) and connect(2).
  int listener = OK(socket(AF_UNIX, SOCK_STREAM, 0)), client;
  struct sockaddr_un a;
  socklen_t size = sizeof(a);
  sa_family_t family = AF_UNIX;
  OK(bind(listener, (struct sockaddr*)&family, sizeof(family)));
  OK(getsockname(listener, (struct sockaddr*)&a, &size));
  OK(listen(listener, 0));
  set(listener, SO_RCVTIMEO, 0, 50000);
  TIMES_OUT(accept(listener, NULL, NULL));
  OK(connect(OK(socket(AF_UNIX, SOCK_STREAM, 0)), (struct sockaddr*)&a, size));
  client = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  set(client, SO_SNDTIMEO, 0, 50000);
  TIMES_OUT(connect(client, (struct sockaddr*)&a, size));
  OK(close(OK(accept(listener, NULL, NULL))));
  OK(connect(client, (struct sockaddr*)&a, size));
  // A datagram whose receiver is full.
  int server = OK(socket(AF_UNIX, SOCK_DGRAM, 0)), sender = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
  OK(bind(server, (struct sockaddr*)&family, sizeof(family)));
  size = sizeof(a);
  OK(getsockname(server, (struct sockaddr*)&a, &size));
  while (sendto(sender, "x", 1, MSG_DONTWAIT, (struct sockaddr*)&a, size) == 1) continue;
  set(sender, SO_SNDTIMEO, 0, 50000);
  TIMES_OUT(sendto(sender, "x", 1, 0, (struct sockaddr*)&a, size));
}

// A child blocks in `call`, gets SIGALRM, and finds what is wanted.
static void interrupted(int flags, int timeout) {
  int fds[2];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  if (timeout) set(fds[1], SO_RCVTIMEO, 1000, 0);
  atomic_int* handled = abi_shared(4096);
  pid_t pid = FORK({
    char buf[4];
    abi_handle(SIGALRM, on_alarm, flags);
    if ((flags & SA_RESTART) && !timeout) {
      CHECK_EQ(read(fds[1], buf, 4), 1);
      CHECK_EQ(g_alarms, 1);
    } else {
      FAILS(read(fds[1], buf, 4), EINTR);
      CHECK_EQ(g_alarms, 1);
      atomic_store(handled, 1);
      // What came counts.
      CHECK_EQ(recv(fds[1], buf, 4, MSG_WAITALL), 1);
      CHECK_EQ(g_alarms, 2);
    }
  });
  abi_await_state(pid, 'S');
  OK(kill(pid, SIGALRM));
  if ((flags & SA_RESTART) && !timeout) {
    abi_await_state(pid, 'S');
    CHECK_EQ(write(fds[0], "x", 1), 1);
  } else {
    abi_await(handled, 1);
    CHECK_EQ(write(fds[0], "x", 1), 1);
    int left = 1;
    while (left > 0) {
      char c;
      left = recv(fds[1], &c, 1, MSG_PEEK | MSG_DONTWAIT);
      sched_yield();
    }
    abi_await_state(pid, 'S');
    OK(kill(pid, SIGALRM));
  }
  WAIT_OK(pid);
  OK(close(fds[0]));
  OK(close(fds[1]));
}

int main(void) {
  values();
  waits();
  interrupted(0, 0);
  interrupted(SA_RESTART, 0);
  interrupted(SA_RESTART, 1);
  return 0;
}
