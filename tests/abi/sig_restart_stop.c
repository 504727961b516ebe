// A stop and SIGCONT without a handler do not disturb a blocked call, except where signal(7) says so.
#include <linux/futex.h>
#include <poll.h>

#include "abi.h"

static atomic_int* g_shared;

static void stop_and_continue(pid_t pid) {
  int status;
  abi_await(g_shared, 1);
  abi_await_state(pid, 'S');
  OK(kill(pid, SIGSTOP));
  CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
  CHECK(WIFSTOPPED(status));
  OK(kill(pid, SIGCONT));
  CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
  abi_await_state(pid, 'S');
}

int main(void) {
  g_shared = abi_shared(4096);
  int fds[2];
  OK(pipe(fds));
  pid_t pid = FORK({
    char c;
    atomic_store(g_shared, 1);
    CHECK_EQ(read(fds[0], &c, 1), 1);
  });
  stop_and_continue(pid);
  CHECK_EQ(write(fds[1], "x", 1), 1);
  WAIT_OK(pid);

  atomic_store(g_shared, 0);
  pid = FORK({
    struct pollfd poll_fd = {.fd = fds[0], .events = POLLIN};
    atomic_store(g_shared, 1);
    CHECK_EQ(poll(&poll_fd, 1, 1000000), 1);
  });
  stop_and_continue(pid);
  CHECK_EQ(write(fds[1], "x", 1), 1);
  WAIT_OK(pid);

  // A sleep goes on for what is left of it: restart_syscall(2).
  atomic_store(g_shared, 0);
  pid = FORK({
    long long begin = abi_ns(CLOCK_MONOTONIC);
    atomic_store(g_shared, 1);
    OK(nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL));
    CHECK(abi_ns(CLOCK_MONOTONIC) - begin >= 300000000);
  });
  int status;
  abi_await(g_shared, 1);
  OK(kill(pid, SIGSTOP));
  CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
  OK(kill(pid, SIGCONT));
  CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
  WAIT_OK(pid);

  atomic_store(g_shared, 0);
  pid = FORK({
    atomic_store(g_shared, 1);
    atomic_store(g_shared + 1, 0);
    struct timespec timeout = {.tv_sec = 1000};
    while (atomic_load(g_shared + 1) == 0)
      OK(syscall(SYS_futex, g_shared + 1, FUTEX_WAIT, 0, &timeout, NULL, 0));
  });
  stop_and_continue(pid);
  atomic_store(g_shared + 1, 1);
  OK(syscall(SYS_futex, g_shared + 1, FUTEX_WAKE, 1, NULL, NULL, 0));
  WAIT_OK(pid);
  return 0;
}
