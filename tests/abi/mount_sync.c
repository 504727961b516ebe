// sync(2) where much is mounted: what it costs grows with the mounts as making them does.
#include <sched.h>
#include <sys/mount.h>

#include "abi.h"

enum { kMounts = 1500 };

static int64_t cpu_ns(void) {
  struct timespec t;
  OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t));
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int main(void) {
  abi_scratch();
  OK(unshare(CLONE_NEWNS));
  OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
  const int64_t start = cpu_ns();
  for (int i = 0; i < kMounts; ++i) {
    char name[32];
    snprintf(name, sizeof(name), "m%d", i);
    OK(mkdir(name, 0755));
    OK(mount("none", name, "tmpfs", 0, NULL));
  }
  const int64_t made = cpu_ns() - start;
  sync();
  const int64_t synced = cpu_ns() - start - made;
  if (synced > made) FAIL("sync took %lld ns of CPU, the mounts %lld", (long long)synced, (long long)made);
  return 0;
}
