// ftruncate(2), fallocate(2), holes, SEEK_DATA and SEEK_HOLE.
#include <linux/falloc.h>
#include <sys/resource.h>

#include "abi.h"

static volatile int g_xfsz;

static void on_xfsz(int signal) {
  (void)signal;
  g_xfsz++;
}

int main(void) {
  abi_scratch();
  int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
  struct stat st;
  OK(ftruncate(fd, 1L << 32));
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 1L << 32);
  CHECK(st.st_blocks * 512 < 1 << 20);
  const long kMb = 1 << 20;
  char block[65536];
  memset(block, 'd', sizeof(block));
  CHECK_EQ(pwrite(fd, block, sizeof(block), 8 * kMb), sizeof(block));

  CHECK_EQ(lseek(fd, 0, SEEK_DATA), 8 * kMb);
  CHECK_EQ(lseek(fd, 8 * kMb + 5, SEEK_DATA), 8 * kMb + 5);
  CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 0);
  CHECK_EQ(lseek(fd, 8 * kMb, SEEK_HOLE), 8 * kMb + 65536);
  FAILS(lseek(fd, 1L << 31, SEEK_DATA), ENXIO);
  FAILS(lseek(fd, 1L << 32, SEEK_DATA), ENXIO);
  FAILS(lseek(fd, 1L << 32, SEEK_HOLE), ENXIO);
  OK(ftruncate(fd, 100));
  CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 0);
  CHECK_EQ(pwrite(fd, block, 100, 0), 100);
  CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 100);  // the end counts as one

  // Cut and grown again: zeros.
  OK(ftruncate(fd, 10));
  OK(ftruncate(fd, 50));
  char text[50];
  CHECK_EQ(pread(fd, text, 50, 0), 50);
  CHECK_EQ(text[9], 'd');
  for (int i = 10; i < 50; i++) CHECK_EQ(text[i], 0);
  OK(truncate("f", 5));
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 5);

  FAILS(ftruncate(fd, -1), EINVAL);
  FAILS(truncate("missing", 0), ENOENT);
  FAILS(truncate(".", 0), EISDIR);
  int ro = OK(open("f", O_RDONLY));
  FAILS(ftruncate(ro, 0), EINVAL);
  int fds[2];
  OK(pipe(fds));
  FAILS(ftruncate(fds[1], 0), EINVAL);
  FAILS(ftruncate(999, 0), EBADF);

  // fallocate.
  OK(fallocate(fd, 0, 0, 8192));
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 8192);
  CHECK(st.st_blocks * 512 >= 8192);
  OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 8192, 8192));
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 8192);
  CHECK_EQ(pwrite(fd, block, 8192, 0), 8192);
  OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 5000));
  CHECK_EQ(pread(fd, block, 8192, 0), 8192);
  CHECK_EQ(block[99], 'd');
  for (int i = 100; i < 5100; i++) CHECK_EQ(block[i], 0);
  CHECK_EQ(block[5100], 'd');
  FAILS(fallocate(fd, 0, 0, 0), EINVAL);
  FAILS(fallocate(fd, 0, -1, 10), EINVAL);
  FAILS(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10), EOPNOTSUPP);
  FAILS(fallocate(ro, 0, 0, 10), EBADF);
  FAILS(fallocate(fds[1], 0, 0, 10), ESPIPE);
  ZERO(posix_fallocate(fd, 0, 10000));

  // RLIMIT_FSIZE: a signal, EFBIG, and partial writes up to the limit.
  IN_CHILD({
    abi_handle(SIGXFSZ, on_xfsz, 0);
    OK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){10000, RLIM_INFINITY}));
    CHECK_EQ(pwrite(fd, block, 1000, 9500), 500);
    CHECK_EQ(g_xfsz, 0);
    FAILS(pwrite(fd, block, 1000, 10000), EFBIG);
    CHECK_EQ(g_xfsz, 1);
    FAILS(ftruncate(fd, 10001), EFBIG);
    CHECK_EQ(g_xfsz, 2);
    OK(ftruncate(fd, 10000));
    FAILS(fallocate(fd, 0, 0, 20000), EFBIG);
  });
  WAIT_SIGNAL(FORK({
                OK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){10000, RLIM_INFINITY}));
                pwrite(fd, block, 1000, 10000);
              }),
              SIGXFSZ);
  return 0;
}
