// brk(2), the stack's growth, MAP_GROWSDOWN, address space limits.
#include <sys/resource.h>

#include "abi.h"

static char* brk_now(void) { return (char*)syscall(SYS_brk, 0); }
static char* set_brk(char* p) { return (char*)syscall(SYS_brk, p); }

__attribute__((noinline)) static int deep(int depth) {
  volatile char frame[16384];
  frame[0] = 1;
  frame[16383] = 2;
  return depth == 0 ? 0 : deep(depth - 1) + frame[0];
}

int main(void) {
  char* start = brk_now();
  CHECK_EQ(set_brk(start + 100000), start + 100000);
  memset(start, 'b', 100000);
  CHECK_EQ(set_brk(start + 10), start + 10);
  CHECK_EQ(start[9], 'b');
  CHECK_EQ(set_brk(start + 100000), start + 100000);
  CHECK_EQ(start[50000], 0);  // given back and new
  CHECK_EQ(set_brk(start), start);
  CHECK_EQ(sbrk(4096), start);
  CHECK_EQ(sbrk(0), start + 4096);
  CHECK_EQ(set_brk((char*)(1UL << 47)), start + 4096);  // too far: as it was
  // Something in the way stops it.
  char* page = (char*)(((uintptr_t)start + 4096 * 4) & ~4095UL);
  OK(mmap(page, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
  CHECK_EQ(set_brk(page + 1), start + 4096);
  OK(munmap(page, 4096));
  // A child has its own.
  IN_CHILD(set_brk(start + 8192); *(start + 5000) = 1);
  CHECK_EQ(brk_now(), start + 4096);
  IN_CHILD({
    OK(setrlimit(RLIMIT_DATA, &(struct rlimit){0, RLIM_INFINITY}));
    CHECK_EQ(set_brk(start + (1 << 20)), start + 4096);
  });

  // The stack grows by itself, megabytes of it, also through the kernel's writes.
  CHECK_EQ(deep(300), 300);
  IN_CHILD({
    char local;
    char* volatile low = &local - 3 * 1024 * 1024;
    int fd = OK(open("/dev/zero", O_RDONLY));
    CHECK_EQ(read(fd, low, 4096), 4096);
    CHECK_EQ(*low, 0);
  });
  pid_t pid = FORK(volatile char local; *(&local - 256 * 1024 * 1024) = 1);
  WAIT_SIGNAL(pid, SIGSEGV);  // beyond its limit

  // MAP_GROWSDOWN: grows towards a lower address, not upwards.
  char* area = OK(mmap(NULL, 1 << 21, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  OK(munmap(area, 1 << 21));
  char* top = area + (1 << 21) - 8192;
  char* grows = OK(mmap(top, 4096, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, -1, 0));
  grows[0] = 1;
  grows[-1] = 2;
  grows[-4096 * 3] = 3;
  CHECK_EQ(grows[-4096], 0);
  WAIT_SIGNAL(FORK(*(volatile char*)(grows + 4096) = 1), SIGSEGV);

  // RLIMIT_AS.
  IN_CHILD({
    OK(setrlimit(RLIMIT_AS, &(struct rlimit){64 << 20, RLIM_INFINITY}));
    FAILS(mmap(NULL, 128 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    char* p = OK(mmap(NULL, 4 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    FAILS(mremap(p, 4 << 20, 128 << 20, MREMAP_MAYMOVE), ENOMEM);
    CHECK_EQ(set_brk(start + (128 << 20)), start + 4096);
    CHECK_EQ(malloc(256 << 20), NULL);
  });
  return 0;
}
