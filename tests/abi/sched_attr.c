// sched_setattr(2), sched_getattr(2): sizes, policies, nice values, SCHED_FLAG_RESET_ON_FORK.
#include <sys/resource.h>

#include "abi.h"

struct attr {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
  uint32_t util_min, util_max;
  uint64_t more;
};
enum { kFirst = 48, kUtil = 56, kReset = 1 };

static long set(pid_t pid, struct attr* a) { return syscall(SYS_sched_setattr, pid, a, 0); }

static struct attr get(pid_t pid) {
  struct attr a;
  memset(&a, 0x77, sizeof(a));
  OK(syscall(SYS_sched_getattr, pid, &a, kUtil, 0));
  return a;
}

static void arguments(void) {
  struct attr a;
  memset(&a, 0x77, sizeof(a));
  OK(syscall(SYS_sched_getattr, 0, &a, kFirst, 0));
  CHECK_EQ(a.size, kFirst);
  CHECK_EQ(a.util_min, 0x77777777);
  memset(&a, 0x77, sizeof(a));
  OK(syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0));
  CHECK_EQ(a.size, kUtil);  // as much as the kernel knows
  CHECK_EQ(a.policy, SCHED_OTHER);
  CHECK_EQ(a.nice, getpriority(PRIO_PROCESS, 0));
  CHECK_EQ(a.priority, 0);
  CHECK_EQ(a.flags, 0);
  FAILS(syscall(SYS_sched_getattr, 0, &a, kFirst - 1, 0), EINVAL);
  FAILS(syscall(SYS_sched_getattr, 0, &a, 5000, 0), EINVAL);
  FAILS(syscall(SYS_sched_getattr, 0, &a, kFirst, 1), EINVAL);
  FAILS(syscall(SYS_sched_getattr, 0, NULL, kFirst, 0), EINVAL);
  FAILS(syscall(SYS_sched_getattr, -1, &a, kFirst, 0), EINVAL);
  FAILS(syscall(SYS_sched_getattr, 0x3fffffff, &a, kFirst, 0), ESRCH);
  FAILS(syscall(SYS_sched_getattr, 0, (void*)8, kFirst, 0), EFAULT);

  // Size 0 is the first form; too small or too new says what would be right.
  a = (struct attr){.size = 0, .policy = SCHED_OTHER};
  OK(set(0, &a));
  a = (struct attr){.size = 40, .policy = SCHED_OTHER};
  FAILS(set(0, &a), E2BIG);
  CHECK_EQ(a.size, kUtil);
  a = (struct attr){.size = sizeof(a), .policy = SCHED_OTHER};
  OK(set(0, &a));
  a.more = 1;
  FAILS(set(0, &a), E2BIG);
  CHECK_EQ(a.size, kUtil);
  a = (struct attr){.size = 5000, .policy = SCHED_OTHER};
  FAILS(set(0, &a), E2BIG);
  a = (struct attr){.size = kFirst, .policy = SCHED_OTHER};
  FAILS(syscall(SYS_sched_setattr, 0, &a, 1), EINVAL);
  FAILS(syscall(SYS_sched_setattr, 0, NULL, 0), EINVAL);
  FAILS(syscall(SYS_sched_setattr, 0, 8, 0), EFAULT);
  FAILS(set(-1, &a), EINVAL);
  FAILS(set(0x3fffffff, &a), ESRCH);
  a.policy = 99;
  FAILS(set(0, &a), EINVAL);
  a.policy = 0x80000000;
  FAILS(set(0, &a), EINVAL);
  a = (struct attr){.size = kFirst, .policy = SCHED_OTHER, .flags = 0x1000};
  FAILS(set(0, &a), EINVAL);
  a = (struct attr){.size = kFirst, .policy = SCHED_OTHER, .priority = 1};
  FAILS(set(0, &a), EINVAL);
  a = (struct attr){.size = kFirst, .policy = SCHED_FIFO, .priority = 0};
  FAILS(set(0, &a), EINVAL);
  a = (struct attr){.size = kFirst, .policy = SCHED_FIFO, .priority = 100};
  FAILS(set(0, &a), EINVAL);
  a = (struct attr){.size = kFirst, .policy = 6, .runtime = 10, .deadline = 5, .period = 20};
  FAILS(set(0, &a), EINVAL);  // SCHED_DEADLINE, more time than there is
}

static void nice_values(void) {
  struct attr a = {.size = kFirst, .policy = SCHED_BATCH, .nice = 7};
  OK(set(0, &a));
  CHECK_EQ(sched_getscheduler(0), SCHED_BATCH);
  CHECK_EQ(getpriority(PRIO_PROCESS, 0), 7);
  CHECK_EQ(get(0).nice, 7);
  CHECK_EQ(get(getpid()).policy, SCHED_BATCH);
  OK(setpriority(PRIO_PROCESS, 0, 9));
  CHECK_EQ(get(0).nice, 9);
  a = (struct attr){.size = kFirst, .policy = SCHED_BATCH, .nice = 100};  // beyond the end is the end
  OK(set(0, &a));
  CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19);
  a = (struct attr){.size = kFirst, .policy = SCHED_IDLE, .nice = 10};
  OK(set(0, &a));
  CHECK_EQ(sched_getscheduler(0), SCHED_IDLE);
  CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19);  // which has no use for it
}

static void reset_on_fork(void) {
  struct attr a = {.size = kFirst, .policy = SCHED_BATCH, .nice = 12, .flags = kReset};
  OK(set(0, &a));
  CHECK_EQ(get(0).flags, kReset);
  CHECK_EQ(sched_getscheduler(0), SCHED_BATCH | SCHED_RESET_ON_FORK);
  IN_CHILD({
    // A worse nice value stays; the flag is gone.
    CHECK_EQ(get(0).flags, 0);
    CHECK_EQ(get(0).policy, SCHED_BATCH);
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 12);
  });
  // Without the privilege it cannot be taken back.
  IN_CHILD({
    OK(set(0, &a));
    OK(setresuid(1000, 1000, 1000));
    struct sched_param none = {0};
    FAILS(sched_setscheduler(0, SCHED_BATCH, &none), EPERM);
    OK(sched_setscheduler(0, SCHED_BATCH | SCHED_RESET_ON_FORK, &none));
    struct attr b = {.size = kFirst, .policy = SCHED_BATCH | 0u, .nice = 12};
    FAILS(set(0, &b), EPERM);
    b.flags = kReset, b.nice = 11;
    FAILS(set(0, &b), EPERM);
    b.nice = 13;
    OK(set(0, &b));
  });
}

int main(void) {
  IN_CHILD(arguments());
  IN_CHILD(nice_values());
  IN_CHILD(reset_on_fork());
  return 0;
}
