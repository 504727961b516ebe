// unix(7), SOCK_STREAM: socketpair, bytes without borders, ends, errors of calls out of order.
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "abi.h"

static volatile int g_sigpipe;

static void on_sigpipe(int signal) {
  (void)signal;
  g_sigpipe++;
}

static void creation(void) {
  int fds[2];
  FAILS(socket(AF_UNIX, SOCK_STREAM, 2), EPROTONOSUPPORT);
  FAILS(socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT);
  FAILS(socket(AF_UNIX, 77, 0), EINVAL);
  FAILS(socket(AF_UNIX, SOCK_STREAM | 0x10000, 0), EINVAL);
  FAILS(socket(-1, SOCK_STREAM, 0), EAFNOSUPPORT);
  FAILS(socket(45 + 1, SOCK_STREAM, 0), EAFNOSUPPORT);
  FAILS(socketpair(AF_UNIX, SOCK_STREAM, 0, (int*)8), EFAULT);
  OK(close(OK(socket(AF_UNIX, SOCK_STREAM, PF_UNIX))));
  int fd = OK(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK);
  OK(close(fd));
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  struct stat st;
  OK(fstat(fds[0], &st));
  CHECK(S_ISSOCK(st.st_mode));
  CHECK_EQ(st.st_size, 0);
  char path[64], link[64] = {0}, want[64];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
  OK(readlink(path, link, sizeof(link) - 1));
  snprintf(want, sizeof(want), "socket:[%llu]", (unsigned long long)st.st_ino);
  CHECK_STR(link, want);
  FAILS(open(path, O_RDWR), ENXIO);
  FAILS(lseek(fds[0], 0, SEEK_CUR), ESPIPE);
  FAILS(pread(fds[0], link, 1, 0), ESPIPE);
  FAILS(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fds[0], 0) == MAP_FAILED ? -1 : 0, ENODEV);
  FAILS(fsync(fds[0]), EINVAL);
  FAILS(ftruncate(fds[0], 0), EINVAL);
  FAILS(send(0x7fff, "x", 1, 0), EBADF);
  int file = OK(open("/", O_RDONLY));
  FAILS(send(file, "x", 1, 0), ENOTSOCK);
  FAILS(listen(file, 1), ENOTSOCK);
  OK(close(file));
  OK(close(fds[0]));
  OK(close(fds[1]));
}

static void bytes(void) {
  int fds[2], n;
  char buf[64];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  CHECK_EQ(write(fds[0], "abc", 3), 3);
  CHECK_EQ(send(fds[0], "defg", 4, 0), 4);
  OK(ioctl(fds[1], FIONREAD, &n));
  CHECK_EQ(n, 7);
  OK(ioctl(fds[0], TIOCOUTQ, &n));
  CHECK(n > 0);
  FAILS(ioctl(fds[0], TCGETS, buf), ENOTTY);
  // One read takes what several writes left.
  CHECK_EQ(recv(fds[1], buf, 2, MSG_PEEK), 2);
  CHECK_EQ(recv(fds[1], buf, sizeof(buf), MSG_PEEK), 7);
  CHECK_EQ(read(fds[1], buf, 5), 5);
  CHECK_EQ(memcmp(buf, "abcde", 5), 0);
  CHECK_EQ(read(fds[1], buf, sizeof(buf)), 2);
  CHECK_EQ(memcmp(buf, "fg", 2), 0);
  OK(ioctl(fds[0], TIOCOUTQ, &n));
  CHECK_EQ(n, 0);
  FAILS(recv(fds[1], buf, 1, MSG_DONTWAIT), EAGAIN);
  CHECK_EQ(read(fds[1], buf, 0), 0);
  CHECK_EQ(write(fds[1], buf, 0), 0);
  struct iovec iov[3] = {{"12", 2}, {"", 0}, {"345", 3}}, in[2] = {{buf, 4}, {buf + 10, 8}};
  CHECK_EQ(writev(fds[1], iov, 3), 5);
  CHECK_EQ(readv(fds[0], in, 2), 5);
  CHECK_EQ(memcmp(buf, "1234", 4), 0);
  CHECK_EQ(buf[10], '5');
  // Both ways at once.
  CHECK_EQ(write(fds[0], "x", 1), 1);
  CHECK_EQ(write(fds[1], "y", 1), 1);
  CHECK_EQ(read(fds[0], buf, 1), 1);
  CHECK_EQ(buf[0], 'y');
  CHECK_EQ(read(fds[1], buf, 1), 1);
  CHECK_EQ(buf[0], 'x');
  // Memory that cannot be read or written.
  FAILS(write(fds[0], (char*)8, 4), EFAULT);
  CHECK_EQ(write(fds[0], "keep", 4), 4);
  FAILS(read(fds[1], (char*)8, 4), EFAULT);
  CHECK_EQ(read(fds[1], buf, sizeof(buf)), 4);
  OK(close(fds[0]));
  OK(close(fds[1]));
}

static void ends(void) {
  int fds[2];
  char buf[16];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  CHECK_EQ(write(fds[0], "last", 4), 4);
  OK(close(fds[0]));
  CHECK_EQ(read(fds[1], buf, sizeof(buf)), 4);
  CHECK_EQ(read(fds[1], buf, sizeof(buf)), 0);
  CHECK_EQ(read(fds[1], buf, sizeof(buf)), 0);
  abi_handle(SIGPIPE, on_sigpipe, 0);
  FAILS(write(fds[1], "x", 1), EPIPE);
  CHECK_EQ(g_sigpipe, 1);
  FAILS(send(fds[1], "x", 1, 0), EPIPE);
  CHECK_EQ(g_sigpipe, 2);
  FAILS(send(fds[1], "x", 1, MSG_NOSIGNAL), EPIPE);
  CHECK_EQ(g_sigpipe, 2);
  OK(close(fds[1]));
  // Bytes that were never read: the other end hears of a reset, once.
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  CHECK_EQ(write(fds[0], "lost", 4), 4);
  OK(close(fds[1]));
  FAILS(read(fds[0], buf, sizeof(buf)), ECONNRESET);
  CHECK_EQ(read(fds[0], buf, sizeof(buf)), 0);
  OK(close(fds[0]));
}

static void out_of_order(void) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  socklen_t size = sizeof(a);
  char c;
  int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  FAILS(read(fd, &c, 1), EINVAL);
  FAILS(write(fd, &c, 1), ENOTCONN);
  FAILS(sendto(fd, &c, 1, 0, (struct sockaddr*)&a, sizeof(a)), EOPNOTSUPP);
  FAILS(getpeername(fd, (struct sockaddr*)&a, &size), ENOTCONN);
  OK(getsockname(fd, (struct sockaddr*)&a, &size));
  CHECK_EQ(size, 2);
  FAILS(listen(fd, 1), EINVAL);
  FAILS(accept(fd, NULL, NULL), EINVAL);
  FAILS(shutdown(fd, 3), EINVAL);
  FAILS(shutdown(fd, -1), EINVAL);
  OK(close(fd));
  int fds[2];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  FAILS(sendto(fds[0], &c, 1, 0, (struct sockaddr*)&a, sizeof(a)), EISCONN);
  FAILS(accept(fds[0], NULL, NULL), EINVAL);
  size = sizeof(a);
  OK(getpeername(fds[0], (struct sockaddr*)&a, &size));
  CHECK_EQ(size, 2);
  size = -1;
  FAILS(getpeername(fds[0], (struct sockaddr*)&a, &size), EINVAL);
  OK(close(fds[0]));
  OK(close(fds[1]));
}

int main(void) {
  creation();
  bytes();
  ends();
  out_of_order();
  return 0;
}
