// nanosleep(2), clock_nanosleep(2), clock_getres(2), clock_gettime(2) of CPU clocks, times(2), getrusage(2).
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>

#include "abi.h"

static void burn(long long ns) {
  long long end = abi_ns(CLOCK_THREAD_CPUTIME_ID) + ns;
  while (abi_ns(CLOCK_THREAD_CPUTIME_ID) < end) {
    for (volatile int i = 0; i < 100000; i++) continue;
  }
}

int main(void) {
  clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME};
  for (int i = 0; i < 3; i++) {
    long long begin = abi_ns(clocks[i]);
    ZERO(clock_nanosleep(clocks[i], 0, &(struct timespec){.tv_nsec = 10000000}, NULL));
    CHECK(abi_ns(clocks[i]) - begin >= 10000000);
    struct timespec until;
    OK(clock_gettime(clocks[i], &until));
    until.tv_nsec += 10000000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    ZERO(clock_nanosleep(clocks[i], TIMER_ABSTIME, &until, NULL));
    CHECK(abi_ns(clocks[i]) >= until.tv_sec * 1000000000LL + until.tv_nsec);
    until.tv_sec -= 5;
    ZERO(clock_nanosleep(clocks[i], TIMER_ABSTIME, &until, NULL));  // has passed
    struct timespec resolution;
    OK(clock_getres(clocks[i], &resolution));
    CHECK_EQ(resolution.tv_sec, 0);
    CHECK_EQ(resolution.tv_nsec, 1);
  }
  OK(nanosleep(&(struct timespec){0}, NULL));
  FAILS(nanosleep(&(struct timespec){.tv_nsec = 1000000000}, NULL), EINVAL);
  FAILS(nanosleep(&(struct timespec){.tv_sec = -1}, NULL), EINVAL);
  FAILS(syscall(SYS_nanosleep, (void*)8, NULL), EFAULT);
  CHECK_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &(struct timespec){0}, NULL), EINVAL);
  CHECK_EQ(clock_nanosleep(99, 0, &(struct timespec){0}, NULL), EINVAL);
  FAILS(clock_getres(99, NULL), EINVAL);
  OK(clock_getres(CLOCK_PROCESS_CPUTIME_ID, NULL));
  struct timespec coarse;
  OK(clock_getres(CLOCK_MONOTONIC_COARSE, &coarse));
  CHECK(coarse.tv_nsec >= 1000000 && coarse.tv_nsec <= 10000000);

  // CPU time goes on while computing, not while sleeping.
  long long cpu = abi_ns(CLOCK_PROCESS_CPUTIME_ID);
  OK(nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL));
  CHECK(abi_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu < 150000000);
  struct rusage before, after;
  OK(getrusage(RUSAGE_SELF, &before));
  cpu = abi_ns(CLOCK_PROCESS_CPUTIME_ID);
  burn(60000000);
  CHECK(abi_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu >= 60000000);
  OK(getrusage(RUSAGE_SELF, &after));
  long long used = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000LL + after.ru_utime.tv_usec -
                   before.ru_utime.tv_usec + (after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000LL +
                   after.ru_stime.tv_usec - before.ru_stime.tv_usec;
  CHECK(used >= 40000);
  CHECK(after.ru_maxrss > 100);
  CHECK(after.ru_minflt > 0);
  CHECK(after.ru_nvcsw > 0);
  // Another's clock by its pid.
  clockid_t clock;
  ZERO(clock_getcpuclockid(getpid(), &clock));
  CHECK(abi_ns(clock) >= cpu);
  CHECK_EQ(clock_getcpuclockid(0xffffff, &clock), ESRCH);

  // Those of children count once they are waited for.
  struct tms start, end;
  CHECK(times(&start) != -1);
  pid_t pid = FORK(burn(60000000));
  OK(getrusage(RUSAGE_CHILDREN, &before));
  WAIT_OK(pid);
  OK(getrusage(RUSAGE_CHILDREN, &after));
  CHECK(after.ru_utime.tv_sec * 1000000LL + after.ru_utime.tv_usec + after.ru_stime.tv_sec * 1000000LL +
            after.ru_stime.tv_usec >=
        40000);
  CHECK(times(&end) != -1);
  CHECK(end.tms_cutime + end.tms_cstime > start.tms_cutime + start.tms_cstime);
  CHECK(end.tms_utime >= start.tms_utime);
  FAILS(getrusage(77, &after), EINVAL);
  OK(getrusage(RUSAGE_THREAD, &after));
  FAILS(syscall(SYS_getrusage, RUSAGE_SELF, (void*)8), EFAULT);

  // Clocks are related.
  long long real = abi_ns(CLOCK_REALTIME), mono = abi_ns(CLOCK_MONOTONIC), boot = abi_ns(CLOCK_BOOTTIME);
  CHECK(real > 1700000000LL * 1000000000);
  CHECK(boot >= mono);
  CHECK(mono > 0);
  FAILS(clock_settime(CLOCK_MONOTONIC, &(struct timespec){.tv_sec = 1}), EINVAL);
  IN_CHILD(OK(setresuid(1000, 1000, 1000));
           FAILS(clock_settime(CLOCK_REALTIME, &(struct timespec){.tv_sec = 1}), EPERM));
  return 0;
}
