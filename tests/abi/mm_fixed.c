// mmap(2): hints, MAP_FIXED, MAP_FIXED_NOREPLACE, holes by munmap(2).
#include "abi.h"

static const int kRw = PROT_READ | PROT_WRITE;
static const int kAnon = MAP_PRIVATE | MAP_ANONYMOUS;

static bool mapped(void* p) {
  unsigned char vec;
  if (mincore(p, 4096, &vec) == 0) return true;
  CHECK_EQ(errno, ENOMEM);
  return false;
}

int main(void) {
  char* area = OK(mmap(NULL, 16 * 4096, kRw, kAnon, -1, 0));
  memset(area, 'x', 16 * 4096);

  // A hole in the middle, at the start, at the end, and over several mappings at once.
  OK(munmap(area + 4 * 4096, 4096));
  CHECK(!mapped(area + 4 * 4096));
  CHECK_EQ(area[3 * 4096 + 4095], 'x');
  CHECK_EQ(area[5 * 4096], 'x');
  OK(munmap(area, 4096));
  OK(munmap(area + 15 * 4096, 4096));
  OK(munmap(area + 3 * 4096, 3 * 4096));
  for (int i = 0; i < 16; i++) CHECK_EQ(mapped(area + i * 4096), !(i == 0 || i == 15 || (i >= 3 && i < 6)));

  // Fixed: exactly there, over what was there.
  char* p = OK(mmap(area + 2 * 4096, 2 * 4096, kRw, kAnon | MAP_FIXED, -1, 0));
  CHECK_EQ(p, area + 2 * 4096);
  CHECK_EQ(p[0], 0);
  CHECK_EQ(area[4096], 'x');
  CHECK(mapped(area + 3 * 4096));
  CHECK(!mapped(area + 4 * 4096));

  FAILS(mmap(area + 4096, 4096, kRw, kAnon | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
  FAILS(mmap(area, 16 * 4096, kRw, kAnon | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
  CHECK_EQ(area[4096], 'x');
  CHECK_EQ(mmap(area + 4 * 4096, 2 * 4096, kRw, kAnon | MAP_FIXED_NOREPLACE, -1, 0), area + 4 * 4096);

  // A hint is taken if it is free, rounded to a page, otherwise another place is found.
  OK(munmap(area, 16 * 4096));
  p = OK(mmap(area + 100, 4096, kRw, kAnon, -1, 0));
  CHECK(p == area || p == area + 4096);
  char* q = OK(mmap(p, 4096, kRw, kAnon, -1, 0));
  CHECK(q != p);
  // Hints that cannot be met are no error.
  q = OK(mmap((void*)0x7ffffffff000UL, 1 << 20, kRw, kAnon, -1, 0));
  CHECK((uintptr_t)q < 0x7ffffffff000UL);
  FAILS(mmap((void*)0x7ffffffff000UL, 4096, kRw, kAnon | MAP_FIXED, -1, 0), ENOMEM);
  FAILS(mmap((void*)(1UL << 47), 4096, kRw, kAnon | MAP_FIXED, -1, 0), ENOMEM);
  FAILS(mmap((void*)0xffff800000000000UL, 4096, kRw, kAnon | MAP_FIXED, -1, 0), ENOMEM);

  // The highest page of a program, and a low one, are free to use.
  p = OK(mmap((void*)0x7fffffffe000UL, 4096, kRw, kAnon | MAP_FIXED, -1, 0));
  *p = 1;
  OK(munmap(p, 4096));
  p = OK(mmap((void*)0x10000, 4096, kRw, kAnon | MAP_FIXED, -1, 0));
  *p = 1;
  // In the first two gigabytes.
  p = OK(mmap(NULL, 65536, kRw, kAnon | MAP_32BIT, -1, 0));
  CHECK((uintptr_t)p < 0x80000000UL);
  *p = 1;

  // Large reservations cost nothing.
  p = OK(mmap(NULL, 1UL << 40, PROT_NONE, kAnon | MAP_NORESERVE, -1, 0));
  OK(mprotect(p + (1UL << 39), 4096, kRw));
  p[1UL << 39] = 1;
  OK(munmap(p, 1UL << 40));
  // A file over anonymous memory and back.
  abi_scratch();
  abi_put("f", "file");
  int fd = OK(open("f", O_RDONLY));
  area = OK(mmap(NULL, 3 * 4096, kRw, kAnon, -1, 0));
  OK(mmap(area + 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0));
  CHECK_EQ(memcmp(area + 4096, "file", 4), 0);
  area[0] = area[8192] = 1;
  OK(mmap(area + 4096, 4096, kRw, kAnon | MAP_FIXED, -1, 0));
  CHECK_EQ(area[4096], 0);
  return 0;
}
