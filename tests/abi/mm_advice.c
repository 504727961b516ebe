// madvise(2), mincore(2), msync(2), mlock(2).
#include <sys/resource.h>

#include "abi.h"

static const int kRw = PROT_READ | PROT_WRITE;

int main(void) {
  abi_scratch();
  char* p = OK(mmap(NULL, 8 * 4096, kRw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  memset(p, 'x', 8 * 4096);
  OK(madvise(p + 4096, 2 * 4096, MADV_DONTNEED));
  CHECK_EQ(p[4095], 'x');
  CHECK_EQ(p[4096], 0);
  CHECK_EQ(p[3 * 4096 - 1], 0);
  CHECK_EQ(p[3 * 4096], 'x');

  int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
  OK(ftruncate(fd, 4 * 4096));
  CHECK_EQ(pwrite(fd, "file", 4, 0), 4);
  char* priv = OK(mmap(NULL, 4096, kRw, MAP_PRIVATE, fd, 0));
  priv[0] = 'P';
  OK(madvise(priv, 4096, MADV_DONTNEED));
  CHECK_EQ(priv[0], 'f');  // the copy is gone, the file shows
  char* shared = OK(mmap(NULL, 4 * 4096, kRw, MAP_SHARED, fd, 0));
  shared[4096] = 'S';
  OK(madvise(shared, 4 * 4096, MADV_DONTNEED));
  CHECK_EQ(shared[4096], 'S');  // shared contents stay
  char* anon = abi_shared(4096);
  anon[0] = 'A';
  OK(madvise(anon, 4096, MADV_DONTNEED));
  CHECK_EQ(anon[0], 'A');

  // Hints without effect to be seen.
  int hints[] = {MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED};
  for (int i = 0; i < 4; i++) OK(madvise(p, 8 * 4096, hints[i]));
  OK(madvise(p, 4096, MADV_FREE));
  CHECK(p[0] == 'x' || p[0] == 0);
  p[0] = 'y';
  CHECK_EQ(p[0], 'y');
  FAILS(madvise(shared, 4096, MADV_FREE), EINVAL);
  FAILS(madvise(p, 4096, 4711), EINVAL);
  FAILS(madvise(p + 1, 4096, MADV_NORMAL), EINVAL);
  OK(madvise(p, 0, MADV_DONTNEED));
  OK(munmap(p + 4 * 4096, 4096));
  FAILS(madvise(p, 8 * 4096, MADV_DONTNEED), ENOMEM);  // done around the hole nevertheless
  CHECK_EQ(p[0], 0);
  CHECK_EQ(p[7 * 4096], 0);
  // A hole in the file behind.
  OK(madvise(shared + 4096, 4096, MADV_REMOVE));
  CHECK_EQ(shared[4096], 0);

  unsigned char vec[8];
  p = OK(mmap(NULL, 8 * 4096, kRw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  OK(mincore(p, 8 * 4096, vec));
  for (int i = 0; i < 8; i++) CHECK_EQ(vec[i] & 1, 0);
  OK(mlock(p, 4096));
  OK(mincore(p, 8 * 4096, vec));
  CHECK_EQ(vec[0] & 1, 1);
  FAILS(mincore(p + 1, 4096, vec), EINVAL);
  FAILS(mincore(p, 4096, (void*)8), EFAULT);
  OK(munmap(p + 4096, 4096));
  FAILS(mincore(p, 8 * 4096, vec), ENOMEM);

  OK(msync(shared, 4 * 4096, MS_SYNC));
  OK(msync(shared, 4096, MS_ASYNC));
  OK(msync(shared, 4096, MS_SYNC | MS_INVALIDATE));
  FAILS(msync(shared, 4096, MS_SYNC | MS_ASYNC), EINVAL);
  FAILS(msync(shared, 4096, 0x100), EINVAL);
  FAILS(msync(shared + 1, 4096, MS_SYNC), EINVAL);
  FAILS(msync(p, 8 * 4096, MS_SYNC), ENOMEM);

  OK(munlock(p, 4096));
  FAILS(mlock(p, 8 * 4096), ENOMEM);
  OK(munlock(p, 4096));
  OK(mlock2(shared, 4096, MLOCK_ONFAULT));
  FAILS(mlock2(shared, 4096, 8), EINVAL);
  OK(munlockall());
  FAILS(mlockall(0), EINVAL);
  FAILS(mlockall(MCL_ONFAULT), EINVAL);
  // Without the privilege the limit counts.
  IN_CHILD({
    OK(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){4096, 4096}));
    OK(setresuid(1000, 1000, 1000));
    OK(mlock(p, 4096));
    FAILS(mlock(p + 2 * 4096, 2 * 4096), ENOMEM);
  });
  return 0;
}
