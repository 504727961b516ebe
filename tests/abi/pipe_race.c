// splice(2) and read(2) of one pipe at once: every byte comes once, and both see the end.
#include "abi.h"

enum { kBytes = 4 << 20 };

int main(void) {
  abi_scratch();
  int p[2];
  OK(pipe(p));
  atomic_llong* moved = abi_shared(sizeof(*moved));
  pid_t splicer =
      FORK(OK(close(p[1])); int fd = OK(open("out", O_CREAT | O_WRONLY, 0600));
           for (ssize_t n; (n = OK(splice(p[0], NULL, fd, NULL, 3000, 0))) > 0;) atomic_fetch_add(moved, n));
  pid_t reader = FORK(OK(close(p[1])); char b[5000];
                      for (ssize_t n; (n = OK(read(p[0], b, sizeof(b)))) > 0;) atomic_fetch_add(moved, n));
  OK(close(p[0]));
  static char block[4000];
  for (int done = 0; done < kBytes;) {
    int n = kBytes - done < (int)sizeof(block) ? kBytes - done : (int)sizeof(block);
    done += OK(write(p[1], block, n));
  }
  OK(close(p[1]));
  WAIT_OK(splicer);
  WAIT_OK(reader);
  CHECK_EQ(atomic_load(moved), kBytes);
  return 0;
}
