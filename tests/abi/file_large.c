// Offsets beyond 4 GiB and the largest ones; long vectors; files that are nearly all hole.
#include <sys/uio.h>

#include "abi.h"

int main(void) {
  abi_scratch();
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
  const off_t kFar = 5L << 30, kFarther = 1L << 40;
  CHECK_EQ(pwrite(fd, "five", 4, kFar), 4);
  CHECK_EQ(pwrite(fd, "tera", 4, kFarther - 2), 4);
  struct stat st;
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, kFarther + 2);
  char c[8] = "";
  CHECK_EQ(pread(fd, c, 8, kFar - 2), 8);
  CHECK_EQ(memcmp(c, "\0\0five\0\0", 8), 0);
  CHECK_EQ(lseek(fd, 0, SEEK_END), kFarther + 2);
  CHECK_EQ(lseek(fd, -4, SEEK_END), kFarther - 2);
  CHECK_EQ(read(fd, c, 8), 4);
  CHECK_EQ(memcmp(c, "tera", 4), 0);
  CHECK_EQ(pread(fd, c, 1, 1L << 33), 1);
  CHECK_EQ(c[0], 0);
  char* map = OK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, kFar - 4096));
  CHECK_EQ(memcmp(map + 4096, "five", 4), 0);
  map[4095] = 'x';
  CHECK_EQ(pread(fd, c, 2, kFar - 1), 2);
  CHECK_EQ(memcmp(c, "xf", 2), 0);
  off_t data = lseek(fd, 4096, SEEK_DATA);
  CHECK(data > 0 && data <= kFar - 1);
  OK(ftruncate(fd, kFar + 2));
  CHECK_EQ(pread(fd, c, 8, kFar), 2);
  FAILS(pwrite(fd, "x", 1, INT64_MAX), EINVAL);
  FAILS(lseek(fd, INT64_MIN, SEEK_SET), EINVAL);
  FAILS(pread(fd, c, 1, INT64_MIN), EINVAL);
  FAILS(ftruncate(fd, INT64_MIN), EINVAL);
  int sum = open("f", O_RDONLY | O_APPEND);
  CHECK_EQ(lseek(sum, 1, SEEK_END), kFar + 3);
  CHECK_EQ(read(sum, c, 1), 0);  // beyond the end

  // Vectors of the greatest length.
  OK(ftruncate(fd, 0));
  static struct iovec vec[1024];
  static char bytes[1024];
  for (int i = 0; i < 1024; i++) {
    bytes[i] = (char)(i * 31);
    vec[i] = (struct iovec){&bytes[i], 1};
  }
  CHECK_EQ(pwritev(fd, vec, 1024, 0), 1024);
  static char got[1024];
  CHECK_EQ(pread(fd, got, 1024, 0), 1024);
  CHECK_EQ(memcmp(bytes, got, 1024), 0);
  memset(bytes, 0, sizeof(bytes));
  CHECK_EQ(preadv(fd, vec, 1024, 0), 1024);
  CHECK_EQ(memcmp(bytes, got, 1024), 0);
  // One piece of many, large and small, through a pipe.
  int fds[2];
  OK(pipe(fds));
  static char block[40000];
  for (int i = 0; i < 40000; i++) block[i] = (char)(i >> 4);
  struct iovec mixed[5] = {
      {block, 1}, {block + 1, 0}, {block + 1, 9999}, {block + 10000, 29999}, {block + 39999, 1}};
  CHECK_EQ(writev(fds[1], mixed, 5), 40000);
  static char back[40000];
  struct iovec in[3] = {{back, 33333}, {back + 33333, 1}, {back + 33334, 6666}};
  for (size_t have = 0; have < sizeof(back);) {
    ssize_t n = have == 0 ? OK(readv(fds[0], in, 3)) : OK(read(fds[0], back + have, sizeof(back) - have));
    CHECK(n > 0);
    have += n;
  }
  CHECK_EQ(memcmp(block, back, sizeof(back)), 0);
  return 0;
}
