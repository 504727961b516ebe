// process_vm_readv(2), process_vm_writev(2).
#include <sys/uio.h>

#include "abi.h"

static char* map(void) {
  return OK(mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

int main(void) {
  char* there = map();
  memset(there, 'p', 3 * 4096);
  OK(mprotect(there + 2 * 4096, 4096, PROT_NONE));
  int go[2], came[2];
  OK(pipe(go));
  OK(pipe(came));
  char c = 0;
  pid_t child = FORK({
    memset(there, 'c', 2 * 4096);
    OK(write(came[1], "x", 1));
    CHECK_EQ(read(go[0], &c, 1), 1);
    CHECK_EQ(memcmp(there + 4090, "0123456789", 10), 0);
    CHECK_EQ(there[4100], 'c');
  });
  CHECK_EQ(read(came[0], &c, 1), 1);

  char a[100], b[100];
  struct iovec ours[] = {{a, 10}, {NULL, 0}, {b, 90}};
  struct iovec theirs[] = {{there, 50}, {there + 4096, 50}};
  CHECK_EQ(process_vm_readv(child, ours, 3, theirs, 2, 0), 100);
  CHECK_EQ(a[9], 'c');
  CHECK_EQ(b[89], 'c');
  CHECK_EQ(there[0], 'p');
  // As far as it goes.
  struct iovec edge[] = {{there + 2 * 4096 - 30, 60}};
  CHECK_EQ(process_vm_readv(child, ours, 3, edge, 1, 0), 30);
  struct iovec out[] = {{there + 2 * 4096, 10}};
  FAILS(process_vm_readv(child, ours, 3, out, 1, 0), EFAULT);
  struct iovec two[] = {{there, 20}, {there + 2 * 4096, 10}, {there, 10}};
  CHECK_EQ(process_vm_readv(child, ours, 3, two, 3, 0), 20);
  // Writing, across a page.
  struct iovec digits[] = {{"01234", 5}, {"56789", 5}};
  struct iovec place[] = {{there + 4090, 10}};
  CHECK_EQ(process_vm_writev(child, digits, 2, place, 1, 0), 10);
  // Arguments.
  FAILS(process_vm_readv(child, ours, 3, theirs, 2, 1), EINVAL);
  FAILS(process_vm_readv(child, ours, 2000, theirs, 2, 0), EINVAL);
  FAILS(process_vm_readv(child, (void*)8, 1, theirs, 2, 0), EFAULT);
  FAILS(process_vm_readv(child, ours, 3, (void*)8, 1, 0), EFAULT);
  FAILS(process_vm_readv(1 << 21, ours, 3, theirs, 2, 0), ESRCH);
  CHECK_EQ(process_vm_readv(child, ours, 0, theirs, 2, 0), 0);
  CHECK_EQ(process_vm_readv(child, ours, 3, theirs, 0, 0), 0);
  IN_CHILD({
    OK(setgid(1000));
    OK(setuid(1000));
    FAILS(process_vm_readv(child, ours, 3, theirs, 2, 0), EPERM);
  });
  OK(write(go[1], "x", 1));
  WAIT_OK(child);
  FAILS(process_vm_readv(child, ours, 3, theirs, 2, 0), ESRCH);
  return 0;
}
