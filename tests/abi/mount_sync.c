// sync(2) where much is mounted: it comes to its end, for several at a time, and for who is killed in it.
#include <sched.h>
#include <sys/mount.h>

#include "abi.h"

enum { kMounts = 1500, kProcesses = 4 };

int main(void) {
  abi_scratch();
  OK(unshare(CLONE_NEWNS));
  OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
  for (int i = 0; i < kMounts; ++i) {
    char name[32];
    snprintf(name, sizeof(name), "m%d", i);
    OK(mkdir(name, 0755));
    OK(mount("none", name, "tmpfs", 0, NULL));
  }
  pid_t pids[kProcesses];
  for (int i = 0; i < kProcesses; ++i) {
    pids[i] = OK(fork());
    if (pids[i] == 0) {
      sync();
      if (i == 0)
        for (;;) sync();
      _exit(7);
    }
  }
  for (int i = 1; i < kProcesses; ++i) {
    int status;
    CHECK_EQ(OK(waitpid(pids[i], &status, 0)), pids[i]);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 7);
  }
  int status;
  OK(kill(pids[0], SIGKILL));
  CHECK_EQ(OK(waitpid(pids[0], &status, 0)), pids[0]);
  CHECK(WIFSIGNALED(status));
  return 0;
}
