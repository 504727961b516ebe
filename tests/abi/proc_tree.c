// A tree of processes, each with pipes to its children: numbers go down, sums come up; then it is felled from
// the root.
#include <sys/prctl.h>

#include "abi.h"

enum { kDepth = 4 };

// Returns the number of processes below, this one included, times the number handed down.
static long node(int depth, int number) {
  long sum = number;
  if (depth == kDepth) return sum;
  for (int side = 0; side < 2; side++) {
    int down[2], up[2];
    OK(pipe(down));
    OK(pipe(up));
    pid_t pid = FORK({
      OK(close(down[1]));
      OK(close(up[0]));
      int mine;
      CHECK_EQ(read(down[0], &mine, sizeof(mine)), sizeof(mine));
      long result = node(depth + 1, mine);
      CHECK_EQ(write(up[1], &result, sizeof(result)), sizeof(result));
    });
    OK(close(down[0]));
    OK(close(up[1]));
    CHECK_EQ(write(down[1], &number, sizeof(number)), sizeof(number));
    long part;
    CHECK_EQ(read(up[0], &part, sizeof(part)), sizeof(part));
    sum += part;
    OK(close(down[1]));
    OK(close(up[0]));
    WAIT_OK(pid);
  }
  return sum;
}

int main(void) {
  CHECK_EQ(node(0, 3), 3 * ((1 << (kDepth + 1)) - 1));

  // A tree in one group, killed at once; all of it comes to the subreaper.
  OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
  atomic_int* count = abi_shared(4096);
  pid_t root = FORK({
    OK(setpgid(0, 0));
    for (int i = 0; i < 3; i++) {
      if (fork() == 0) i = -1, atomic_fetch_add(count, 1);
      if (atomic_load(count) >= 12) break;
    }
    atomic_fetch_add(count + 1, 1);
    for (;;) pause();
  });
  while (atomic_load(count + 1) < atomic_load(count) + 1 || atomic_load(count) < 12) sched_yield();
  OK(kill(-root, SIGKILL));
  int reaped = 0;
  for (;;) {
    int status;
    pid_t pid = waitpid(-1, &status, 0);
    if (pid < 0) break;
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGKILL);
    reaped++;
  }
  CHECK_EQ(errno, ECHILD);
  CHECK(reaped >= 13);
  FAILS(kill(-root, 0), ESRCH);
  return 0;
}
