// mknod(2), fifos, extended attributes, sync calls, posix_fadvise, readahead, mount points.
#include <poll.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "abi.h"

int main(void) {
  abi_scratch();
  struct stat st;
  OK(mkfifo("fifo", 0640));
  OK(stat("fifo", &st));
  CHECK_EQ(st.st_mode, S_IFIFO | 0640);
  FAILS(mkfifo("fifo", 0640), EEXIST);
  FAILS(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);  // nobody reads
  int reader = OK(open("fifo", O_RDONLY | O_NONBLOCK));
  char c;
  CHECK_EQ(read(reader, &c, 1), 0);  // nobody writes
  int writer = OK(open("fifo", O_WRONLY | O_NONBLOCK));
  FAILS(read(reader, &c, 1), EAGAIN);
  CHECK_EQ(write(writer, "x", 1), 1);
  CHECK_EQ(read(reader, &c, 1), 1);
  OK(close(writer));
  CHECK_EQ(read(reader, &c, 1), 0);
  struct pollfd poll_fd = {.fd = reader, .events = POLLIN};
  CHECK_EQ(poll(&poll_fd, 1, 0), 1);
  CHECK_EQ(poll_fd.revents & POLLHUP, POLLHUP);
  OK(close(reader));
  // Opening waits for the other side.
  pid_t pid = FORK({
    int fd = OK(open("fifo", O_WRONLY));
    CHECK_EQ(write(fd, "hello", 5), 5);
  });
  abi_await_state(pid, 'S');
  int fd = OK(open("fifo", O_RDONLY));
  char text[16];
  CHECK_EQ(read(fd, text, 16), 5);
  WAIT_OK(pid);
  CHECK_EQ(read(fd, text, 16), 0);
  OK(close(fd));
  int both = OK(open("fifo", O_RDWR));  // does not wait
  CHECK_EQ(write(both, "a", 1), 1);
  CHECK_EQ(read(both, text, 16), 1);

  OK(mknod("plain", S_IFREG | 0600, 0));
  OK(stat("plain", &st));
  CHECK_EQ(st.st_mode, S_IFREG | 0600);
  OK(mknod("zero-type", 0600, 0));
  OK(mknod("sock", S_IFSOCK | 0600, 0));
  OK(stat("sock", &st));
  CHECK(S_ISSOCK(st.st_mode));
  FAILS(open("sock", O_RDWR), ENXIO);
  FAILS(mknod("x", S_IFDIR | 0700, 0), EPERM);
  FAILS(mknod("x", S_IFLNK | 0700, 0), EINVAL);
  FAILS(mknod("missing/x", S_IFREG | 0700, 0), ENOENT);
  IN_CHILD(OK(chmod(".", 0777)); OK(setresuid(1000, 1000, 1000));
           FAILS(mknod("dev", S_IFCHR | 0600, makedev(1, 3)), EPERM); OK(mkfifo("own", 0600)));

  // Sync calls.
  fd = OK(open("plain", O_RDWR));
  OK(fsync(fd));
  OK(fdatasync(fd));
  sync();
  OK(syncfs(fd));
  OK(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
  FAILS(fsync(999), EBADF);
  FAILS(fsync(both), EINVAL);
  FAILS(sync_file_range(fd, 0, 0, 0x100), EINVAL);
  ZERO(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
  CHECK_EQ(posix_fadvise(fd, 0, 0, 77), EINVAL);
  CHECK_EQ(posix_fadvise(both, 0, 0, POSIX_FADV_NORMAL), ESPIPE);
  CHECK_EQ(posix_fadvise(999, 0, 0, POSIX_FADV_NORMAL), EBADF);
  OK(readahead(fd, 0, 4096));
  FAILS(readahead(both, 0, 4096), EINVAL);

  // Attributes: names outside the known spaces are refused everywhere.
  FAILS(setxattr("plain", "nospace", "v", 1, 0), EOPNOTSUPP);
  FAILS(getxattr("plain", "trusted.none", text, sizeof(text)), ENODATA);
  FAILS(getxattr("missing", "user.x", text, sizeof(text)), ENOENT);
  FAILS(setxattr("plain", "user.x", "v", 1, 77), EINVAL);
  CHECK(listxattr("plain", NULL, 0) >= 0);
  return 0;
}
