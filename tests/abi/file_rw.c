// read(2), write(2), pread(2), readv(2), preadv(2), lseek(2): results, positions, errors.
#include <sys/uio.h>

#include "abi.h"

int main(void) {
  abi_scratch();
  int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
  char buffer[64];
  CHECK_EQ(write(fd, "0123456789", 10), 10);
  CHECK_EQ(read(fd, buffer, 10), 0);
  CHECK_EQ(lseek(fd, 2, SEEK_SET), 2);
  CHECK_EQ(read(fd, buffer, 3), 3);
  CHECK_EQ(memcmp(buffer, "234", 3), 0);
  CHECK_EQ(lseek(fd, -1, SEEK_CUR), 4);
  CHECK_EQ(lseek(fd, -3, SEEK_END), 7);
  CHECK_EQ(read(fd, buffer, 64), 3);
  FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
  FAILS(lseek(fd, -100, SEEK_CUR), EINVAL);
  FAILS(lseek(fd, 0, 77), EINVAL);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 10);
  CHECK_EQ(pread(fd, buffer, 4, 3), 4);
  CHECK_EQ(memcmp(buffer, "3456", 4), 0);
  CHECK_EQ(pread(fd, buffer, 4, 100), 0);
  CHECK_EQ(pwrite(fd, "AB", 2, 1), 2);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 10);
  FAILS(pread(fd, buffer, 1, -1), EINVAL);
  FAILS(pwrite(fd, buffer, 1, -1), EINVAL);
  CHECK_EQ(read(fd, buffer, 0), 0);
  CHECK_EQ(write(fd, buffer, 0), 0);

  // Beyond the end: zeros between.
  CHECK_EQ(lseek(fd, 5000, SEEK_SET), 5000);
  CHECK_EQ(write(fd, "E", 1), 1);
  char big[8192];
  memset(big, 'x', sizeof(big));
  CHECK_EQ(pread(fd, big, sizeof(big), 0), 5001);
  CHECK_EQ(memcmp(big, "0AB3456789\0\0", 12), 0);
  CHECK_EQ(big[4999], 0);
  CHECK_EQ(big[5000], 'E');

  // Vectors.
  OK(ftruncate(fd, 0));
  OK(lseek(fd, 0, SEEK_SET));
  struct iovec out[4] = {{"one", 3}, {NULL, 0}, {"two", 3}, {"three", 5}};
  CHECK_EQ(writev(fd, out, 4), 11);
  char a[2], b[4], c[16];
  struct iovec in[3] = {{a, 2}, {b, 4}, {c, 16}};
  CHECK_EQ(preadv(fd, in, 3, 0), 11);
  CHECK_EQ(memcmp(a, "on", 2) | memcmp(b, "etwo", 4) | memcmp(c, "three", 5), 0);
  OK(lseek(fd, 1, SEEK_SET));
  CHECK_EQ(readv(fd, in, 2), 6);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 7);
  CHECK_EQ(pwritev(fd, out, 1, 20), 3);
  CHECK_EQ(preadv2(fd, in, 1, -1, 0), 2);  // at the position
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 9);
  CHECK_EQ(pwritev2(fd, out, 1, 0, RWF_APPEND), 3);
  struct stat st;
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 26);
  FAILS(preadv2(fd, in, 1, 0, 0x4000), EOPNOTSUPP);
  FAILS(readv(fd, in, -1), EINVAL);
  FAILS(readv(fd, in, 1025), EINVAL);
  CHECK_EQ(readv(fd, in, 0), 0);
  struct iovec huge[2] = {{big, SIZE_MAX / 2 + 1}, {big, 1}};
  FAILS(readv(fd, huge, 2), EINVAL);
  FAILS(preadv(fd, in, 1, -1), EINVAL);

  // More than the most at once.
  int zero = OK(open("/dev/zero", O_RDONLY)), null = OK(open("/dev/null", O_WRONLY));
  char* area = OK(mmap(NULL, 1UL << 32, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  CHECK_EQ(write(null, area, 1UL << 32), 0x7ffff000);
  OK(close(zero));

  // Not seekable.
  int fds[2];
  OK(pipe(fds));
  FAILS(lseek(fds[0], 0, SEEK_SET), ESPIPE);
  FAILS(pread(fds[0], buffer, 1, 0), ESPIPE);
  FAILS(pwrite(fds[1], buffer, 1, 0), ESPIPE);
  FAILS(preadv(fds[0], in, 1, 0), ESPIPE);

  // The position is of the open file, shared by copies of the descriptor, not by another open.
  int copy = OK(dup(fd)), other = OK(open("f", O_RDONLY));
  OK(lseek(fd, 3, SEEK_SET));
  CHECK_EQ(lseek(copy, 0, SEEK_CUR), 3);
  CHECK_EQ(lseek(other, 0, SEEK_CUR), 0);
  // A large file, in pieces of odd sizes.
  OK(ftruncate(fd, 0));
  OK(lseek(fd, 0, SEEK_SET));
  for (int i = 0; i < 100; i++) {
    memset(big, i, 7919);
    CHECK_EQ(write(fd, big, 7919), 7919);
  }
  OK(lseek(fd, 0, SEEK_SET));
  long total = 0;
  for (ssize_t n; (n = OK(read(fd, big, 8111))) > 0; total += n) {
    for (ssize_t i = 0; i < n; i += 97) CHECK_EQ(big[i], (total + i) / 7919);
  }
  CHECK_EQ(total, 791900);
  return 0;
}
