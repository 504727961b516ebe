// poll(2), ppoll(2), select(2), pselect(2).
#include <poll.h>
#include <sys/resource.h>
#include <sys/select.h>

#include "abi.h"

static volatile int g_signals;

static void handler(int signal) {
  (void)signal;
  g_signals++;
}

static void polls(void) {
  int fds[2];
  OK(pipe(fds));
  struct pollfd set[4] = {{.fd = fds[0], .events = POLLIN},
                          {.fd = fds[1], .events = POLLOUT | POLLIN},
                          {.fd = -1, .events = POLLIN, .revents = 7},
                          {.fd = 999, .events = POLLIN}};
  CHECK_EQ(poll(set, 4, 0), 2);
  CHECK_EQ(set[0].revents, 0);
  CHECK_EQ(set[1].revents, POLLOUT);
  CHECK_EQ(set[2].revents, 0);
  CHECK_EQ(set[3].revents, POLLNVAL);
  CHECK_EQ(write(fds[1], "x", 1), 1);
  CHECK_EQ(poll(set, 1, -1), 1);
  CHECK_EQ(set[0].revents, POLLIN);
  set[0].events = POLLIN | POLLRDNORM;
  CHECK_EQ(poll(set, 1, -1), 1);
  CHECK_EQ(set[0].revents, POLLIN | POLLRDNORM);
  OK(close(fds[1]));
  set[0].events = POLLIN;
  CHECK_EQ(poll(set, 1, -1), 1);
  CHECK_EQ(set[0].revents, POLLIN | POLLHUP);
  char c;
  CHECK_EQ(read(fds[0], &c, 1), 1);
  CHECK_EQ(poll(set, 1, -1), 1);
  CHECK_EQ(set[0].revents, POLLHUP);
  set[0].events = 0;  // always told
  CHECK_EQ(poll(set, 1, -1), 1);

  long long begin = abi_ns(CLOCK_MONOTONIC);
  CHECK_EQ(poll(NULL, 0, 20), 0);
  CHECK(abi_ns(CLOCK_MONOTONIC) - begin >= 20000000);
  // A regular file and /dev/null are always ready.
  struct pollfd files[2] = {{.fd = OK(open("/proc/self/exe", O_RDONLY)), .events = POLLIN | POLLOUT},
                            {.fd = OK(open("/dev/null", O_RDWR)), .events = POLLIN | POLLOUT}};
  CHECK_EQ(poll(files, 2, -1), 2);
  CHECK_EQ(files[0].revents, POLLIN | POLLOUT);
  CHECK_EQ(files[1].revents, POLLIN | POLLOUT);
  FAILS(poll((void*)8, 1, 0), EFAULT);
  IN_CHILD(OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){10, 10})); FAILS(poll(set, 11, 0), EINVAL));
  FAILS(ppoll(NULL, 0, &(struct timespec){.tv_nsec = -1}, NULL), EINVAL);
  FAILS(syscall(SYS_ppoll, NULL, 0, NULL, &c, 3), EINVAL);
}

static void selects(void) {
  int fds[2];
  OK(pipe(fds));
  fd_set in, out, err;
  FD_ZERO(&in);
  FD_ZERO(&out);
  FD_ZERO(&err);
  FD_SET(fds[0], &in);
  FD_SET(fds[1], &out);
  FD_SET(fds[0], &err);
  struct timeval zero = {0};
  CHECK_EQ(select(fds[1] + 1, &in, &out, &err, &zero), 1);
  CHECK(!FD_ISSET(fds[0], &in) && FD_ISSET(fds[1], &out) && !FD_ISSET(fds[0], &err));
  CHECK_EQ(write(fds[1], "x", 1), 1);
  FD_SET(fds[0], &in);
  FD_SET(fds[1], &out);
  CHECK_EQ(select(fds[1] + 1, &in, &out, NULL, NULL), 2);
  // The time left is written back.
  FD_ZERO(&in);
  struct timeval timeout = {.tv_usec = 20000};
  CHECK_EQ(syscall(SYS_select, fds[1] + 1, &in, NULL, NULL, &timeout), 0);
  CHECK_EQ(timeout.tv_sec + timeout.tv_usec, 0);
  timeout.tv_sec = 1000;
  FD_SET(fds[0], &in);
  CHECK_EQ(select(fds[1] + 1, &in, NULL, NULL, &timeout), 1);
  CHECK(timeout.tv_sec >= 900 && timeout.tv_sec <= 1000);
  FD_SET(fds[1], &in);  // above the limit given: not looked at
  CHECK_EQ(select(fds[0] + 1, &in, NULL, NULL, &zero), 1);
  FD_ZERO(&in);
  FD_SET(50, &in);
  FAILS(select(51, &in, NULL, NULL, &zero), EBADF);
  FAILS(select(-1, NULL, NULL, NULL, &zero), EINVAL);
  FAILS(select(0, NULL, NULL, NULL, &(struct timeval){.tv_sec = -1}), EINVAL);
  FAILS(syscall(SYS_select, 10, (void*)8, NULL, NULL, &zero), EFAULT);
  OK(close(fds[0]));
  FD_ZERO(&out);
  FD_SET(fds[1], &out);
  CHECK_EQ(select(fds[1] + 1, NULL, &out, NULL, NULL), 1);  // an error is writable
}

// The mask of ppoll and pselect holds for the wait alone.
static void masks(void) {
  sigset_t block, none, now;
  sigemptyset(&none);
  sigemptyset(&block);
  sigaddset(&block, SIGUSR1);
  abi_handle(SIGUSR1, handler, 0);
  OK(sigprocmask(SIG_BLOCK, &block, NULL));
  OK(raise(SIGUSR1));
  CHECK_EQ(ppoll(NULL, 0, &(struct timespec){0}, NULL), 0);
  CHECK_EQ(g_signals, 0);
  FAILS(ppoll(NULL, 0, NULL, &none), EINTR);
  CHECK_EQ(g_signals, 1);
  OK(sigprocmask(SIG_BLOCK, NULL, &now));
  CHECK(sigismember(&now, SIGUSR1));
  OK(raise(SIGUSR1));
  FAILS(pselect(0, NULL, NULL, NULL, NULL, &none), EINTR);
  CHECK_EQ(g_signals, 2);
  // Ready descriptors come before the signal, which then waits for its time.
  int fds[2];
  OK(pipe(fds));
  struct pollfd set = {.fd = fds[1], .events = POLLOUT};
  OK(raise(SIGUSR1));
  CHECK_EQ(ppoll(&set, 1, NULL, &none), 1);
  OK(sigprocmask(SIG_UNBLOCK, &block, NULL));
  CHECK_EQ(g_signals, 3);
}

int main(void) {
  polls();
  selects();
  masks();
  // A blocked poll wakes by each of its descriptors.
  int a[2], b[2];
  OK(pipe(a));
  OK(pipe(b));
  for (int i = 0; i < 2; i++) {
    pid_t pid = FORK({
      struct pollfd set[2] = {{.fd = a[0], .events = POLLIN}, {.fd = b[0], .events = POLLIN}};
      CHECK_EQ(poll(set, 2, -1), 1);
      CHECK_EQ(set[i].revents, POLLIN);
      CHECK_EQ(set[!i].revents, 0);
    });
    abi_await_state(pid, 'S');
    char c;
    CHECK_EQ(write(i ? b[1] : a[1], "x", 1), 1);
    WAIT_OK(pid);
    CHECK_EQ(read(i ? b[0] : a[0], &c, 1), 1);
  }
  return 0;
}
