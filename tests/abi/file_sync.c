// fsync(2) and its kin on all kinds of files, O_SYNC and O_DSYNC, RWF_DSYNC, sync_file_range(2), syncfs(2).
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "abi.h"

int main(void) {
  abi_scratch();
  int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
  CHECK_EQ(write(fd, "0123456789", 10), 10);
  OK(fsync(fd));
  OK(fdatasync(fd));
  int reader = OK(open("f", O_RDONLY)), dir = OK(open(".", O_RDONLY)), place = OK(open("f", O_PATH));
  OK(fsync(reader));  // what others wrote
  OK(fdatasync(reader));
  OK(fsync(dir));
  FAILS(fsync(place), EBADF);
  FAILS(fsync(999), EBADF);
  FAILS(fdatasync(-1), EBADF);
  OK(syncfs(fd));
  OK(syncfs(dir));
  FAILS(syncfs(place), EBADF);
  FAILS(syncfs(999), EBADF);
  sync();
  // Nothing behind them to write to.
  int fds[2], pair[2];
  OK(pipe(fds));
  FAILS(fsync(fds[1]), EINVAL);
  FAILS(fdatasync(fds[1]), EINVAL);
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  FAILS(fsync(pair[0]), EINVAL);
  FAILS(fsync(OK(eventfd(0, 0))), EINVAL);
  FAILS(fsync(OK(open("/dev/null", O_WRONLY))), EINVAL);
  FAILS(fsync(OK(open("/proc/self/status", O_RDONLY))), EINVAL);

  // Ranges.
  OK(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
  OK(sync_file_range(fd, 0, 4096,
                     SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER));
  OK(sync_file_range(fd, 1 << 20, 10, 0));
  FAILS(sync_file_range(fd, 0, 0, 8), EINVAL);
  FAILS(sync_file_range(fd, -1, 0, 0), EINVAL);
  FAILS(sync_file_range(fd, 0, -1, 0), EINVAL);
  FAILS(sync_file_range(fds[1], 0, 0, 0), ESPIPE);
  FAILS(sync_file_range(place, 0, 0, 0), EBADF);

  // The flags are kept, cannot be changed later, and each call writes.
  int sync_fd = OK(open("s", O_RDWR | O_CREAT | O_SYNC, 0644)), data = OK(open("s", O_RDWR | O_DSYNC));
  CHECK_EQ(fcntl(sync_fd, F_GETFL) & O_SYNC, O_SYNC);
  CHECK_EQ(fcntl(data, F_GETFL) & O_SYNC, O_DSYNC);
  OK(fcntl(sync_fd, F_SETFL, 0));
  CHECK_EQ(fcntl(sync_fd, F_GETFL) & O_SYNC, O_SYNC);
  OK(fcntl(fd, F_SETFL, O_SYNC));
  CHECK_EQ(fcntl(fd, F_GETFL) & O_SYNC, 0);
  CHECK_EQ(write(sync_fd, "written", 7), 7);
  CHECK_EQ(pwrite(data, "W", 1, 0), 1);
  char text[16];
  CHECK_EQ(pread(reader, text, 10, 0), 10);
  struct iovec v = {"now", 3};
  CHECK_EQ(pwritev2(data, &v, 1, 1, RWF_DSYNC), 3);
  CHECK_EQ(pwritev2(data, &v, 1, 4, RWF_SYNC), 3);
  v = (struct iovec){text, sizeof(text)};
  CHECK_EQ(preadv2(data, &v, 1, 0, 0), 7);
  CHECK_EQ(memcmp(text, "Wnownow", 7), 0);
  FAILS(preadv2(data, &v, 1, 0, 0x4000), EOPNOTSUPP);
  FAILS(pwritev2(data, &v, 1, 0, 0x4000), EOPNOTSUPP);

  // Without waiting: a pipe says that it has nothing.
  int memory = OK(memfd_create("m", 0));
  CHECK_EQ(write(memory, "in memory", 9), 9);
  v.iov_len = 4;
  FAILS(preadv2(fds[0], &v, 1, -1, RWF_NOWAIT), EAGAIN);
  CHECK_EQ(write(fds[1], "pipe", 4), 4);
  CHECK_EQ(preadv2(fds[0], &v, 1, -1, RWF_NOWAIT), 4);
  FAILS(preadv2(fds[0], &v, 1, 0, 0), ESPIPE);
  // -1: at the file's own place, which moves on.
  OK(lseek(memory, 3, SEEK_SET));
  CHECK_EQ(preadv2(memory, &v, 1, -1, 0), 4);
  CHECK_EQ(memcmp(text, "memo", 4), 0);
  CHECK_EQ(lseek(memory, 0, SEEK_CUR), 7);
  FAILS(preadv2(memory, &v, 1, -2, 0), EINVAL);
  // At the end, whatever offset is named.
  v = (struct iovec){"END", 3};
  CHECK_EQ(pwritev2(memory, &v, 1, 0, RWF_APPEND), 3);
  CHECK_EQ(lseek(memory, 0, SEEK_END), 12);
  CHECK_EQ(pread(memory, text, 12, 0), 12);
  CHECK_EQ(memcmp(text, "in memoryEND", 12), 0);
  // How many pieces there may be.
  static struct iovec many[1025];
  for (int i = 0; i < 1025; i++) many[i] = (struct iovec){"x", 1};
  CHECK_EQ(pwritev(memory, many, 1024, 0), 1024);
  FAILS(pwritev(memory, many, 1025, 0), EINVAL);
  FAILS(writev(memory, many, -1), EINVAL);
  CHECK_EQ(writev(memory, many, 0), 0);
  many[1].iov_len = (size_t)-1;
  FAILS(pwritev(memory, many, 2, 0), EINVAL);
  many[1] = (struct iovec){(void*)8, 5};
  CHECK_EQ(pwritev(memory, many, 3, 0), 1);  // up to what cannot be read
  many[0] = many[1];
  FAILS(pwritev(memory, many, 1, 0), EFAULT);
  return 0;
}
