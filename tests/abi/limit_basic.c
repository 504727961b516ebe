// getrlimit(2), setrlimit(2), prlimit(2): values, inheritance, privileges, NPROC, CPU, CORE.
#include <sys/resource.h>

#include "abi.h"

static volatile int g_xcpu;

static void on_xcpu(int signal) {
  (void)signal;
  g_xcpu++;
}

static void* nothing(void* arg) { return arg; }

int main(void) {
  struct rlimit limit, old;
  for (int resource = 0; resource < RLIM_NLIMITS; resource++) {
    OK(getrlimit(resource, &limit));
    CHECK(limit.rlim_cur <= limit.rlim_max);
    OK(setrlimit(resource, &limit));
  }
  FAILS(getrlimit(RLIM_NLIMITS, &limit), EINVAL);
  FAILS(syscall(SYS_getrlimit, RLIMIT_NOFILE, (void*)8), EFAULT);
  FAILS(setrlimit(RLIMIT_NOFILE, &(struct rlimit){100, 50}), EINVAL);
  FAILS(syscall(SYS_setrlimit, RLIMIT_NOFILE, (void*)8), EFAULT);

  IN_CHILD({
    OK(prlimit(0, RLIMIT_NOFILE, &(struct rlimit){100, 200}, &old));
    OK(prlimit(getpid(), RLIMIT_NOFILE, NULL, &limit));
    CHECK_EQ(limit.rlim_cur, 100);
    CHECK_EQ(limit.rlim_max, 200);
    OK(setresuid(1000, 1000, 1000));
    OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){200, 200}));  // the soft one up to the hard one
    FAILS(setrlimit(RLIMIT_NOFILE, &(struct rlimit){200, 201}), EPERM);
    OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){60, 60}));
    FAILS(setrlimit(RLIMIT_NOFILE, &(struct rlimit){60, 61}), EPERM);
    IN_CHILD(OK(getrlimit(RLIMIT_NOFILE, &limit)); CHECK_EQ(limit.rlim_max, 60));
    FAILS(prlimit(getppid(), RLIMIT_NOFILE, NULL, &limit), EPERM);
    FAILS(prlimit(0x3fffffff, RLIMIT_NOFILE, NULL, &limit), ESRCH);
  });
  // Another process's limits.
  pid_t pid = FORK(for (;;) pause());
  OK(prlimit(pid, RLIMIT_CORE, &(struct rlimit){0, 0}, NULL));
  OK(prlimit(pid, RLIMIT_CORE, NULL, &limit));
  CHECK_EQ(limit.rlim_max, 0);
  OK(kill(pid, SIGKILL));
  WAIT_SIGNAL(pid, SIGKILL);

  // How many processes a user may have; root is not counted.
  IN_CHILD({
    OK(setrlimit(RLIMIT_NPROC, &(struct rlimit){1, 1}));
    IN_CHILD(_exit(0));
    OK(setresuid(54321, 54321, 54321));
    FAILS(fork(), EAGAIN);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, nothing, NULL), EAGAIN);
  });
  IN_CHILD({
    OK(setrlimit(RLIMIT_NPROC, &(struct rlimit){2, 2}));
    OK(setresuid(54321, 54321, 54321));
    for (int i = 0; i < 3; i++) IN_CHILD(FAILS(fork(), EAGAIN));
  });

  // CPU seconds: SIGXCPU at the soft limit.
  IN_CHILD({
    abi_handle(SIGXCPU, on_xcpu, 0);
    OK(setrlimit(RLIMIT_CPU, &(struct rlimit){1, 100}));
    while (g_xcpu == 0) {
      for (volatile int i = 0; i < 100000; i++) continue;
    }
    CHECK(abi_ns(CLOCK_PROCESS_CPUTIME_ID) >= 400000000);
  });
  // Over execve.
  IN_CHILD({
    OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){77, 78}));
    char* args[] = {"sh", "-c", "test $(ulimit -Sn) = 77 && test $(ulimit -Hn) = 78", NULL};
    OK(execv("/bin/sh", args));
  });
  // Priorities.
  errno = 0;
  CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
  IN_CHILD({
    OK(setpriority(PRIO_PROCESS, 0, 5));
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 5);
    CHECK_EQ(nice(3), 8);
    OK(setpriority(PRIO_PROCESS, 0, 100));
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19);
    OK(setresuid(1000, 1000, 1000));
    FAILS(setpriority(PRIO_PROCESS, 0, 1), EACCES);
    FAILS(setpriority(77, 0, 0), EINVAL);
    FAILS(setpriority(PRIO_PROCESS, 0x3fffffff, 0), ESRCH);
    FAILS(setpriority(PRIO_PROCESS, 1, 19), EPERM);
  });
  return 0;
}
