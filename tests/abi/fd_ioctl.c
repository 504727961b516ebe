// ioctl(2) that all kinds of files know: FIONBIO, FIOASYNC, FIOCLEX, FIONREAD, FIOQSIZE, FIGETBSZ,
// FS_IOC_GETFLAGS.
#include <linux/fs.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "abi.h"

static int kinds(int* fds) {
  int n = 0, pair[2];
  OK(pipe(pair));
  fds[n++] = pair[0];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  fds[n++] = pair[0];
  fds[n++] = OK(eventfd(0, 0));
  fds[n++] = OK(open("f", O_RDWR | O_CREAT, 0644));
  fds[n++] = OK(open(".", O_RDONLY));
  fds[n++] = OK(open("/dev/null", O_RDWR));
  fds[n++] = OK(epoll_create1(0));
  return n;
}

int main(void) {
  abi_scratch();
  int fds[16], n = kinds(fds), on = 1, off = 0;
  for (int i = 0; i < n; i++) {
    OK(ioctl(fds[i], FIONBIO, &on));
    CHECK_EQ(fcntl(fds[i], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    OK(ioctl(fds[i], FIONBIO, &off));
    CHECK_EQ(fcntl(fds[i], F_GETFL) & O_NONBLOCK, 0);
    OK(ioctl(fds[i], FIOCLEX));
    CHECK_EQ(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
    OK(ioctl(fds[i], FIONCLEX));
    CHECK_EQ(fcntl(fds[i], F_GETFD), 0);
    FAILS(ioctl(fds[i], FIONBIO, 8), EFAULT);
    if (i < n - 1) FAILS(ioctl(fds[i], 0x12345678, 0), ENOTTY);
  }
  // Signals only where there are some to send.
  OK(ioctl(fds[0], FIOASYNC, &on));
  CHECK(fcntl(fds[0], F_GETFL) & O_ASYNC);
  OK(ioctl(fds[0], FIOASYNC, &off));
  CHECK_EQ(fcntl(fds[0], F_GETFL) & O_ASYNC, 0);
  FAILS(ioctl(fds[2], FIOASYNC, &on), ENOTTY);
  FAILS(ioctl(fds[3], FIOASYNC, &on), ENOTTY);

  // How much can be read: of a file what lies before its end.
  int count = -1;
  CHECK_EQ(write(fds[3], "0123456789", 10), 10);
  OK(ioctl(fds[3], FIONREAD, &count));
  CHECK_EQ(count, 0);
  OK(lseek(fds[3], 4, SEEK_SET));
  OK(ioctl(fds[3], FIONREAD, &count));
  CHECK_EQ(count, 6);
  OK(lseek(fds[3], 14, SEEK_SET));
  OK(ioctl(fds[3], FIONREAD, &count));
  CHECK_EQ(count, -4);
  FAILS(ioctl(fds[4], FIONREAD, &count), ENOTTY);
  FAILS(ioctl(fds[2], FIONREAD, &count), ENOTTY);
  FAILS(ioctl(fds[5], FIONREAD, &count), ENOTTY);

  // Sizes.
  loff_t size = -1;
  struct stat st;
  OK(fsync(fds[3]));
  OK(ioctl(fds[3], FIOQSIZE, &size));
  OK(fstat(fds[3], &st));
  CHECK_EQ(size, st.st_blocks * 512);  // what it takes, not its length
  FAILS(ioctl(fds[5], FIOQSIZE, &size), ENOTTY);
  FAILS(ioctl(fds[0], FIOQSIZE, &size), ENOTTY);
  int block = 0;
  OK(ioctl(fds[3], FIGETBSZ, &block));
  CHECK(block >= 512 && (block & (block - 1)) == 0);
  FAILS(ioctl(fds[3], FIGETBSZ, 8), EFAULT);

  // No descriptor, or only a place.
  FAILS(ioctl(999, FIOCLEX), EBADF);
  int place = OK(open("f", O_PATH));
  FAILS(ioctl(place, FIOCLEX), EBADF);
  FAILS(ioctl(place, FIONREAD, &count), EBADF);
  // FICLONE of what has no blocks to share.
  FAILS(ioctl(fds[3], FICLONE, fds[4]), EISDIR);
  FAILS(ioctl(fds[3], FICLONE, 999), EBADF);
  return 0;
}
