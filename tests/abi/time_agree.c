// CPU time by all its names: getrusage(2), times(2), clock(3), CPU clocks and /proc/PID/stat tell one story.
#include <sys/resource.h>
#include <sys/times.h>

#include "abi.h"

static long long g_tick;  // ns of one clock tick

static long long ns_of(struct timeval t) { return t.tv_sec * 1000000000LL + t.tv_usec * 1000LL; }

static long long usage(int who) {
  struct rusage r;
  OK(getrusage(who, &r));
  return ns_of(r.ru_utime) + ns_of(r.ru_stime);
}

// utime, stime, cutime, cstime in ticks.
static void stat_of(long* out) {
  char text[1024];
  abi_get("/proc/self/stat", text, sizeof(text));
  CHECK_EQ(sscanf(strrchr(text, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld %ld %ld",
                  &out[0], &out[1], &out[2], &out[3]),
           4);
}

static void burn(long long ns) {
  long long end = abi_ns(CLOCK_PROCESS_CPUTIME_ID) + ns;
  while (abi_ns(CLOCK_PROCESS_CPUTIME_ID) < end)
    for (volatile int i = 0; i < 20000; i++) continue;
}

static void own(void) {
  burn(150000000);
  // Each reading lies between two of the clock, give and take what the coarser ones cannot tell.
  long long before = abi_ns(CLOCK_PROCESS_CPUTIME_ID);
  long long by_usage = usage(RUSAGE_SELF);
  struct tms t;
  clock_t up = times(&t);
  CHECK(up != (clock_t)-1);
  long by_stat[4];
  stat_of(by_stat);
  long long by_clock = (long long)clock() * (1000000000 / CLOCKS_PER_SEC);
  long long after = abi_ns(CLOCK_PROCESS_CPUTIME_ID);
  long long slack = 3 * g_tick;
  CHECK(before >= 150000000);
  CHECK(by_usage >= before - slack && by_usage <= after + slack);
  CHECK(by_clock >= before - slack && by_clock <= after + slack);
  CHECK((t.tms_utime + t.tms_stime) * g_tick >= before - slack);
  CHECK((t.tms_utime + t.tms_stime) * g_tick <= after + slack);
  CHECK((by_stat[0] + by_stat[1]) * g_tick >= before - slack);
  CHECK((by_stat[0] + by_stat[1]) * g_tick <= after + slack);
  CHECK(t.tms_utime > 0);
  CHECK_EQ(t.tms_cutime + t.tms_cstime, 0);
  CHECK_EQ(by_stat[2] + by_stat[3], 0);
  // The clock of the only thread is the clock of the process.
  long long thread = abi_ns(CLOCK_THREAD_CPUTIME_ID);
  CHECK(thread <= abi_ns(CLOCK_PROCESS_CPUTIME_ID));
  CHECK(thread >= before);
  CHECK(usage(RUSAGE_THREAD) >= before - slack);
}

// Children count once they are waited for, with those that they waited for.
static void children(void) {
  CHECK_EQ(usage(RUSAGE_CHILDREN), 0);
  pid_t pid = FORK({
    IN_CHILD(burn(60000000));
    CHECK(usage(RUSAGE_CHILDREN) >= 60000000 - g_tick);
    burn(60000000);
  });
  siginfo_t info;
  OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
  CHECK_EQ(usage(RUSAGE_CHILDREN), 0);
  struct rusage r;
  int status;
  CHECK_EQ(wait4(pid, &status, 0, &r), pid);
  CHECK_EQ(status, 0);
  long long told = ns_of(r.ru_utime) + ns_of(r.ru_stime);
  CHECK(told >= 120000000 - 3 * g_tick);
  long long counted = usage(RUSAGE_CHILDREN);
  CHECK(counted >= told - g_tick && counted <= told + g_tick);
  struct tms t;
  times(&t);
  CHECK((t.tms_cutime + t.tms_cstime) * g_tick >= told - 3 * g_tick);
  long by_stat[4];
  stat_of(by_stat);
  CHECK((by_stat[2] + by_stat[3]) * g_tick >= told - 3 * g_tick);
  // Nobody waits for those whose end is ignored, and so they count for nobody.
  signal(SIGCHLD, SIG_IGN);
  pid = FORK(burn(60000000));
  FAILS(waitpid(pid, &status, 0), ECHILD);
  CHECK(usage(RUSAGE_CHILDREN) <= counted + g_tick);
  signal(SIGCHLD, SIG_DFL);
  struct rusage none;
  FAILS(getrusage(7, &none), EINVAL);
  FAILS(getrusage(RUSAGE_SELF, (void*)8), EFAULT);
  FAILS(syscall(SYS_times, 8), EFAULT);
}

int main(void) {
  g_tick = 1000000000LL / OK(sysconf(_SC_CLK_TCK));
  CHECK_EQ(g_tick, 10000000);
  IN_CHILD(own());
  IN_CHILD(children());
  return 0;
}
