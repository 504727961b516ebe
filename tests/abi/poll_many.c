// Many descriptors: poll over hundreds, select up to 1024, epoll with as many, limits of open files.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>

#include "abi.h"

enum { kMany = 300 };
static int g_fds[kMany];

int main(void) {
  for (int i = 0; i < kMany; i++) g_fds[i] = OK(eventfd(0, EFD_NONBLOCK));
  struct pollfd set[kMany];
  for (int i = 0; i < kMany; i++) set[i] = (struct pollfd){.fd = g_fds[i], .events = POLLIN};
  CHECK_EQ(poll(set, kMany, 0), 0);
  int epoll = OK(epoll_create1(0));
  for (int i = 0; i < kMany; i++) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
    OK(epoll_ctl(epoll, EPOLL_CTL_ADD, g_fds[i], &event));
  }
  for (int i = 0; i < kMany; i += 3) eventfd_write(g_fds[i], 1);
  CHECK_EQ(poll(set, kMany, -1), kMany / 3);
  for (int i = 0; i < kMany; i++) CHECK_EQ(set[i].revents, i % 3 ? 0 : POLLIN);
  static struct epoll_event events[kMany];
  CHECK_EQ(epoll_wait(epoll, events, kMany, -1), kMany / 3);
  for (int i = 0; i < kMany / 3; i++) CHECK_EQ(events[i].data.u32 % 3, 0);

  fd_set in;
  FD_ZERO(&in);
  int top = g_fds[kMany - 1];
  for (int i = 0; i < kMany; i++) FD_SET(g_fds[i], &in);
  CHECK_EQ(select(top + 1, &in, NULL, NULL, NULL), kMany / 3);
  for (int i = 0; i < kMany; i++) CHECK_EQ(FD_ISSET(g_fds[i], &in), i % 3 == 0);
  CHECK_EQ(dup2(g_fds[0], 1000), 1000);
  FD_ZERO(&in);
  FD_SET(1000, &in);
  CHECK_EQ(select(1024, &in, NULL, NULL, NULL), 1);
  // One blocked in poll over all is woken by the last.
  for (int i = 0; i < kMany; i++) {
    eventfd_t value;
    eventfd_read(g_fds[i], &value);
  }
  pid_t pid = FORK({
    CHECK_EQ(poll(set, kMany, -1), 1);
    CHECK_EQ(set[kMany - 1].revents, POLLIN);
  });
  abi_await_state(pid, 'S');
  eventfd_write(g_fds[kMany - 1], 1);
  WAIT_OK(pid);
  // The same descriptor several times.
  struct pollfd twice[3] = {
      {.fd = top, .events = POLLIN}, {.fd = top, .events = POLLOUT}, {.fd = top, .events = 0}};
  CHECK_EQ(poll(twice, 3, -1), 2);
  CHECK_EQ(twice[0].revents, POLLIN);
  CHECK_EQ(twice[1].revents, POLLOUT);
  // Closed while in the set of an epoll: they go quietly.
  for (int i = 0; i < kMany; i++) OK(close(g_fds[i]));
  OK(close(1000));
  CHECK_EQ(epoll_wait(epoll, events, kMany, 0), 0);
  return 0;
}
