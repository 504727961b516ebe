// eventfd(2), timerfd_create(2), signalfd(2).
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "abi.h"

static int events_of(int fd) {
  struct pollfd set = {.fd = fd, .events = POLLIN | POLLOUT};
  OK(poll(&set, 1, 0));
  return set.revents;
}

static void event_fds(void) {
  int fd = OK(eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC));
  uint64_t value;
  CHECK_EQ(events_of(fd), POLLIN | POLLOUT);
  CHECK_EQ(read(fd, &value, 8), 8);
  CHECK_EQ(value, 3);
  FAILS(read(fd, &value, 8), EAGAIN);
  CHECK_EQ(events_of(fd), POLLOUT);
  value = 5;
  CHECK_EQ(write(fd, &value, 8), 8);
  CHECK_EQ(write(fd, &value, 8), 8);
  CHECK_EQ(read(fd, &value, 8), 8);
  CHECK_EQ(value, 10);
  value = UINT64_MAX - 1;
  CHECK_EQ(write(fd, &value, 8), 8);
  CHECK_EQ(events_of(fd), POLLIN);
  value = 1;
  FAILS(write(fd, &value, 8), EAGAIN);
  value = UINT64_MAX;
  FAILS(write(fd, &value, 8), EINVAL);
  FAILS(read(fd, &value, 7), EINVAL);
  FAILS(write(fd, &value, 4), EINVAL);
  FAILS(eventfd(0, 0x100), EINVAL);
  int semaphore = OK(eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK));
  for (int i = 0; i < 2; i++) {
    CHECK_EQ(read(semaphore, &value, 8), 8);
    CHECK_EQ(value, 1);
  }
  FAILS(read(semaphore, &value, 8), EAGAIN);
  int blocking = OK(eventfd(0, 0));
  pid_t pid = FORK(CHECK_EQ(read(blocking, &value, 8), 8); CHECK_EQ(value, 9));
  abi_await_state(pid, 'S');
  value = 9;
  CHECK_EQ(write(blocking, &value, 8), 8);
  WAIT_OK(pid);
}

static void timer_fds(void) {
  int fd = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  uint64_t value;
  struct itimerspec spec = {.it_value = {.tv_nsec = 10000000}}, now;
  FAILS(read(fd, &value, 8), EAGAIN);
  OK(timerfd_gettime(fd, &now));
  CHECK_EQ(now.it_value.tv_sec + now.it_value.tv_nsec, 0);
  long long begin = abi_ns(CLOCK_MONOTONIC);
  OK(timerfd_settime(fd, 0, &spec, NULL));
  struct pollfd set = {.fd = fd, .events = POLLIN};
  CHECK_EQ(poll(&set, 1, -1), 1);
  CHECK(abi_ns(CLOCK_MONOTONIC) - begin >= 10000000);
  CHECK_EQ(read(fd, &value, 8), 8);
  CHECK_EQ(value, 1);
  // Periods that passed unread are counted.
  spec.it_interval.tv_nsec = 2000000;
  OK(timerfd_settime(fd, 0, &spec, NULL));
  nanosleep(&(struct timespec){.tv_nsec = 40000000}, NULL);
  CHECK_EQ(read(fd, &value, 8), 8);
  CHECK(value >= 15);
  OK(timerfd_gettime(fd, &now));
  CHECK_EQ(now.it_interval.tv_nsec, 2000000);
  CHECK(now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 2000000);
  // A point in time, one that has passed, and none.
  OK(clock_gettime(CLOCK_MONOTONIC, &spec.it_value));
  spec.it_interval.tv_nsec = 0;
  OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, &now));
  CHECK_EQ(now.it_interval.tv_nsec, 2000000);
  CHECK_EQ(poll(&set, 1, -1), 1);
  spec.it_value = (struct timespec){.tv_sec = 1000};
  OK(timerfd_settime(fd, 0, &spec, NULL));
  FAILS(read(fd, &value, 8), EAGAIN);
  OK(timerfd_gettime(fd, &now));
  CHECK(now.it_value.tv_sec >= 990 && now.it_value.tv_sec <= 1000);
  OK(timerfd_settime(fd, 0, &(struct itimerspec){0}, NULL));
  FAILS(read(fd, &value, 4), EINVAL);
  FAILS(timerfd_settime(fd, 8, &spec, NULL), EINVAL);
  spec.it_value.tv_nsec = 1000000000;
  FAILS(timerfd_settime(fd, 0, &spec, NULL), EINVAL);
  FAILS(timerfd_create(77, 0), EINVAL);
  FAILS(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
  FAILS(timerfd_settime(0, 0, &spec, NULL), EINVAL);
}

static void signal_fds(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGRTMIN);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  int fd = OK(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  struct signalfd_siginfo info[3];
  FAILS(read(fd, info, sizeof(info)), EAGAIN);
  CHECK_EQ(events_of(fd), 0);
  OK(kill(getpid(), SIGUSR1));
  OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 7}));
  CHECK_EQ(events_of(fd), POLLIN);
  CHECK_EQ(read(fd, info, sizeof(info)), 2 * sizeof(info[0]));
  CHECK_EQ(info[0].ssi_signo, SIGUSR1);
  CHECK_EQ(info[0].ssi_pid, getpid());
  CHECK_EQ(info[0].ssi_code, SI_USER);
  CHECK_EQ(info[1].ssi_signo, SIGRTMIN);
  CHECK_EQ(info[1].ssi_int, 7);
  FAILS(read(fd, info, sizeof(info)), EAGAIN);
  sigdelset(&set, SIGUSR1);
  CHECK_EQ(signalfd(fd, &set, 0), fd);
  OK(kill(getpid(), SIGUSR1));
  CHECK_EQ(events_of(fd), 0);
  FAILS(read(fd, info, 5), EINVAL);
  FAILS(signalfd(0, &set, 0), EINVAL);
  FAILS(signalfd(-1, &set, 1), EINVAL);
  FAILS(syscall(SYS_signalfd4, -1, &set, 4, 0), EINVAL);
  // A reader of a shared descriptor gets its own signals.
  pid_t pid = FORK({
    OK(fcntl(fd, F_SETFL, 0));
    CHECK_EQ(read(fd, info, sizeof(info)), sizeof(info[0]));
    CHECK_EQ(info[0].ssi_int, 8);
  });
  abi_await_state(pid, 'S');
  OK(sigqueue(pid, SIGRTMIN, (union sigval){.sival_int = 8}));
  WAIT_OK(pid);
}

int main(void) {
  event_fds();
  timer_fds();
  signal_fds();
  return 0;
}
