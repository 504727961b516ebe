// Clocks read without a system call agree with the system calls: vdso(7).
#include <sys/time.h>

#include "abi.h"

static long long raw_ns(clockid_t clock) {
  struct timespec now;
  CHECK_EQ(syscall(SYS_clock_gettime, clock, &now), 0);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int main(void) {
  clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME, CLOCK_TAI};
  for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
    for (int round = 0; round < 30; round++) {
      long long before = raw_ns(clocks[i]);
      long long middle = abi_ns(clocks[i]);
      long long after = raw_ns(clocks[i]);
      if (before > middle || middle > after)
        FAIL("clock %d: %lld, %lld, %lld are not in order", clocks[i], before, middle, after);
    }
  }
  // The coarse clocks lag by less than a tick, rounded up generously.
  long long coarse = abi_ns(CLOCK_MONOTONIC_COARSE), fine = abi_ns(CLOCK_MONOTONIC);
  CHECK(coarse <= fine);
  CHECK(fine - coarse < 1000000000LL);

  // It never runs backwards.
  long long last = 0;
  for (int i = 0; i < 200000; i++) {
    long long now = abi_ns(CLOCK_MONOTONIC);
    CHECK(now >= last);
    last = now;
  }
  // 200000 reads cannot each have been a trap at a price worth the name: 5 us each is a second.
  long long begin = abi_ns(CLOCK_MONOTONIC);
  for (int i = 0; i < 200000; i++) abi_ns(CLOCK_MONOTONIC);
  CHECK(abi_ns(CLOCK_MONOTONIC) - begin < 4000000000LL);

  struct timeval tv;
  long long before = raw_ns(CLOCK_REALTIME) / 1000;
  OK(gettimeofday(&tv, NULL));
  long long after = raw_ns(CLOCK_REALTIME) / 1000;
  long long us = tv.tv_sec * 1000000LL + tv.tv_usec;
  CHECK(before <= us && us <= after);
  struct timeval raw;
  CHECK_EQ(syscall(SYS_gettimeofday, &raw, NULL), 0);
  CHECK(raw.tv_sec * 1000000LL + raw.tv_usec >= us);

  time_t seconds = time(NULL);
  CHECK(seconds >= before / 1000000 - 1 && seconds <= raw.tv_sec + 1);
  CHECK(syscall(SYS_time, NULL) >= seconds);

  unsigned cpu = ~0u, node = ~0u;
  OK(getcpu(&cpu, &node));
  CHECK(cpu < 4096);
  CHECK(node < 1024);
  unsigned raw_cpu = ~0u;
  OK(syscall(SYS_getcpu, &raw_cpu, NULL, NULL));
  CHECK(raw_cpu < 4096);

  FAILS(clock_gettime(99, &(struct timespec){0}), EINVAL);
  FAILS(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, (void*)8), EFAULT);
  FAILS(syscall(SYS_gettimeofday, (void*)8, NULL), EFAULT);
  // Clocks the page does not serve go to the kernel.
  CHECK(abi_ns(CLOCK_PROCESS_CPUTIME_ID) > 0);
  CHECK(abi_ns(CLOCK_THREAD_CPUTIME_ID) > 0);
  return 0;
}
