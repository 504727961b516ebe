// epoll(7): level and edge triggered, one shot, nesting, descriptors that go, errors.
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "abi.h"

static struct epoll_event g_events[16];

static void add(int epoll, int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

static int ready(int epoll) { return OK(epoll_wait(epoll, g_events, 16, 0)); }

static void triggers(void) {
  int epoll = OK(epoll_create1(EPOLL_CLOEXEC));
  CHECK_EQ(fcntl(epoll, F_GETFD), FD_CLOEXEC);
  int level[2], edge[2], once[2];
  OK(pipe(level));
  OK(pipe(edge));
  OK(pipe(once));
  add(epoll, level[0], EPOLLIN);
  add(epoll, edge[0], EPOLLIN | EPOLLET);
  add(epoll, once[0], EPOLLIN | EPOLLONESHOT);
  CHECK_EQ(ready(epoll), 0);
  CHECK_EQ(write(level[1], "x", 1), 1);
  CHECK_EQ(write(edge[1], "x", 1), 1);
  CHECK_EQ(write(once[1], "x", 1), 1);
  CHECK_EQ(ready(epoll), 3);
  for (int i = 0; i < 3; i++) CHECK_EQ(g_events[i].events, EPOLLIN);
  CHECK_EQ(ready(epoll), 1);
  CHECK_EQ(g_events[0].data.fd, level[0]);
  CHECK_EQ(write(edge[1], "y", 1), 1);  // a new edge though not read yet
  CHECK_EQ(write(once[1], "y", 1), 1);
  CHECK_EQ(ready(epoll), 2);
  // Armed again.
  struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = 4711};
  OK(epoll_ctl(epoll, EPOLL_CTL_MOD, once[0], &event));
  char c[8];
  CHECK_EQ(read(level[0], c, 8), 1);
  CHECK_EQ(ready(epoll), 1);
  CHECK_EQ(g_events[0].data.fd, 4711);
  CHECK_EQ(ready(epoll), 0);

  OK(close(level[1]));
  CHECK_EQ(ready(epoll), 1);
  CHECK_EQ(g_events[0].events, EPOLLHUP);
  OK(epoll_ctl(epoll, EPOLL_CTL_DEL, level[0], NULL));
  CHECK_EQ(ready(epoll), 0);
  // The last close of the open file takes it out; a copy keeps it in.
  int copy = OK(dup(edge[0]));
  OK(close(edge[0]));
  CHECK_EQ(write(edge[1], "z", 1), 1);
  CHECK_EQ(ready(epoll), 1);
  OK(close(copy));
  CHECK_EQ(ready(epoll), 0);
}

static void nesting(void) {
  int inner = OK(epoll_create1(0)), outer = OK(epoll_create1(0)), event = OK(eventfd(0, 0));
  add(inner, event, EPOLLIN);
  add(outer, inner, EPOLLIN);
  CHECK_EQ(ready(outer), 0);
  CHECK_EQ(eventfd_write(event, 1), 0);
  CHECK_EQ(ready(outer), 1);
  CHECK_EQ(g_events[0].data.fd, inner);
  CHECK_EQ(ready(inner), 1);
  eventfd_t value;
  OK(eventfd_read(event, &value));
  CHECK_EQ(ready(outer), 0);
  struct epoll_event e = {.events = EPOLLIN};
  FAILS(epoll_ctl(inner, EPOLL_CTL_ADD, inner, &e), EINVAL);
  FAILS(epoll_ctl(inner, EPOLL_CTL_ADD, outer, &e), ELOOP);
  // Six deep is too deep.
  int chain[7];
  for (int i = 0; i < 7; i++) chain[i] = OK(epoll_create1(0));
  int depth = 0;
  while (depth < 6 && epoll_ctl(chain[depth + 1], EPOLL_CTL_ADD, chain[depth], &e) == 0) depth++;
  CHECK(depth >= 3 && depth <= 5);
  CHECK(errno == ELOOP || errno == EINVAL);
}

