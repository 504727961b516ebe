// dup(2), fcntl(2): descriptors and flags; RLIMIT_NOFILE; close_range(2).
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "abi.h"

int main(void) {
  abi_scratch();
  abi_put("f", "0123456789");
  int fd = OK(open("f", O_RDWR));
  int copy = OK(dup(fd));
  CHECK(copy > fd);
  CHECK_EQ(dup2(fd, 40), 40);
  CHECK_EQ(dup2(fd, fd), fd);
  CHECK_EQ(dup2(40, copy), copy);
  FAILS(dup2(999, 5), EBADF);
  FAILS(dup2(999, 999), EBADF);
  FAILS(dup2(fd, -1), EBADF);
  FAILS(dup2(fd, 1 << 30), EBADF);
  FAILS(dup3(fd, fd, 0), EINVAL);
  FAILS(dup3(fd, 41, 1), EINVAL);
  CHECK_EQ(dup3(fd, 41, O_CLOEXEC), 41);
  CHECK_EQ(fcntl(41, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(fcntl(dup(41), F_GETFD), 0);
  CHECK_EQ(fcntl(fd, F_DUPFD, 50), 50);
  CHECK_EQ(fcntl(fd, F_DUPFD, 50), 51);
  CHECK_EQ(fcntl(fd, F_DUPFD_CLOEXEC, 60), 60);
  CHECK_EQ(fcntl(60, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(fcntl(50, F_GETFD), 0);
  FAILS(fcntl(fd, F_DUPFD, -1), EINVAL);
  FAILS(fcntl(fd, F_DUPFD, 1 << 30), EINVAL);
  FAILS(fcntl(999, F_GETFD), EBADF);
  FAILS(fcntl(fd, 9999), EINVAL);
  OK(fcntl(50, F_SETFD, FD_CLOEXEC));
  CHECK_EQ(fcntl(50, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(fcntl(51, F_GETFD), 0);

  // Status flags belong to the open file; the access mode stays.
  OK(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK));
  CHECK_EQ(fcntl(copy, F_GETFL) & (O_APPEND | O_NONBLOCK | O_ACCMODE), O_APPEND | O_NONBLOCK | O_RDWR);
  OK(lseek(fd, 0, SEEK_SET));
  CHECK_EQ(write(copy, "A", 1), 1);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 11);
  OK(fcntl(fd, F_SETFL, O_WRONLY | O_CREAT));
  CHECK_EQ(fcntl(copy, F_GETFL) & (O_APPEND | O_NONBLOCK | O_ACCMODE | O_CREAT), O_RDWR);
  int fds[2];
  OK(pipe2(fds, O_NONBLOCK | O_CLOEXEC));
  CHECK_EQ(fcntl(fds[0], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
  CHECK_EQ(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
  int off = 0, on = 1, count = -1;
  OK(ioctl(fds[0], FIONBIO, &off));
  CHECK_EQ(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0);
  OK(ioctl(fds[0], FIONBIO, &on));
  OK(ioctl(fds[0], FIONREAD, &count));
  CHECK_EQ(count, 0);
  CHECK_EQ(write(fds[1], "abc", 3), 3);
  OK(ioctl(fds[0], FIONREAD, &count));
  CHECK_EQ(count, 3);
  OK(ioctl(fds[0], FIOCLEX));
  OK(ioctl(fds[0], FIONCLEX));
  CHECK_EQ(fcntl(fds[0], F_GETFD), 0);
  FAILS(ioctl(fd, 0x12345678, 0), ENOTTY);
  FAILS(ioctl(999, FIONREAD, &count), EBADF);
  FAILS(pipe2(fds, 0x1), EINVAL);
  FAILS(syscall(SYS_pipe2, (void*)8, 0), EFAULT);

  // The limit on numbers.
  IN_CHILD({
    OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){20, 100}));
    FAILS(dup2(fd, 20), EBADF);
    FAILS(fcntl(fd, F_DUPFD, 20), EINVAL);
    while (open("f", O_RDONLY) >= 0) continue;
    CHECK_EQ(errno, EMFILE);
    FAILS(dup(fd), EMFILE);
    FAILS(pipe(fds), EMFILE);
    FAILS(fcntl(fd, F_DUPFD, 19), EMFILE);
    CHECK_EQ(dup2(fd, 19), 19);
    OK(read(50, fds, 0));  // those above it stay usable
  });
  // Many of them.
  IN_CHILD({
    OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){1024, 1024}));
    for (int i = 0; i < 500; i++) OK(dup(fd));
    CHECK_EQ(dup2(fd, 1023), 1023);
    OK(close_range(100, 800, 0));
    FAILS(fcntl(100, F_GETFD), EBADF);
    OK(fcntl(99, F_GETFD));
    OK(close_range(0, 10, CLOSE_RANGE_CLOEXEC));
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    OK(close_range(11, ~0U, 0));
    FAILS(fcntl(1023, F_GETFD), EBADF);
    FAILS(close_range(10, 5, 0), EINVAL);
    FAILS(close_range(10, 15, 64), EINVAL);
  });
  return 0;
}
