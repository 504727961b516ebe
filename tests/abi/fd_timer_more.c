// timerfd_create(2) beyond the basics: times that have passed, periods missed, changing, fdinfo, clocks,
// flags.
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>

#include "abi.h"

#ifndef TFD_TIMER_CANCEL_ON_SET
#define TFD_TIMER_CANCEL_ON_SET 2
#endif

static struct timespec ts(long long ns) { return (struct timespec){ns / 1000000000, ns % 1000000000}; }

static void set(int fd, int flags, long long first, long long period) {
  struct itimerspec s = {.it_value = ts(first), .it_interval = ts(period)};
  OK(timerfd_settime(fd, flags, &s, NULL));
}

static long long left(int fd) {
  struct itimerspec s;
  OK(timerfd_gettime(fd, &s));
  return s.it_value.tv_sec * 1000000000LL + s.it_value.tv_nsec;
}

static uint64_t expirations(int fd) {
  uint64_t n = 0;
  CHECK_EQ(read(fd, &n, 8), 8);
  return n;
}

static void passed(void) {
  int fd = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  uint64_t n;
  FAILS(read(fd, &n, 8), EAGAIN);
  FAILS(read(fd, &n, 7), EINVAL);
  // An absolute time long gone: at once, with all the periods since.
  long long start = abi_ns(CLOCK_MONOTONIC);
  set(fd, TFD_TIMER_ABSTIME, start - 10 * 1000000 + 1, 1000000);
  struct pollfd p = {.fd = fd, .events = POLLIN};
  CHECK_EQ(poll(&p, 1, -1), 1);
  CHECK(expirations(fd) >= 10);
  set(fd, TFD_TIMER_ABSTIME, 1, 0);
  CHECK_EQ(poll(&p, 1, -1), 1);
  CHECK_EQ(expirations(fd), 1);
  FAILS(read(fd, &n, 8), EAGAIN);
  CHECK_EQ(left(fd), 0);
  // Setting anew forgets what was not read.
  set(fd, 0, 1, 0);
  CHECK_EQ(poll(&p, 1, -1), 1);
  set(fd, 0, 3600LL * 1000000000, 0);
  CHECK_EQ(poll(&p, 1, 0), 0);
  CHECK(left(fd) > 3590LL * 1000000000 && left(fd) <= 3600LL * 1000000000);
  set(fd, 0, 0, 5);  // disarmed, whatever the period
  CHECK_EQ(left(fd), 0);
  CHECK_EQ(poll(&p, 1, 0), 0);
  OK(close(fd));
}

static void blocked(void) {
  // Who waits sees a change of the time.
  int fd = OK(timerfd_create(CLOCK_REALTIME, 0));
  set(fd, 0, 3600LL * 1000000000, 0);
  pid_t pid = FORK(CHECK_EQ(expirations(fd), 1));
  abi_await_state(pid, 'S');
  set(fd, 0, 1, 0);
  WAIT_OK(pid);
  OK(close(fd));
}

static void shown(void) {
  int fd = OK(timerfd_create(CLOCK_BOOTTIME, 0));
  struct itimerspec old, s = {.it_value = {100, 5}, .it_interval = {7, 8}};
  OK(timerfd_settime(fd, 0, &s, &old));
  CHECK_EQ(old.it_value.tv_sec | old.it_value.tv_nsec | old.it_interval.tv_sec, 0);
  OK(timerfd_settime(fd, 0, &s, &old));
  CHECK(old.it_value.tv_sec <= 100 && old.it_value.tv_sec >= 90);
  CHECK_EQ(old.it_interval.tv_sec, 7);
  CHECK_EQ(old.it_interval.tv_nsec, 8);
  char path[64], text[1024];
  snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
  abi_get(path, text, sizeof(text));
  CHECK(strstr(text, "clockid: 7\n") != NULL);
  CHECK(strstr(text, "ticks: 0\n") != NULL);
  CHECK(strstr(text, "settime flags: 00\n") != NULL);
  CHECK(strstr(text, "it_interval: (7, 8)\n") != NULL);
  CHECK(strstr(text, "it_value: (") != NULL);
  OK(close(fd));
}

static void arguments(void) {
  FAILS(timerfd_create(99, 0), EINVAL);
  FAILS(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
  FAILS(timerfd_create(CLOCK_MONOTONIC_RAW, 0), EINVAL);
  FAILS(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
  int fd = OK(timerfd_create(CLOCK_MONOTONIC, 0));
  struct itimerspec s = {.it_value = {0, 1000000000}};
  FAILS(timerfd_settime(fd, 0, &s, NULL), EINVAL);
  s = (struct itimerspec){.it_value = {-1, 0}};
  FAILS(timerfd_settime(fd, 0, &s, NULL), EINVAL);
  s = (struct itimerspec){.it_value = {1, 0}, .it_interval = {0, -1}};
  FAILS(timerfd_settime(fd, 0, &s, NULL), EINVAL);
  s = (struct itimerspec){.it_value = {1, 0}};
  FAILS(timerfd_settime(fd, 4, &s, NULL), EINVAL);
  FAILS(timerfd_settime(fd, 0, (void*)8, NULL), EFAULT);
  FAILS(timerfd_settime(0x7fff, 0, &s, NULL), EBADF);
  int null = OK(open("/dev/null", O_RDWR));
  FAILS(timerfd_settime(null, 0, &s, NULL), EINVAL);
  FAILS(timerfd_gettime(null, &s), EINVAL);
  FAILS(write(fd, "12345678", 8), EINVAL);
  CHECK_EQ(lseek(fd, 5, SEEK_SET), 0);  // there is no place in it
  // Of use on the clock that can be set; allowed with an absolute time on others, where it means nothing.
  int real = OK(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK));
  struct timespec now;
  OK(clock_gettime(CLOCK_REALTIME, &now));
  s = (struct itimerspec){.it_value = {now.tv_sec + 1000, 0}};
  OK(timerfd_settime(real, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &s, NULL));
  uint64_t n;
  FAILS(read(real, &n, 8), EAGAIN);
  CHECK(left(real) > 900LL * 1000000000);
}

int main(void) {
  passed();
  blocked();
  shown();
  arguments();
  return 0;
}