static void errors(void) {
  int epoll = OK(epoll_create(1)), event = OK(eventfd(0, 0));
  struct epoll_event e = {.events = EPOLLIN};
  FAILS(epoll_create(0), EINVAL);
  FAILS(epoll_create1(1), EINVAL);
  add(epoll, event, EPOLLIN);
  FAILS(epoll_ctl(epoll, EPOLL_CTL_ADD, event, &e), EEXIST);
  FAILS(epoll_ctl(epoll, EPOLL_CTL_MOD, OK(eventfd(0, 0)), &e), ENOENT);
  FAILS(epoll_ctl(epoll, EPOLL_CTL_DEL, OK(eventfd(0, 0)), &e), ENOENT);
  FAILS(epoll_ctl(epoll, EPOLL_CTL_ADD, 999, &e), EBADF);
  FAILS(epoll_ctl(999, EPOLL_CTL_ADD, event, &e), EBADF);
  FAILS(epoll_ctl(event, EPOLL_CTL_ADD, epoll, &e), EINVAL);
  FAILS(epoll_ctl(epoll, 77, event, &e), EINVAL);
  FAILS(epoll_ctl(epoll, EPOLL_CTL_ADD, OK(eventfd(0, 0)), (void*)8), EFAULT);
  FAILS(epoll_ctl(epoll, EPOLL_CTL_ADD, OK(open("/proc/self/exe", O_RDONLY)), &e), EPERM);
  FAILS(epoll_wait(epoll, g_events, 0, 0), EINVAL);
  FAILS(epoll_wait(event, g_events, 1, 0), EINVAL);
  FAILS(epoll_wait(999, g_events, 1, 0), EBADF);
  eventfd_write(event, 1);
  FAILS(epoll_wait(epoll, (void*)8, 1, 0), EFAULT);
  // What could not be told is told again, even an edge or the one shot.
  int edge = OK(epoll_create1(0));
  add(edge, event, EPOLLIN | EPOLLET | EPOLLONESHOT);
  FAILS(epoll_wait(edge, (void*)8, 1, 0), EFAULT);
  CHECK_EQ(ready(edge), 1);
  CHECK_EQ(ready(edge), 0);
  e.events = EPOLLIN | EPOLLEXCLUSIVE;
  int other = OK(eventfd(0, 0));
  OK(epoll_ctl(epoll, EPOLL_CTL_ADD, other, &e));
  FAILS(epoll_ctl(epoll, EPOLL_CTL_MOD, other, &e), EINVAL);
  e.events = EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT;
  FAILS(epoll_ctl(epoll, EPOLL_CTL_ADD, OK(eventfd(0, 0)), &e), EINVAL);
}

int main(void) {
  triggers();
  nesting();
  errors();
  // Few at a time: all get their turn.
  int epoll = OK(epoll_create1(0));
  int fds[8];
  for (int i = 0; i < 8; i++) add(epoll, fds[i] = OK(eventfd(1, 0)), EPOLLIN);
  int seen[1024] = {0};
  for (int i = 0; i < 4; i++) {
    CHECK_EQ(epoll_wait(epoll, g_events, 2, 0), 2);
    for (int k = 0; k < 2; k++) seen[g_events[k].data.fd]++;
  }
  for (int i = 0; i < 8; i++) CHECK_EQ(seen[fds[i]], 1);
  for (int i = 0; i < 8; i++) OK(close(fds[i]));
  long long begin = abi_ns(CLOCK_MONOTONIC);
  CHECK_EQ(epoll_wait(epoll, g_events, 1, 20), 0);
  CHECK(abi_ns(CLOCK_MONOTONIC) - begin >= 20000000);
  CHECK_EQ(epoll_pwait2(epoll, g_events, 1, &(struct timespec){.tv_nsec = 1000}, NULL), 0);

  // A waiter is woken, by a write and by a descriptor added meanwhile.
  int event = OK(eventfd(0, 0));
  pid_t pid = FORK({
    CHECK_EQ(epoll_wait(epoll, g_events, 4, -1), 1);
    CHECK_EQ(g_events[0].data.fd, event);
  });
  abi_await_state(pid, 'S');
  add(epoll, event, EPOLLIN);
  eventfd_write(event, 1);
  WAIT_OK(pid);
  return 0;
}
