// Ids of a process with running threads: the library's calls change all of them, the kernel's only the
// caller.
#include <grp.h>
#include <sys/prctl.h>

#include "abi.h"

enum { kThreads = 4 };
static atomic_int g_step, g_seen;

static void* follows(void* arg) {
  for (int step = 1; step <= 3; step++) {
    abi_await(&g_step, step);
    uid_t want = step == 1 ? 0 : 1000;
    CHECK_EQ(syscall(SYS_getuid), want);
    if (step == 3) CHECK_EQ(syscall(SYS_getegid), 2000);
    atomic_fetch_add(&g_seen, 1);
  }
  return arg;
}

static void* alone(void* arg) {
  OK(syscall(SYS_setresuid, 5, 5, 5));
  CHECK_EQ(syscall(SYS_getuid), 5);
  char text[4096];
  char path[64];
  snprintf(path, sizeof(path), "/proc/self/task/%d/status", abi_tid());
  abi_get(path, text, sizeof(text));
  CHECK(strstr(text, "Uid:\t5\t5\t5\t5\n") != NULL);
  return arg;
}

static void let(int step) {
  atomic_store(&g_seen, 0);
  atomic_store(&g_step, step);
  abi_await(&g_seen, kThreads);
}

int main(void) {
  pthread_t threads[kThreads], single;
  ZERO(pthread_create(&single, NULL, alone, NULL));
  ZERO(pthread_join(single, NULL));
  CHECK_EQ(syscall(SYS_getuid), 0);

  for (int i = 0; i < kThreads; i++) ZERO(pthread_create(&threads[i], NULL, follows, NULL));
  let(1);
  OK(setgroups(0, NULL));
  OK(setresgid(2000, 2000, 2000));
  OK(setresuid(1000, 0, 0));
  let(2);
  OK(setresuid(1000, 1000, 1000));
  let(3);
  for (int i = 0; i < kThreads; i++) ZERO(pthread_join(threads[i], NULL));
  FAILS(setuid(0), EPERM);
  return 0;
}
