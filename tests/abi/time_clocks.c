// Clocks by number: which there are, their resolutions, CPU clocks of others, what may be set
// (clock_getres(2)).
#include <sys/time.h>
#include <sys/timex.h>

#include "abi.h"

static long raw_get(int clock, struct timespec* t) { return syscall(SYS_clock_gettime, clock, t); }

static void numbers(void) {
  struct timespec t, r;
  for (int clock = 0; clock <= 11; clock++) {
    if (clock == 10) {
      FAILS(clock_gettime(clock, &t), EINVAL);
      FAILS(syscall(SYS_clock_getres, clock, &r), EINVAL);
      continue;
    }
    if (clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM) continue;  // need a clock that wakes
    OK(clock_gettime(clock, &t));
    CHECK(t.tv_sec >= 0 && t.tv_nsec >= 0 && t.tv_nsec < 1000000000);
    OK(clock_getres(clock, &r));
    CHECK_EQ(r.tv_sec, 0);
    bool coarse = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
    if (coarse)
      CHECK(r.tv_nsec >= 1000000 && r.tv_nsec <= 10000000);
    else
      CHECK_EQ(r.tv_nsec, 1);
    OK(clock_getres(clock, NULL));
    // By the call as by the vDSO.
    struct timespec a, b, c;
    OK(clock_gettime(clock, &a));
    OK(raw_get(clock, &b));
    OK(clock_gettime(clock, &c));
    CHECK(a.tv_sec * 1000000000LL + a.tv_nsec <= b.tv_sec * 1000000000LL + b.tv_nsec);
    CHECK(b.tv_sec * 1000000000LL + b.tv_nsec <= c.tv_sec * 1000000000LL + c.tv_nsec);
  }
  for (int clock = 12; clock < 20; clock++) FAILS(clock_gettime(clock, &t), EINVAL);
  FAILS(raw_get(CLOCK_MONOTONIC, (void*)8), EFAULT);
  FAILS(raw_get(CLOCK_MONOTONIC, NULL), EFAULT);
}

static void relations(void) {
  // The coarse ones lag; atomic time is some whole seconds off; the boot clock is not behind the monotonic.
  struct timespec fine, coarse, tai, mono, boot;
  OK(clock_gettime(CLOCK_REALTIME_COARSE, &coarse));
  OK(clock_gettime(CLOCK_REALTIME, &fine));
  long long lag = (fine.tv_sec - coarse.tv_sec) * 1000000000LL + fine.tv_nsec - coarse.tv_nsec;
  CHECK(lag >= 0);
  OK(clock_gettime(CLOCK_TAI, &tai));
  CHECK(tai.tv_sec - fine.tv_sec >= 0 && tai.tv_sec - fine.tv_sec < 100);
  OK(clock_gettime(CLOCK_MONOTONIC, &mono));
  OK(clock_gettime(CLOCK_BOOTTIME, &boot));
  CHECK(boot.tv_sec > mono.tv_sec || (boot.tv_sec == mono.tv_sec && boot.tv_nsec >= mono.tv_nsec));
  struct timeval tv;
  OK(gettimeofday(&tv, NULL));
  CHECK(tv.tv_sec - fine.tv_sec < 60 && tv.tv_sec >= fine.tv_sec);
  // time(2) reads the coarse clock: the fine one may have begun the next second already.
  time_t seconds = time(NULL);
  CHECK(seconds >= coarse.tv_sec && seconds < coarse.tv_sec + 60);
  time_t stored = 0;
  long returned = syscall(SYS_time, &stored);
  CHECK_EQ(returned, stored);
  CHECK(stored >= seconds);
  FAILS(syscall(SYS_time, 8), EFAULT);
  char text[64];
  abi_get("/proc/uptime", text, sizeof(text));
  CHECK(atof(text) >= boot.tv_sec - 1 && atof(text) < boot.tv_sec + 60);
}

static void burn(long long ns) {
  long long end = abi_ns(CLOCK_PROCESS_CPUTIME_ID) + ns;
  while (abi_ns(CLOCK_PROCESS_CPUTIME_ID) < end) continue;
}

static void* works(void* word) {
  while (abi_ns(CLOCK_THREAD_CPUTIME_ID) < 30000000) continue;
  atomic_store((atomic_int*)word, 1);
  abi_await(word, 2);
  return NULL;
}

static void of_others(void) {
  clockid_t clock;
  int hold[2], tell[2];
  OK(pipe(hold));
  OK(pipe(tell));
  pid_t pid = FORK({
    burn(40000000);
    CHECK_EQ(write(tell[1], "x", 1), 1);
    char c;
    CHECK_EQ(read(hold[0], &c, 1), 1);
  });
  char c;
  CHECK_EQ(read(tell[0], &c, 1), 1);
  ZERO(clock_getcpuclockid(pid, &clock));
  abi_await_state(pid, 'S');
  long long used = abi_ns(clock);
  CHECK(used >= 40000000);
  CHECK_EQ(abi_ns(clock), used);  // it sleeps
  struct timespec r;
  OK(clock_getres(clock, &r));
  CHECK_EQ(write(hold[1], "x", 1), 1);
  WAIT_OK(pid);
  struct timespec t;
  FAILS(clock_gettime(clock, &t), EINVAL);
  CHECK_EQ(clock_getcpuclockid(pid, &clock), ESRCH);
  ZERO(clock_getcpuclockid(0, &clock));
  CHECK(abi_ns(clock) <= abi_ns(CLOCK_PROCESS_CPUTIME_ID));
  // A thread's, which is not for other processes.
  atomic_int* word = abi_shared(4096);
  pthread_t thread;
  ZERO(pthread_create(&thread, NULL, works, word));
  abi_await(word, 1);
  ZERO(pthread_getcpuclockid(thread, &clock));
  CHECK(abi_ns(clock) >= 20000000);
  CHECK(abi_ns(clock) <= abi_ns(CLOCK_PROCESS_CPUTIME_ID));
  IN_CHILD(FAILS(clock_gettime(clock, &t), EINVAL));
  atomic_store(word, 2);
  ZERO(pthread_join(thread, NULL));
  CHECK_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &t, NULL), EINVAL);
}

static void setting(void) {
  struct timespec t = {1000, 0};
  FAILS(clock_settime(CLOCK_MONOTONIC, &t), EINVAL);
  FAILS(clock_settime(99, &t), EINVAL);
  FAILS(syscall(SYS_clock_settime, CLOCK_REALTIME, 8), EFAULT);
  t.tv_nsec = -1;
  FAILS(clock_settime(CLOCK_REALTIME, &t), EINVAL);
  struct timex x = {0};
  int state = OK(adjtimex(&x));
  CHECK(state >= TIME_OK && state <= TIME_ERROR);
  CHECK(x.tick >= 9000 && x.tick <= 11000);
  CHECK(x.time.tv_sec > 1000000000);
  IN_CHILD({
    OK(setresuid(1000, 1000, 1000));
    t = (struct timespec){1000, 0};
    FAILS(clock_settime(CLOCK_REALTIME, &t), EPERM);
    FAILS(settimeofday(&(struct timeval){1000, 0}, NULL), EPERM);
    x = (struct timex){.modes = ADJ_FREQUENCY};
    FAILS(adjtimex(&x), EPERM);
    x = (struct timex){.modes = 0};
    OK(adjtimex(&x));
  });
}

int main(void) {
  numbers();
  relations();
  of_others();
  setting();
  return 0;
}
