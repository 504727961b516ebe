// alarm(2), setitimer(2), timer_create(2).
#include <sys/time.h>

#include "abi.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static volatile int g_count, g_code, g_value, g_overrun, g_tid;

static void handler(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)context;
  g_code = info->si_code;
  g_value = info->si_value.sival_int;
  g_overrun = info->si_overrun;
  g_tid = abi_tid();
  g_count++;
}

static void burn(void) {
  for (volatile int i = 0; i < 10000; i++) continue;
}

static void interval_timers(void) {
  struct itimerval value = {.it_value = {.tv_usec = 10000}}, old;
  long long begin = abi_ns(CLOCK_MONOTONIC);
  g_count = 0;
  OK(setitimer(ITIMER_REAL, &value, NULL));
  while (g_count == 0) burn();
  CHECK(abi_ns(CLOCK_MONOTONIC) - begin >= 10000000);
  CHECK_EQ(g_code, SI_KERNEL);
  OK(getitimer(ITIMER_REAL, &old));
  CHECK_EQ(old.it_value.tv_sec + old.it_value.tv_usec, 0);
  value.it_interval.tv_usec = 3000;
  OK(setitimer(ITIMER_REAL, &value, NULL));
  g_count = 0;
  while (g_count < 5) pause();
  OK(setitimer(ITIMER_REAL, &(struct itimerval){0}, &old));
  CHECK_EQ(old.it_interval.tv_usec, 3000);
  // Of the CPU: user alone, and all.
  value.it_interval.tv_usec = 0;
  abi_handle_info(SIGVTALRM, handler, 0);
  abi_handle_info(SIGPROF, handler, 0);
  g_count = 0;
  OK(setitimer(ITIMER_VIRTUAL, &value, NULL));
  while (g_count == 0) burn();
  OK(setitimer(ITIMER_PROF, &value, NULL));
  while (g_count == 1) burn();
  CHECK(abi_ns(CLOCK_PROCESS_CPUTIME_ID) >= 10000000);
  FAILS(setitimer(77, &value, NULL), EINVAL);
  FAILS(getitimer(77, &value), EINVAL);
  value.it_value.tv_usec = 1000000;
  FAILS(setitimer(ITIMER_REAL, &value, NULL), EINVAL);
  FAILS(syscall(SYS_setitimer, ITIMER_REAL, (void*)8, NULL), EFAULT);
  FAILS(syscall(SYS_getitimer, ITIMER_REAL, (void*)8), EFAULT);

  CHECK_EQ(alarm(100), 0);
  unsigned left = alarm(50);
  CHECK(left == 100 || left == 99);
  OK(getitimer(ITIMER_REAL, &old));  // the same timer
  CHECK(old.it_value.tv_sec >= 45 && old.it_value.tv_sec <= 50);
  CHECK(alarm(0) >= 45);
  CHECK_EQ(alarm(0), 0);
}

static void posix_timers(void) {
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 42};
  abi_handle_info(SIGUSR1, handler, 0);
  OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
  struct itimerspec spec = {.it_value = {.tv_nsec = 5000000}}, old;
  g_count = 0;
  OK(timer_settime(timer, 0, &spec, NULL));
  while (g_count == 0) burn();
  CHECK_EQ(g_code, SI_TIMER);
  CHECK_EQ(g_value, 42);
  CHECK_EQ(g_overrun, 0);
  // Periods passed while blocked are the overrun of one signal.
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  spec.it_interval.tv_nsec = 1000000;
  OK(timer_settime(timer, 0, &spec, NULL));
  OK(nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL));
  g_count = 0;
  siginfo_t info;
  CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
  CHECK(info.si_overrun >= 30);
  OK(timer_settime(timer, 0, &(struct itimerspec){0}, &old));
  CHECK_EQ(old.it_interval.tv_nsec, 1000000);
  CHECK(old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 1000000);
  sigtimedwait(&set, &info, &(struct timespec){0});
  OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
  // A time that has passed.
  OK(clock_gettime(CLOCK_MONOTONIC, &spec.it_value));
  spec.it_interval.tv_nsec = 0;
  g_count = 0;
  OK(timer_settime(timer, TIMER_ABSTIME, &spec, NULL));
  while (g_count == 0) burn();
  OK(timer_gettime(timer, &old));
  CHECK_EQ(old.it_value.tv_sec + old.it_value.tv_nsec, 0);
  OK(timer_delete(timer));
  FAILS(timer_delete(timer), EINVAL);
  FAILS(syscall(SYS_timer_gettime, 9999, &old), EINVAL);

  // To one thread; of a CPU clock; silently.
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_notify_thread_id = abi_tid();
  OK(timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer));
  spec.it_value = (struct timespec){.tv_nsec = 5000000};
  g_count = 0;
  OK(timer_settime(timer, 0, &spec, NULL));
  while (g_count == 0) burn();
  CHECK_EQ(g_tid, abi_tid());
  OK(timer_delete(timer));
  event.sigev_notify = SIGEV_NONE;
  OK(timer_create(CLOCK_REALTIME, &event, &timer));
  spec.it_value.tv_sec = 500;
  OK(timer_settime(timer, 0, &spec, NULL));
  OK(timer_gettime(timer, &old));
  CHECK(old.it_value.tv_sec >= 490);
  CHECK_EQ(timer_getoverrun(timer), 0);
  spec.it_value.tv_nsec = -1;
  FAILS(timer_settime(timer, 0, &spec, NULL), EINVAL);
  event.sigev_notify = 77;
  FAILS(timer_create(CLOCK_REALTIME, &event, &timer), EINVAL);
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = 99;
  FAILS(timer_create(CLOCK_REALTIME, &event, &timer), EINVAL);
  FAILS(timer_create(99, NULL, &timer), EINVAL);
}

int main(void) {
  abi_handle_info(SIGALRM, handler, 0);
  interval_timers();
  posix_timers();
  // A second without handler kills.
  abi_handle(SIGALRM, SIG_DFL, 0);
  WAIT_SIGNAL(FORK({
                OK(setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {.tv_usec = 5000}}, NULL));
                for (;;) burn();
              }),
              SIGALRM);
  return 0;
}
