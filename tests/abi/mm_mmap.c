// mmap(2): kinds of mapping and every error.
#include "abi.h"

static const int kRw = PROT_READ | PROT_WRITE;
static const int kAnon = MAP_PRIVATE | MAP_ANONYMOUS;

int main(void) {
  abi_scratch();
  // Anonymous memory is zero, also after reuse.
  for (int round = 0; round < 3; round++) {
    char* p = OK(mmap(NULL, 1 << 20, kRw, kAnon, -1, 0));
    CHECK_EQ((uintptr_t)p % 4096, 0);
    for (int i = 0; i < 1 << 20; i += 4096) {
      CHECK_EQ(p[i], 0);
      CHECK_EQ(p[i + 4095], 0);
      p[i] = p[i + 4095] = 1;
    }
    OK(munmap(p, 1 << 20));
  }
  // A file, privately and shared.
  int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
  char block[4096];
  for (int i = 0; i < 4; i++) {
    memset(block, 'a' + i, sizeof(block));
    CHECK_EQ(write(fd, block, sizeof(block)), sizeof(block));
  }
  char* priv = OK(mmap(NULL, 16384, kRw, MAP_PRIVATE, fd, 0));
  char* shared = OK(mmap(NULL, 16384, kRw, MAP_SHARED, fd, 0));
  char* second = OK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 8192));
  CHECK_EQ(priv[0], 'a');
  CHECK_EQ(shared[4096 * 3 + 4095], 'd');
  CHECK_EQ(second[0], 'c');
  priv[8192] = 'P';
  CHECK_EQ(second[0], 'c');
  shared[8192] = 'S';
  CHECK_EQ(second[0], 'S');
  CHECK_EQ(priv[8192], 'P');
  char c;
  CHECK_EQ(pread(fd, &c, 1, 8192), 1);
  CHECK_EQ(c, 'S');
  CHECK_EQ(pwrite(fd, "W", 1, 8193), 1);
  CHECK_EQ(second[1], 'W');
  CHECK_EQ(priv[8193], 'c');  // this page was copied before
  CHECK_EQ(pwrite(fd, "V", 1, 4097), 1);
  CHECK_EQ(priv[4097], 'V');  // that one was not

  // The mapping holds the file, without descriptor and name.
  OK(unlink("f"));
  OK(close(fd));
  CHECK_EQ(shared[0], 'a');
  OK(msync(shared, 16384, MS_SYNC));

  // Past the end, but on the last page, there are zeros that are nobody's.
  abi_put("short", "abc");
  fd = OK(open("short", O_RDWR));
  char* tail = OK(mmap(NULL, 4096, kRw, MAP_SHARED, fd, 0));
  CHECK_EQ(tail[2], 'c');
  CHECK_EQ(tail[3], 0);
  tail[3] = 'x';
  struct stat st;
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 3);

  int ro = OK(open("short", O_RDONLY));
  int wo = OK(open("short", O_WRONLY));
  FAILS(mmap(NULL, 4096, kRw, MAP_SHARED, ro, 0), EACCES);
  FAILS(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, wo, 0), EACCES);
  FAILS(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, wo, 0), EACCES);
  char* copy = OK(mmap(NULL, 4096, kRw, MAP_PRIVATE, ro, 0));
  copy[0] = 'z';
  char* view = OK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, ro, 0));
  CHECK_EQ(view[0], 'a');
  FAILS(mprotect(view, 4096, kRw), EACCES);

  FAILS(mmap(NULL, 0, kRw, kAnon, -1, 0), EINVAL);
  FAILS(mmap(NULL, 4096, kRw, MAP_ANONYMOUS, -1, 0), EINVAL);
  FAILS(mmap(NULL, 4096, kRw, MAP_PRIVATE, fd, 100), EINVAL);
  FAILS(mmap(NULL, 4096, kRw, MAP_PRIVATE, 77, 0), EBADF);
  FAILS(mmap(NULL, ~0UL << 12, kRw, kAnon, -1, 0), ENOMEM);
  FAILS(mmap(NULL, 1UL << 47, kRw, kAnon, -1, 0), ENOMEM);
  int dir = OK(open(".", O_RDONLY));
  FAILS(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, dir, 0), ENODEV);
  int fds[2];
  OK(pipe(fds));
  FAILS(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fds[0], 0), ENODEV);
  FAILS(mmap((void*)4097, 4096, kRw, kAnon | MAP_FIXED, -1, 0), EINVAL);
  FAILS(munmap((void*)4097, 4096), EINVAL);
  FAILS(munmap(block - (uintptr_t)block % 4096, 0), EINVAL);
  OK(munmap((void*)0x10000, 1 << 20));  // nothing there: fine
  FAILS(munmap((void*)(1UL << 47), 4096), EINVAL);

  // Lengths are rounded up.
  char* odd = OK(mmap(NULL, 5000, kRw, kAnon, -1, 0));
  odd[8191] = 1;
  OK(munmap(odd, 4097));
  // /dev/zero, privately and shared with children.
  int zero = OK(open("/dev/zero", O_RDWR));
  char* z = OK(mmap(NULL, 8192, kRw, MAP_PRIVATE, zero, 0));
  z[4096] = 1;
  char* zs = OK(mmap(NULL, 8192, kRw, MAP_SHARED, zero, 0));
  IN_CHILD(zs[1] = 9; z[0] = 3);
  CHECK_EQ(zs[1], 9);
  CHECK_EQ(z[0], 0);
  return 0;
}
