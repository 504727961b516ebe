// remap_file_pages(2): the pages of a shared mapping in another order.
#include "abi.h"

enum { kPages = 6 };
#define PAGE 4096ul

static long remap(void* at, size_t size, int prot, size_t page, int flags) {
  return syscall(SYS_remap_file_pages, at, size, prot, page, flags);
}

static int lines_of(const char* name) {
  static char text[65536];
  abi_get("/proc/self/maps", text, sizeof(text));
  int n = 0;
  for (char* at = text; (at = strstr(at, name)); at++) n++;
  return n;
}

int main(void) {
  int fd = OK(memfd_create("ordered", 0));
  OK(ftruncate(fd, kPages * PAGE));
  char* p = OK(mmap(NULL, kPages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  for (int i = 0; i < kPages; i++) p[i * PAGE] = 'a' + i;
  CHECK_EQ(lines_of("memfd:ordered"), 1);
  // Backwards.
  for (int i = 0; i < kPages; i++) OK(remap(p + i * PAGE, PAGE, 0, kPages - 1 - i, 0));
  for (int i = 0; i < kPages; i++) CHECK_EQ(p[i * PAGE], 'f' - i);
  CHECK_EQ(lines_of("memfd:ordered"), kPages);
  // Writes go where the page belongs.
  p[0] = 'Z';
  char c;
  CHECK_EQ(pread(fd, &c, 1, (kPages - 1) * PAGE), 1);
  CHECK_EQ(c, 'Z');
  // All of them the same one, and together again.
  for (int i = 0; i < kPages; i++) OK(remap(p + i * PAGE, PAGE, 0, 2, 0));
  p[5 * PAGE + 9] = '!';
  for (int i = 0; i < kPages; i++) CHECK_EQ(p[i * PAGE + 9], '!');
  for (int i = 0; i < kPages; i++) OK(remap(p + i * PAGE, PAGE, 0, i, 0));
  CHECK_EQ(lines_of("memfd:ordered"), 1);
  OK(remap(p, 2 * PAGE, 0, 3, 0));
  CHECK_EQ(p[0], 'd');
  CHECK_EQ(p[PAGE], 'e');
  CHECK_EQ(p[2 * PAGE], 'c');

  FAILS(remap(p, PAGE, PROT_READ, 0, 0), EINVAL);
  FAILS(remap(p, 0, 0, 0, 0), EINVAL);
  FAILS(remap(p, PAGE, 0, ~0ul, 0), EINVAL);
  char* own = OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  FAILS(remap(own, PAGE, 0, 1, 0), EINVAL);
  OK(munmap(own, PAGE));
  FAILS(remap(own, PAGE, 0, 1, 0), EINVAL);
  FAILS(remap((void*)-PAGE, 2 * PAGE, 0, 1, 0), EINVAL);
  // A part of a page is none: rounded down.
  FAILS(remap(p, PAGE - 1, 0, 1, 0), EINVAL);
  OK(remap(p + 5, PAGE + 5, 0, 5, 0));
  CHECK_EQ(p[0], 'Z');
  // Protection stays.
  OK(mprotect(p + 2 * PAGE, PAGE, PROT_READ));
  OK(remap(p + 2 * PAGE, PAGE, 0, 0, 0));
  CHECK_EQ(p[2 * PAGE], 'a');
  IN_CHILD({
    signal(SIGSEGV, SIG_DFL);
    pid_t pid = FORK(((volatile char*)p)[2 * PAGE] = 1);
    WAIT_SIGNAL(pid, SIGSEGV);
  });
  return 0;
}
