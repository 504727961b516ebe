// getpriority(2) and setpriority(2) of processes, groups and users; ioprio_get(2), ioprio_set(2).
#include <sys/resource.h>

#include "abi.h"

enum { kProcess = 1, kGroup = 2, kUser = 3 };
#define IOPRIO(class, data) (((class) << 13) | (data))

static long raw_priority(int which, int who) { return syscall(SYS_getpriority, which, who); }
static long io_get(int which, int who) { return syscall(SYS_ioprio_get, which, who); }
static long io_set(int which, int who, int value) { return syscall(SYS_ioprio_set, which, who, value); }

// Two children in a group of their own, until the pipe closes.
static void groups(void) {
  int hold[2];
  OK(pipe2(hold, O_CLOEXEC));
  pid_t a = FORK({
    OK(close(hold[1]));
    char c;
    read(hold[0], &c, 1);
  });
  OK(setpgid(a, a));
  pid_t b = FORK({
    OK(close(hold[1]));
    char c;
    read(hold[0], &c, 1);
  });
  OK(setpgid(b, a));
  OK(setpriority(PRIO_PROCESS, a, 3));
  OK(setpriority(PRIO_PROCESS, b, 5));
  // Of several the most favourable.
  CHECK_EQ(getpriority(PRIO_PGRP, a), 3);
  CHECK_EQ(raw_priority(PRIO_PGRP, a), 20 - 3);
  OK(setpriority(PRIO_PGRP, a, 8));
  CHECK_EQ(getpriority(PRIO_PROCESS, a), 8);
  CHECK_EQ(getpriority(PRIO_PROCESS, b), 8);
  CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
  OK(setpriority(PRIO_PGRP, a, 100));
  CHECK_EQ(getpriority(PRIO_PGRP, a), 19);
  FAILS(getpriority(PRIO_PGRP, 0x3fffffff), ESRCH);
  FAILS(setpriority(PRIO_PGRP, 0x3fffffff, 1), ESRCH);
  FAILS(getpriority(PRIO_PROCESS, 0x3fffffff), ESRCH);
  FAILS(getpriority(77, 0), EINVAL);
  FAILS(setpriority(-1, 0, 0), EINVAL);

  CHECK_EQ(io_set(kGroup, a, IOPRIO(2, 6)), 0);
  CHECK_EQ(io_get(kProcess, a), IOPRIO(2, 6));
  CHECK_EQ(io_set(kProcess, b, IOPRIO(2, 3)), 0);
  CHECK_EQ(io_get(kGroup, a), IOPRIO(2, 3));
  OK(close(hold[1]));
  WAIT_OK(a);
  WAIT_OK(b);
  FAILS(getpriority(PRIO_PGRP, a), ESRCH);
}

static void users(void) {
  OK(setresuid(1000, 1000, 1000));
  OK(setpriority(PRIO_PROCESS, 0, 4));
  CHECK_EQ(getpriority(PRIO_PROCESS, 0), 4);
  FAILS(setpriority(PRIO_PROCESS, 0, 3), EACCES);
  OK(setpriority(PRIO_PROCESS, 0, 4));
  FAILS(setpriority(PRIO_PROCESS, getppid(), 5), EPERM);
  OK(setpriority(PRIO_USER, 0, 6));
  CHECK_EQ(getpriority(PRIO_PROCESS, 0), 6);
  CHECK_EQ(getpriority(PRIO_USER, 1000), 6);
  FAILS(getpriority(PRIO_USER, 64321), ESRCH);
  // A child has its parent's, and may be made worse by it.
  IN_CHILD(CHECK_EQ(getpriority(PRIO_PROCESS, 0), 6));
  errno = 0;
  CHECK_EQ(nice(2), 8);
  CHECK_EQ(errno, 0);
  FAILS(nice(-1), EPERM);
  // RLIMIT_NICE allows to come back to 20 - limit.
  struct rlimit limit;
  OK(getrlimit(RLIMIT_NICE, &limit));
  if (limit.rlim_max == 0) FAILS(setpriority(PRIO_PROCESS, 0, 7), EACCES);
}

static void io(void) {
  CHECK_EQ(io_get(kProcess, 0), 0 << 13 | (int)io_get(kProcess, 0));
  OK(io_set(kProcess, 0, IOPRIO(2, 7)));
  CHECK_EQ(io_get(kProcess, 0), IOPRIO(2, 7));
  CHECK_EQ(io_get(kProcess, getpid()), IOPRIO(2, 7));
  IN_CHILD(CHECK_EQ(io_get(kProcess, 0), IOPRIO(2, 7)));
  OK(io_set(kProcess, 0, IOPRIO(3, 0)));
  CHECK_EQ(io_get(kProcess, 0), IOPRIO(3, 0));
  FAILS(io_set(kProcess, 0, IOPRIO(4, 0)), EINVAL);
  FAILS(io_set(kProcess, 0, IOPRIO(0, 1)), EINVAL);
  FAILS(io_set(9, 0, IOPRIO(2, 1)), EINVAL);
  FAILS(io_get(9, 0), EINVAL);
  FAILS(io_get(kProcess, 0x3fffffff), ESRCH);
  FAILS(io_set(kGroup, 0x3fffffff, IOPRIO(2, 1)), ESRCH);
  OK(io_set(kProcess, 0, IOPRIO(2, 0)));
  IN_CHILD({
    pid_t parent = getppid();
    OK(setresuid(1000, 1000, 1000));
    FAILS(io_set(kProcess, 0, IOPRIO(1, 0)), EPERM);  // real time
    FAILS(io_set(kProcess, parent, IOPRIO(2, 1)), EPERM);
    CHECK_EQ(io_get(kProcess, parent), IOPRIO(2, 0));
    OK(io_set(kUser, 1000, IOPRIO(2, 4)));
    CHECK_EQ(io_get(kProcess, 0), IOPRIO(2, 4));
  });
}

int main(void) {
  groups();
  IN_CHILD(users());
  IN_CHILD(io());
  return 0;
}
