// Pages ahead of their use: MADV_POPULATE_READ and _WRITE, MAP_POPULATE, MAP_LOCKED; MADV_COLD, MADV_PAGEOUT.
#include <sys/resource.h>

#include "abi.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
enum { kPages = 16 };
#define PAGE 4096ul
#define SIZE (kPages * PAGE)

static int resident(char* at, size_t size) {
  unsigned char map[kPages];
  OK(mincore(at, size, map));
  int n = 0;
  for (size_t i = 0; i < size / PAGE; i++) n += map[i] & 1;
  return n;
}

static char* anonymous(int prot) { return OK(mmap(NULL, SIZE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)); }

static long faults(void) {
  struct rusage usage;
  OK(getrusage(RUSAGE_SELF, &usage));
  return usage.ru_minflt;
}

static void populate(void) {
  char* p = anonymous(PROT_READ | PROT_WRITE);
  OK(madvise(p, 4 * PAGE, MADV_POPULATE_WRITE));
  CHECK_EQ(resident(p, 4 * PAGE), 4);
  faults();
  long before = faults();
  for (int i = 0; i < 4; i++) p[i * PAGE] = 1;
  CHECK(faults() - before < 4);
  OK(madvise(p, SIZE, MADV_POPULATE_READ));
  for (unsigned i = 4; i < kPages; i++) CHECK_EQ(p[i * PAGE], 0);
  CHECK_EQ(p[0], 1);  // what was there stays
  OK(madvise(p, 0, MADV_POPULATE_WRITE));
  FAILS(madvise(p + 1, PAGE, MADV_POPULATE_WRITE), EINVAL);

  // Not what the mapping forbids, and not where nothing is mapped.
  OK(mprotect(p, PAGE, PROT_READ));
  FAILS(madvise(p, SIZE, MADV_POPULATE_WRITE), EINVAL);
  OK(madvise(p, SIZE, MADV_POPULATE_READ));
  OK(mprotect(p, PAGE, PROT_NONE));
  FAILS(madvise(p, SIZE, MADV_POPULATE_READ), EINVAL);
  OK(munmap(p + 4 * PAGE, PAGE));
  FAILS(madvise(p + 2 * PAGE, 4 * PAGE, MADV_POPULATE_READ), ENOMEM);
  FAILS(madvise(p + 2 * PAGE, 4 * PAGE, MADV_POPULATE_WRITE), ENOMEM);

  // Private pages of a file become the process's own.
  int fd = OK(memfd_create("file", 0));
  OK(ftruncate(fd, 2 * PAGE));
  CHECK_EQ(pwrite(fd, "before", 6, 0), 6);
  char* own = OK(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  OK(madvise(own, PAGE, MADV_POPULATE_WRITE));
  OK(madvise(own + PAGE, PAGE, MADV_POPULATE_READ));
  CHECK_EQ(pwrite(fd, "after!", 6, 0), 6);
  CHECK_EQ(pwrite(fd, "second", 6, PAGE), 6);
  CHECK_EQ(memcmp(own, "before", 6), 0);
  CHECK_EQ(memcmp(own + PAGE, "second", 6), 0);
  // Behind the end of the file it is an error, not a signal.
  FAILS(madvise(own + 2 * PAGE, PAGE, MADV_POPULATE_READ), EFAULT);
  FAILS(madvise(own, 4 * PAGE, MADV_POPULATE_WRITE), EFAULT);
}

static void at_once(void) {
  char* p = OK(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0));
  CHECK_EQ(resident(p, SIZE), kPages);
  p = OK(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0));
  CHECK_EQ(resident(p, SIZE), kPages);
  // With what cannot be had the mapping stands all the same.
  p = OK(mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0));
  CHECK_EQ(resident(p, SIZE), 0);
  p = OK(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
  CHECK_EQ(resident(p, 4 * PAGE), 4);
  FAILS(madvise(p, 4 * PAGE, MADV_DONTNEED), EINVAL);
  FAILS(msync(p, 4 * PAGE, MS_INVALIDATE), EBUSY);
  FAILS(madvise(p, 4 * PAGE, MADV_COLD), EINVAL);
  FAILS(madvise(p, 4 * PAGE, MADV_PAGEOUT), EINVAL);
  OK(munlock(p, 4 * PAGE));
  OK(madvise(p, 4 * PAGE, MADV_DONTNEED));
  CHECK_EQ(resident(p, 4 * PAGE), 0);
}

// Hints: whatever becomes of the pages, what stands in them stays.
static void hints(void) {
  char* p = anonymous(PROT_READ | PROT_WRITE);
  memset(p, 7, SIZE);
  OK(madvise(p, SIZE, MADV_COLD));
  OK(madvise(p, SIZE, MADV_PAGEOUT));
  for (unsigned i = 0; i < SIZE; i += 512) CHECK_EQ(p[i], 7);
  FAILS(madvise(p + 5, PAGE, MADV_COLD), EINVAL);
  OK(munmap(p + PAGE, PAGE));
  FAILS(madvise(p, SIZE, MADV_COLD), ENOMEM);
  FAILS(madvise(p, SIZE, MADV_PAGEOUT), ENOMEM);
  CHECK_EQ(p[0], 7);
}

int main(void) {
  populate();
  at_once();
  hints();
  return 0;
}
