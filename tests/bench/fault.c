// The first write to a page of anonymous memory. A pass over 4 MiB is mapped anew each time; mapping it is a
// thousandth of an operation.
#include <sys/mman.h>

#include "bench.h"

static void run(long ops) {
  enum { kPages = 1024, kPage = 4096 };
  while (ops > 0) {
    long pages = ops < kPages ? ops : kPages;
    char *p = mmap(NULL, kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) die("mmap");
    madvise(p, kPages * kPage, MADV_NOHUGEPAGE);
    for (long i = 0; i < pages; i++) *(volatile char *)(p + i * kPage) = 1;
    munmap(p, kPages * kPage);
    ops -= pages;
  }
}

int main(int argc, char **argv) { return bench(argc, argv, "fault", run); }
