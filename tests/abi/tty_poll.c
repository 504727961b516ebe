// poll(2) and end of terminals: which side sees what when the other closes, opens again, fills up.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "abi.h"

static int g_master;
static char g_name[64];

static int slave(void) { return OK(open(g_name, O_RDWR | O_NOCTTY)); }

static int events(int fd, short wanted) {
  struct pollfd p = {.fd = fd, .events = wanted};
  OK(poll(&p, 1, 0));
  return p.revents;
}

// What is written comes to the other side a little later.
static void comes(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  CHECK_EQ(poll(&p, 1, -1), 1);
}

static void raw(int fd) {
  struct termios t;
  OK(tcgetattr(fd, &t));
  cfmakeraw(&t);
  OK(tcsetattr(fd, TCSANOW, &t));
}

int main(void) {
  g_master = OK(posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK));
  OK(unlockpt(g_master));
  ZERO(ptsname_r(g_master, g_name, sizeof(g_name)));
  char text[64];
  // Before anybody was there no end is seen.
  CHECK_EQ(events(g_master, POLLIN), 0);
  FAILS(read(g_master, text, 10), EAGAIN);
  int fd = slave();
  raw(fd);
  CHECK_EQ(events(fd, POLLIN | POLLOUT), POLLOUT);
  CHECK_EQ(events(g_master, POLLIN | POLLOUT), POLLOUT);
  CHECK_EQ(write(fd, "out", 3), 3);
  comes(g_master);
  CHECK_EQ(events(g_master, POLLIN), POLLIN);
  CHECK_EQ(write(g_master, "in", 2), 2);
  comes(fd);
  CHECK_EQ(events(fd, POLLIN), POLLIN);
  CHECK_EQ(read(fd, text, 64), 2);
  CHECK_EQ(events(fd, POLLIN), 0);

  // The last slave closes: the rest can be read, then EIO.
  int second = OK(dup(fd));
  OK(close(fd));
  CHECK_EQ(events(g_master, POLLIN) & POLLHUP, 0);
  OK(close(second));
  CHECK_EQ(events(g_master, POLLIN), POLLIN | POLLHUP);
  CHECK_EQ(read(g_master, text, 64), 3);
  FAILS(read(g_master, text, 64), EIO);
  CHECK_EQ(events(g_master, POLLIN) & POLLHUP, POLLHUP);
  // A new one makes it whole again.
  fd = slave();
  CHECK_EQ(events(g_master, POLLIN | POLLOUT), POLLOUT);
  FAILS(read(g_master, text, 64), EAGAIN);

  // Full: the writer waits until the other side has read.
  OK(fcntl(fd, F_SETFL, O_NONBLOCK));
  char piece[1024];
  memset(piece, 'f', sizeof(piece));
  size_t sent = 0;
  for (;;) {
    ssize_t n = write(fd, piece, sizeof(piece));
    if (n < 0) break;
    sent += n;
  }
  CHECK_EQ(errno, EAGAIN);
  CHECK(sent >= 1024);
  CHECK_EQ(events(fd, POLLOUT), 0);
  size_t got = 0;
  while (got < sent) {
    comes(g_master);
    got += OK(read(g_master, piece, sizeof(piece)));
  }
  CHECK_EQ(got, sent);
  while (!(events(fd, POLLOUT) & POLLOUT)) sched_yield();

  // Who sleeps in a read or in epoll is woken by the end.
  OK(fcntl(g_master, F_SETFL, 0));
  pid_t pid = FORK({
    OK(close(fd));
    FAILS(read(g_master, text, 64), EIO);
  });
  abi_await_state(pid, 'S');
  OK(close(fd));
  WAIT_OK(pid);
  fd = slave();
  int epoll = OK(epoll_create1(0));
  struct epoll_event e = {.events = EPOLLIN | EPOLLET};
  OK(epoll_ctl(epoll, EPOLL_CTL_ADD, g_master, &e));
  CHECK_EQ(epoll_wait(epoll, &e, 1, 0), 0);
  pid = FORK({
    OK(close(fd));
    CHECK_EQ(epoll_wait(epoll, &e, 1, -1), 1);
    CHECK(e.events & EPOLLHUP);
  });
  abi_await_state(pid, 'S');
  OK(close(fd));
  WAIT_OK(pid);
  OK(close(epoll));

  // The master goes: the slave hangs.
  fd = slave();
  raw(fd);
  CHECK_EQ(write(g_master, "last", 4), 4);
  pid = FORK({
    OK(close(g_master));
    char all[64];
    ssize_t n = OK(read(fd, all, 64));
    CHECK(n == 4 || n == 0);
    CHECK_EQ(read(fd, all, 64), 0);
  });
  OK(close(g_master));
  WAIT_OK(pid);
  CHECK_EQ(events(fd, POLLIN | POLLOUT) & POLLHUP, POLLHUP);
  CHECK_EQ(read(fd, text, 64), 0);
  FAILS(write(fd, "x", 1), EIO);
  struct termios t;
  FAILS(tcgetattr(fd, &t), EIO);
  return 0;
}
