// Many timers at a time, of many processes, against the clock: none early, none lost.
#include <sys/timerfd.h>

#include "abi.h"

enum { kTimers = 20 };

int main(void) {
  // Sleepers of different lengths wake in order.
  int fds[2];
  OK(pipe(fds));
  pid_t pids[8];
  long long begin = abi_ns(CLOCK_MONOTONIC);
  for (int i = 0; i < 8; i++) {
    pids[i] = FORK({
      struct timespec until = {.tv_sec = begin / 1000000000, .tv_nsec = begin % 1000000000};
      until.tv_nsec += 100000000 + (7 - i) * 60000000;
      if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
      ZERO(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL));
      char c = (char)i;
      CHECK_EQ(write(fds[1], &c, 1), 1);
    });
  }
  for (int i = 7; i >= 0; i--) {
    char c;
    CHECK_EQ(read(fds[0], &c, 1), 1);
    CHECK(abi_ns(CLOCK_MONOTONIC) - begin >= 100000000 + (7 - c) * 60000000LL);
  }
  for (int i = 0; i < 8; i++) WAIT_OK(pids[i]);

  // Timers of one process, each with a value of its own.
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  timer_t timers[kTimers];
  long long due[kTimers];
  for (int i = 0; i < kTimers; i++) {
    struct sigevent event = {
        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = i};
    OK(timer_create(CLOCK_MONOTONIC, &event, &timers[i]));
    struct itimerspec spec = {.it_value = {.tv_nsec = 1000000 * ((i * 7) % kTimers + 1)}};
    due[i] = abi_ns(CLOCK_MONOTONIC) + spec.it_value.tv_nsec;
    OK(timer_settime(timers[i], 0, &spec, NULL));
  }
  bool seen[kTimers] = {false};
  for (int i = 0; i < kTimers; i++) {
    siginfo_t info;
    CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
    int which = info.si_value.sival_int;
    CHECK(!seen[which]);
    seen[which] = true;
    CHECK(abi_ns(CLOCK_MONOTONIC) >= due[which]);
  }
  for (int i = 0; i < kTimers; i++) OK(timer_delete(timers[i]));
  // Not inherited by a child, gone after exec, armed ones deleted without a trace.
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
  OK(timer_create(CLOCK_MONOTONIC, &event, &timers[0]));
  struct itimerspec spec = {.it_value = {.tv_nsec = 1}};
  IN_CHILD(FAILS(timer_settime(timers[0], 0, &spec, NULL), EINVAL));
  spec.it_value.tv_sec = 100;
  OK(timer_settime(timers[0], 0, &spec, NULL));
  OK(timer_delete(timers[0]));
  siginfo_t info;
  FAILS(sigtimedwait(&set, &info, &(struct timespec){0}), EAGAIN);

  // A timer descriptor shared by two: one of them gets it.
  int fd = OK(timerfd_create(CLOCK_MONOTONIC, 0));
  pid_t pid = FORK({
    uint64_t count;
    CHECK_EQ(read(fd, &count, 8), 8);
    CHECK_EQ(count, 1);
  });
  abi_await_state(pid, 'S');
  spec.it_value = (struct timespec){.tv_nsec = 1000000};
  OK(timerfd_settime(fd, 0, &spec, NULL));
  WAIT_OK(pid);
  return 0;
}
