// splice(2) and sendfile(2): what the other side does not take stays where it was.
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "abi.h"

static void nonblocking(int fd) { OK(fcntl(fd, F_SETFL, OK(fcntl(fd, F_GETFL)) | O_NONBLOCK)); }

static size_t fill(int fd) {
  static char block[4096];
  size_t n = 0;
  for (ssize_t w; (w = write(fd, block, sizeof(block))) > 0;) n += w;
  CHECK_EQ(errno, EAGAIN);
  return n;
}

static void drain(int fd, size_t n) {
  static char block[4096];
  while (n > 0) {
    ssize_t r = OK(read(fd, block, n < sizeof(block) ? n : sizeof(block)));
    CHECK(r > 0);
    n -= r;
  }
}

static void to_full_socket(void) {
  int p[2], s[2];
  OK(pipe(p));
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  nonblocking(s[0]);
  size_t held = fill(s[0]);
  CHECK_EQ(write(p[1], "precious", 8), 8);
  FAILS(splice(p[0], NULL, s[0], NULL, 100, 0), EAGAIN);
  FAILS(splice(p[0], NULL, s[0], NULL, 100, SPLICE_F_NONBLOCK), EAGAIN);
  char text[64] = "";
  drain(s[1], held);
  CHECK_EQ(splice(p[0], NULL, s[0], NULL, 100, 0), 8);
  CHECK_EQ(read(s[1], text, sizeof(text)), 8);
  CHECK_STR(text, "precious");
  OK(close(s[1]));
  abi_handle(SIGPIPE, SIG_IGN, 0);
  CHECK_EQ(write(p[1], "kept", 4), 4);
  FAILS(splice(p[0], NULL, s[0], NULL, 100, 0), EPIPE);
}

static void to_full_pipe(void) {
  int a[2], b[2];
  OK(pipe(a));
  OK(pipe2(b, O_NONBLOCK));
  size_t held = fill(b[1]);
  CHECK_EQ(write(a[1], "hello", 5), 5);
  FAILS(splice(a[0], NULL, b[1], NULL, 5, 0), EAGAIN);
  FAILS(splice(a[0], NULL, b[1], NULL, 5, SPLICE_F_NONBLOCK), EAGAIN);
  char text[16] = "";
  CHECK_EQ(read(a[0], text, 16), 5);
  CHECK_STR(text, "hello");
  drain(b[0], held);
  FAILS(splice(a[0], NULL, b[1], NULL, 5, SPLICE_F_NONBLOCK), EAGAIN);
  CHECK_EQ(write(a[1], "more than that", 14), 14);
  CHECK_EQ(splice(a[0], NULL, b[1], NULL, 4, 0), 4);
  CHECK_EQ(read(b[0], text, 16), 4);
  CHECK_EQ(memcmp(text, "more", 4), 0);
  CHECK_EQ(read(a[0], text, 16), 10);
  // Waits for its reader, without the flag.
  OK(fcntl(b[1], F_SETFL, O_WRONLY));
  OK(fcntl(b[0], F_SETFL, O_RDONLY));
  nonblocking(b[1]);
  held = fill(b[1]);
  OK(fcntl(b[1], F_SETFL, O_WRONLY));
  CHECK_EQ(write(a[1], "late", 4), 4);
  pid_t child = FORK(CHECK_EQ(splice(a[0], NULL, b[1], NULL, 4, 0), 4));
  abi_await_state(child, 'S');
  drain(b[0], held);
  WAIT_OK(child);
  CHECK_EQ(read(b[0], text, 16), 4);
  CHECK_EQ(memcmp(text, "late", 4), 0);
}

static void from_socket(void) {
  int p[2], s[2];
  OK(pipe2(p, O_NONBLOCK));
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  size_t held = fill(p[1]);
  CHECK_EQ(write(s[0], "stream", 6), 6);
  FAILS(splice(s[1], NULL, p[1], NULL, 100, SPLICE_F_NONBLOCK), EAGAIN);
  char text[16] = "";
  CHECK_EQ(recv(s[1], text, 16, MSG_PEEK), 6);
  drain(p[0], held);
  CHECK_EQ(splice(s[1], NULL, p[1], NULL, 100, 0), 6);
  CHECK_EQ(read(p[0], text, 16), 6);
  CHECK_STR(text, "stream");
}

static void files(void) {
  int p[2], s[2];
  OK(pipe(p));
  abi_put("file", "0123456789");
  int fd = OK(open("file", O_RDWR));
  loff_t at = 2;
  CHECK_EQ(splice(fd, &at, p[1], NULL, 5, 0), 5);
  CHECK_EQ(at, 7);
  at = 20;
  CHECK_EQ(splice(p[0], NULL, fd, &at, 100, 0), 5);
  CHECK_EQ(at, 25);
  char text[32] = "";
  CHECK_EQ(pread(fd, text, 32, 20), 5);
  CHECK_STR(text, "23456");
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
  OK(close(p[1]));
  CHECK_EQ(splice(p[0], NULL, fd, NULL, 100, 0), 0);
  // A file that a full socket does not take is read again.
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  nonblocking(s[0]);
  size_t held = fill(s[0]);
  FAILS(sendfile(s[0], fd, NULL, 10), EAGAIN);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
  drain(s[1], held);
  CHECK_EQ(sendfile(s[0], fd, NULL, 10), 10);
  CHECK_EQ(read(s[1], text, 32), 10);
  CHECK_EQ(memcmp(text, "0123456789", 10), 0);
}

// What an eventfd or a timerfd reads and writes is no stream of bytes.
static void no_streams(void) {
  int counter = OK(eventfd(1, EFD_NONBLOCK)), timer = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)), p[2];
  int fd = OK(memfd_create("bytes", 0));
  OK(pipe(p));
  CHECK_EQ(write(p[1], "12345678", 8), 8);
  CHECK_EQ(pwrite(fd, "12345678", 8, 0), 8);
  FAILS(sendfile(counter, fd, NULL, 8), EINVAL);
  FAILS(splice(p[0], NULL, counter, NULL, 8, 0), EINVAL);
  FAILS(sendfile(p[1], counter, NULL, 8), EINVAL);
  FAILS(splice(counter, NULL, p[1], NULL, 8, 0), EINVAL);
  FAILS(splice(timer, NULL, p[1], NULL, 8, 0), EINVAL);
}

int main(void) {
  abi_scratch();
  no_streams();
  to_full_socket();
  to_full_pipe();
  from_socket();
  files();
  return 0;
}
