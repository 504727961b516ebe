// process_madvise(2): hints about the memory of another process, several ranges at once.
#include <sys/uio.h>

#include "abi.h"

#define PAGE 4096ul
#ifndef MADV_COLD
#define MADV_COLD 20
#define MADV_PAGEOUT 21
#endif

static long advise(int fd, const struct iovec* v, size_t n, int advice, unsigned flags) {
  return syscall(SYS_process_madvise, fd, v, n, advice, flags);
}

static bool may_advise(void) {
  char text[4096];
  abi_get("/proc/self/status", text, sizeof(text));
  return strtoull(strstr(text, "CapEff:") + 7, NULL, 16) >> 23 & 1;  // CAP_SYS_NICE
}

int main(void) {
  char* p = OK(mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  memset(p, 7, 8 * PAGE);
  int hold[2];
  OK(pipe(hold));
  pid_t pid = FORK({
    char c;
    OK(close(hold[1]));
    read(hold[0], &c, 1);
    for (unsigned i = 0; i < 8 * PAGE; i += 512) CHECK_EQ(p[i], 7);
  });
  int fd = OK((int)syscall(SYS_pidfd_open, pid, 0));
  struct iovec v[3] = {{p, PAGE}, {p + 2 * PAGE, 3 * PAGE}, {p + 7 * PAGE, PAGE}};
  FAILS(advise(fd, v, 1, MADV_COLD, 1), EINVAL);
  FAILS(advise(999, v, 1, MADV_COLD, 0), EBADF);
  FAILS(advise(hold[0], v, 1, MADV_COLD, 0), EBADF);
  FAILS(advise(fd, v, 1, MADV_DONTNEED, 0), EINVAL);
  FAILS(advise(fd, v, 1, MADV_FREE, 0), EINVAL);
  FAILS(advise(fd, v, 1025, MADV_COLD, 0), EINVAL);
  FAILS(advise(fd, (void*)8, 1, MADV_COLD, 0), EFAULT);
  if (may_advise()) {
    CHECK_EQ(advise(fd, v, 3, MADV_COLD, 0), 5 * PAGE);
    CHECK_EQ(advise(fd, v, 3, MADV_PAGEOUT, 0), 5 * PAGE);
    CHECK_EQ(advise(fd, v, 3, MADV_WILLNEED, 0), 5 * PAGE);
    CHECK_EQ(advise(fd, v, 0, MADV_COLD, 0), 0);
    // What is not mapped ends it: what was advised before counts.
    v[1] = (struct iovec){(void*)PAGE, PAGE};
    CHECK_EQ(advise(fd, v, 3, MADV_COLD, 0), PAGE);
    v[0] = v[1];
    FAILS(advise(fd, v, 1, MADV_COLD, 0), ENOMEM);
    v[0] = (struct iovec){p + 1, PAGE};
    FAILS(advise(fd, v, 1, MADV_COLD, 0), EINVAL);
  } else {
    FAILS(advise(fd, v, 3, MADV_COLD, 0), EPERM);
  }
  IN_CHILD({
    OK(setresuid(1000, 1000, 1000));
    errno = 0;
    CHECK_EQ(advise(fd, v, 1, MADV_COLD, 0), -1);
    CHECK(errno == EPERM || errno == EACCES);
  });
  OK(close(hold[1]));
  WAIT_OK(pid);
  FAILS(advise(fd, v, 1, MADV_COLD, 0), ESRCH);
  return 0;
}
