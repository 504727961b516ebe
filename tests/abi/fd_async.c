// Signals for descriptors that become ready: O_ASYNC, F_SETOWN, F_SETSIG: fcntl(2).
#include "abi.h"

static volatile int g_count, g_signal, g_fd, g_code;

static void handler(int signal, siginfo_t* info, void* context) {
  (void)context;
  g_signal = signal;
  g_fd = info->si_fd;
  g_code = info->si_code;
  g_count++;
}

int main(void) {
  int fds[2];
  OK(pipe2(fds, O_NONBLOCK));
  abi_handle_info(SIGIO, handler, 0);
  abi_handle_info(SIGRTMIN, handler, 0);
  CHECK_EQ(fcntl(fds[0], F_GETOWN), 0);
  OK(fcntl(fds[0], F_SETOWN, getpid()));
  CHECK_EQ(fcntl(fds[0], F_GETOWN), getpid());
  CHECK_EQ(write(fds[1], "x", 1), 1);
  CHECK_EQ(g_count, 0);  // not asked for yet
  OK(fcntl(fds[0], F_SETFL, O_ASYNC | O_NONBLOCK));
  CHECK(fcntl(fds[0], F_GETFL) & O_ASYNC);
  char c;
  CHECK_EQ(read(fds[0], &c, 1), 1);
  CHECK_EQ(write(fds[1], "x", 1), 1);
  while (g_count == 0) sched_yield();
  CHECK_EQ(g_signal, SIGIO);

  CHECK_EQ(fcntl(fds[0], F_GETSIG), 0);
  OK(fcntl(fds[0], F_SETSIG, SIGRTMIN));
  CHECK_EQ(fcntl(fds[0], F_GETSIG), SIGRTMIN);
  CHECK_EQ(read(fds[0], &c, 1), 1);
  g_count = 0;
  CHECK_EQ(write(fds[1], "y", 1), 1);
  while (g_count == 0) sched_yield();
  CHECK_EQ(g_signal, SIGRTMIN);
  CHECK_EQ(g_fd, fds[0]);
  CHECK_EQ(g_code, POLL_IN);
  OK(fcntl(fds[0], F_SETFL, O_NONBLOCK));
  g_count = 0;
  CHECK_EQ(write(fds[1], "z", 1), 1);
  CHECK_EQ(g_count, 0);

  struct f_owner_ex owner = {.type = F_OWNER_TID, .pid = abi_tid()};
  OK(fcntl(fds[0], F_SETOWN_EX, &owner));
  owner = (struct f_owner_ex){0};
  OK(fcntl(fds[0], F_GETOWN_EX, &owner));
  CHECK_EQ(owner.type, F_OWNER_TID);
  CHECK_EQ(owner.pid, abi_tid());
  OK(fcntl(fds[0], F_SETOWN, -getpgrp()));
  CHECK_EQ(fcntl(fds[0], F_GETOWN), -getpgrp());
  FAILS(fcntl(fds[0], F_SETOWN, 0x3fffffff), ESRCH);
  FAILS(fcntl(fds[0], F_SETSIG, 100), EINVAL);
  owner.type = 77;
  FAILS(fcntl(fds[0], F_SETOWN_EX, &owner), EINVAL);
  return 0;
}
