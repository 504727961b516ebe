// mremap(2): grow, shrink, move, to a fixed place, of parts and of files.
#include "abi.h"

static const int kRw = PROT_READ | PROT_WRITE;
static const int kAnon = MAP_PRIVATE | MAP_ANONYMOUS;

static bool mapped(void* p) {
  unsigned char vec;
  return mincore(p, 4096, &vec) == 0;
}

int main(void) {
  abi_scratch();
  // Shrinks in place.
  char* p = OK(mmap(NULL, 8 * 4096, kRw, kAnon, -1, 0));
  for (int i = 0; i < 8; i++) p[i * 4096] = 'a' + i;
  CHECK_EQ(mremap(p, 8 * 4096, 4 * 4096, 0), p);
  CHECK(!mapped(p + 4 * 4096));
  // Grows in place where there is room, with zeros.
  CHECK_EQ(mremap(p, 4 * 4096, 6 * 4096, 0), p);
  CHECK_EQ(p[3 * 4096], 'd');
  CHECK_EQ(p[4 * 4096], 0);
  // Does not where there is none, unless it may move.
  OK(mmap(p + 6 * 4096, 4096, PROT_NONE, kAnon | MAP_FIXED, -1, 0));
  FAILS(mremap(p, 6 * 4096, 7 * 4096, 0), ENOMEM);
  char* q = OK(mremap(p, 6 * 4096, 64 * 4096, MREMAP_MAYMOVE));
  CHECK(q != p);
  CHECK(!mapped(p));
  for (int i = 0; i < 4; i++) CHECK_EQ(q[i * 4096], 'a' + i);
  CHECK_EQ(q[63 * 4096], 0);

  // To a given place, over what is there.
  char* target = OK(mmap(NULL, 8 * 4096, kRw, kAnon, -1, 0));
  memset(target, 't', 8 * 4096);
  CHECK_EQ(mremap(q, 64 * 4096, 4 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, target + 4096), target + 4096);
  CHECK(!mapped(q));
  CHECK_EQ(target[0], 't');
  CHECK_EQ(target[4096], 'a');
  CHECK_EQ(target[4 * 4096], 'd');
  CHECK_EQ(target[5 * 4096], 't');

  // A part in the middle moves and leaves a hole.
  char* part = OK(mremap(target + 2 * 4096, 4096, 2 * 4096, MREMAP_MAYMOVE));
  CHECK_EQ(part[0], 'b');
  CHECK_EQ(part[4096], 0);
  CHECK(!mapped(target + 2 * 4096));
  CHECK_EQ(target[3 * 4096], 'c');

  // DONTUNMAP leaves an empty mapping behind.
  char* away = OK(mremap(part, 2 * 4096, 2 * 4096, MREMAP_MAYMOVE | MREMAP_DONTUNMAP));
  CHECK_EQ(away[0], 'b');
  CHECK_EQ(part[0], 0);

  // Shared memory duplicates with an old size of zero.
  char* shared = abi_shared(2 * 4096);
  char* twin = OK(mremap(shared, 0, 2 * 4096, MREMAP_MAYMOVE));
  shared[5] = 'y';
  CHECK_EQ(twin[5], 'y');
  // Files: the part beyond appears as it grows.
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
  OK(ftruncate(fd, 4 * 4096));
  CHECK_EQ(pwrite(fd, "third", 5, 2 * 4096), 5);
  char* file = OK(mmap(NULL, 4096, kRw, MAP_SHARED, fd, 0));
  file = OK(mremap(file, 4096, 4 * 4096, MREMAP_MAYMOVE));
  CHECK_EQ(memcmp(file + 2 * 4096, "third", 5), 0);
  char c;
  file[4096 * 3] = 'q';
  CHECK_EQ(pread(fd, &c, 1, 3 * 4096), 1);
  CHECK_EQ(c, 'q');

  FAILS(mremap(p + 1, 4096, 8192, MREMAP_MAYMOVE), EINVAL);
  FAILS(mremap(shared, 4096, 0, MREMAP_MAYMOVE), EINVAL);
  FAILS(mremap(shared, 4096, 8192, MREMAP_FIXED, target), EINVAL);
  FAILS(mremap(shared, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, shared + 4096), EINVAL);  // overlap
  FAILS(mremap(shared, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, target + 1), EINVAL);
  FAILS(mremap(shared, 8192, 8192, 0x100), EINVAL);
  // An old size beyond the end of the address space, found out after the target is gone.
  char* gone = OK(mmap(NULL, 4096, kRw, kAnon, -1, 0));
  FAILS(mremap(shared, (size_t)-8192, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, gone), EINVAL);
  FAILS(mremap((void*)0x10000, 4096, 8192, MREMAP_MAYMOVE), EFAULT);

  // realloc of large blocks goes this way.
  char* block = malloc(1 << 20);
  memset(block, 'm', 1 << 20);
  for (size_t size = 2 << 20; size <= 16 << 20; size *= 2) {
    block = realloc(block, size);
    CHECK_EQ(block[(1 << 20) - 1], 'm');
    block[size - 1] = 1;
  }
  free(block);
  return 0;
}
