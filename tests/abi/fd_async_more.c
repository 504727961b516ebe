// More of signals for descriptors: who is told of what, and what cannot tell: fcntl(2), ioctl(2).
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>

#include "abi.h"

static volatile int g_count, g_signal, g_fd, g_code;
static volatile long g_band;

static void handler(int signal, siginfo_t* info, void* context) {
  (void)context;
  g_signal = signal;
  g_fd = info->si_fd;
  g_code = info->si_code;
  g_band = info->si_band;
  g_count++;
}

static void arm(int fd, int signal) {
  OK(fcntl(fd, F_SETOWN, getpid()));
  OK(fcntl(fd, F_SETSIG, signal));
  OK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC));
}

static void expect(int fd, int code, long band) {
  while (g_count == 0) sched_yield();
  g_count = 0;
  CHECK_EQ(g_signal, SIGRTMIN);
  CHECK_EQ(g_fd, fd);
  CHECK_EQ(g_code, code);
  CHECK_EQ(g_band, band);
}

int main(void) {
  const long kIn = POLLIN | POLLRDNORM, kOut = POLLOUT | POLLWRNORM | POLLWRBAND;
  abi_handle_info(SIGIO, handler, 0);
  abi_handle_info(SIGRTMIN, handler, 0);
  abi_handle_info(SIGUSR1, handler, 0);
  char c = 'x';

  // The end that writes hears of room, and both of the other's end.
  int fds[2];
  OK(pipe2(fds, O_NONBLOCK));
  arm(fds[1], SIGRTMIN);
  CHECK_EQ(write(fds[1], "ab", 2), 2);
  CHECK_EQ(g_count, 0);
  CHECK_EQ(read(fds[0], &c, 1), 1);
  expect(fds[1], POLL_OUT, kOut);
  OK(close(fds[0]));
  expect(fds[1], POLL_OUT, kOut);
  OK(close(fds[1]));
  OK(pipe2(fds, O_NONBLOCK));
  arm(fds[0], SIGRTMIN);
  OK(close(fds[1]));
  expect(fds[0], POLL_IN, kIn);
  OK(close(fds[0]));

  // The description counts, not the descriptor; si_fd stays what it was.
  OK(pipe2(fds, O_NONBLOCK));
  arm(fds[0], SIGRTMIN);
  int copy = OK(dup(fds[0]));
  int old = fds[0];
  OK(close(fds[0]));
  CHECK_EQ(write(fds[1], "a", 1), 1);
  expect(old, POLL_IN, kIn);
  // FIOASYNC is O_ASYNC.
  int off = 0, on = 1;
  OK(ioctl(copy, FIOASYNC, &off));
  CHECK(!(fcntl(copy, F_GETFL) & O_ASYNC));
  CHECK_EQ(write(fds[1], "a", 1), 1);
  CHECK_EQ(g_count, 0);
  OK(ioctl(copy, FIOASYNC, &on));
  CHECK(fcntl(copy, F_GETFL) & O_ASYNC);
  CHECK_EQ(write(fds[1], "a", 1), 1);
  expect(copy, POLL_IN, kIn);
  // Back to SIGIO, which says nothing more.
  OK(fcntl(copy, F_SETSIG, 0));
  CHECK_EQ(write(fds[1], "a", 1), 1);
  while (g_count == 0) sched_yield();
  CHECK_EQ(g_signal, SIGIO);
  CHECK_EQ(g_code, SI_KERNEL);
  g_count = 0;
  // Nobody.
  OK(fcntl(copy, F_SETOWN, 0));
  CHECK_EQ(fcntl(copy, F_GETOWN), 0);
  CHECK_EQ(write(fds[1], "a", 1), 1);
  CHECK_EQ(g_count, 0);

  // Another process; it is gone.
  atomic_int* word = abi_shared(4096);
  pid_t pid = FORK({
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    atomic_store(word, 1);
    siginfo_t info;
    CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
    CHECK_EQ(info.si_code, POLL_IN);
  });
  abi_await(word, 1);
  OK(fcntl(copy, F_SETSIG, SIGRTMIN));
  OK(fcntl(copy, F_SETOWN, pid));
  CHECK_EQ(write(fds[1], "a", 1), 1);
  WAIT_OK(pid);
  CHECK_EQ(g_count, 0);
  CHECK_EQ(fcntl(copy, F_GETOWN), 0);
  FAILS(fcntl(copy, F_SETOWN, pid), ESRCH);
  CHECK_EQ(write(fds[1], "a", 1), 1);

  // A process group.
  OK(setpgid(0, 0));
  struct f_owner_ex owner = {.type = F_OWNER_PGRP, .pid = getpgrp()};
  OK(fcntl(copy, F_SETOWN_EX, &owner));
  CHECK_EQ(fcntl(copy, F_GETOWN), -getpgrp());
  CHECK_EQ(write(fds[1], "a", 1), 1);
  expect(copy, POLL_IN, kIn);
  uint32_t uids[2] = {77, 77};
  OK(fcntl(copy, 17 /* F_GETOWNER_UIDS */, uids));
  CHECK_EQ(uids[0], getuid());
  CHECK_EQ(uids[1], geteuid());

  // A terminal tells its foreground group, or who asked.
  int master = OK(posix_openpt(O_RDWR | O_NOCTTY));
  OK(grantpt(master));
  OK(unlockpt(master));
  char name[64];
  ZERO(ptsname_r(master, name, sizeof(name)));
  int slave = OK(open(name, O_RDWR | O_NOCTTY | O_NONBLOCK));
  OK(fcntl(slave, F_SETFL, O_ASYNC | O_NONBLOCK));
  CHECK_EQ(fcntl(slave, F_GETOWN), getpid());
  OK(fcntl(slave, F_SETSIG, SIGRTMIN));
  CHECK_EQ(write(master, "line\n", 5), 5);
  while (g_count == 0) sched_yield();
  CHECK_EQ(g_fd, slave);
  OK(close(slave));
  g_count = 0;

  // inotify tells, too.
  abi_scratch();
  int in = OK(inotify_init1(IN_NONBLOCK));
  OK(inotify_add_watch(in, ".", IN_CREATE));
  arm(in, SIGRTMIN);
  abi_put("f", "");
  expect(in, POLL_IN, kIn);

  // What cannot does not take the flag; only FIOASYNC says so.
  int event = OK(eventfd(0, 0));
  FAILS(ioctl(event, FIOASYNC, &on), ENOTTY);
  arm(event, SIGRTMIN);
  CHECK(!(fcntl(event, F_GETFL) & O_ASYNC));
  OK(eventfd_write(event, 1));
  CHECK_EQ(g_count, 0);
  int file = OK(open("f", O_RDWR));
  FAILS(ioctl(file, FIOASYNC, &on), ENOTTY);
  OK(ioctl(file, FIOASYNC, &off));
  FAILS(fcntl(file, F_SETOWN, INT32_MIN), EINVAL);
  return 0;
}
