// KCMP_IO of kcmp(2) with CLONE_IO of clone(2): who shares an I/O context, and the priority in it.
#include <linux/kcmp.h>

#include "abi.h"

#ifndef CLONE_IO
#define CLONE_IO 0x80000000
#endif
#define BEST_EFFORT(level) (2 << 13 | (level))

static int compare(pid_t a, pid_t b) {
  long r = syscall(SYS_kcmp, a, b, KCMP_IO, 0, 0);
  if (r < 0 && errno != EPERM) FAIL("kcmp");
  return r < 0 ? -1 : (int)r;
}

static int priority(pid_t pid) { return (int)OK(syscall(SYS_ioprio_get, 1, pid)); }
static void set_priority(pid_t pid, int value) { OK(syscall(SYS_ioprio_set, 1, pid, value)); }

static char* g_stack;
static int g_hold[2];

static int waits(void* arg) {
  (void)arg;
  char c;
  close(g_hold[1]);
  read(g_hold[0], &c, 1);
  return 0;
}

static pid_t start(int flags) { return OK(clone(waits, g_stack + 65536, flags | SIGCHLD, NULL)); }

static void scene(void) {
  g_stack = OK(mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  OK(pipe(g_hold));
  // Nobody has one before somebody asks for it: all are alike.
  pid_t early = start(0);
  int same = compare(getpid(), early);
  CHECK(same == 0 || same == -1);  // -1: a container without CAP_SYS_PTRACE may not look
  CHECK_EQ(compare(getpid(), getpid()), same == -1 ? -1 : 0);

  set_priority(0, BEST_EFFORT(5));
  CHECK_EQ(priority(0), BEST_EFFORT(5));
  CHECK_EQ(priority(early) == BEST_EFFORT(5), false);
  if (same == 0) CHECK(compare(getpid(), early) > 0);

  // A copy with the same priority, or the very same.
  pid_t copy = start(0), shares = start((int)CLONE_IO);
  CHECK_EQ(priority(copy), BEST_EFFORT(5));
  CHECK_EQ(priority(shares), BEST_EFFORT(5));
  if (same == 0) {
    CHECK(compare(getpid(), copy) > 0);
    CHECK_EQ(compare(getpid(), shares), 0);
    CHECK_EQ(compare(shares, getpid()), 0);
    // The order that it tells is one.
    CHECK_EQ(compare(getpid(), copy) + compare(copy, getpid()), 3);
  }
  set_priority(0, BEST_EFFORT(2));
  CHECK_EQ(priority(shares), BEST_EFFORT(2));
  CHECK_EQ(priority(copy), BEST_EFFORT(5));
  set_priority(shares, BEST_EFFORT(7));
  CHECK_EQ(priority(0), BEST_EFFORT(7));
  OK(close(g_hold[1]));
  WAIT_OK(early);
  WAIT_OK(copy);
  WAIT_OK(shares);
  CHECK_EQ(priority(0), BEST_EFFORT(7));
}

int main(void) {
  IN_CHILD(scene());
  FAILS(syscall(SYS_kcmp, getpid(), 0x3fffffff, KCMP_IO, 0, 0), ESRCH);
  FAILS(syscall(SYS_kcmp, getpid(), getpid(), 99, 0, 0), EINVAL);
  return 0;
}
