// unix(7), SCM_RIGHTS: open files travel; borders, limits, what does not fit.
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "abi.h"

union control {
  char bytes[CMSG_SPACE(254 * sizeof(int))];
  struct cmsghdr align;
};

static ssize_t send_fds(int to, const char* text, size_t size, const int* fds, int count) {
  union control c = {0};
  struct iovec iov = {(char*)text, size};
  struct msghdr m = {
      .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
  struct cmsghdr* h = CMSG_FIRSTHDR(&m);
  h->cmsg_level = SOL_SOCKET;
  h->cmsg_type = SCM_RIGHTS;
  h->cmsg_len = CMSG_LEN(count * sizeof(int));
  memcpy(CMSG_DATA(h), fds, count * sizeof(int));
  return sendmsg(to, &m, 0);
}

// Receives with room for `count` descriptors; how many came.
static int receive_fds(int from, char* text, size_t size, int* fds, int count, int flags, int* out_flags,
                       ssize_t* bytes) {
  union control c = {0};
  struct iovec iov = {text, size};
  struct msghdr m = {.msg_iov = &iov,
                     .msg_iovlen = 1,
                     .msg_control = &c,
                     .msg_controllen = count ? CMSG_LEN(count * sizeof(int)) : 0};
  *bytes = OK(recvmsg(from, &m, flags));
  *out_flags = m.msg_flags;
  struct cmsghdr* h = CMSG_FIRSTHDR(&m);
  if (m.msg_controllen == 0) return 0;
  CHECK_EQ(h->cmsg_level, SOL_SOCKET);
  CHECK_EQ(h->cmsg_type, SCM_RIGHTS);
  int n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  memcpy(fds, CMSG_DATA(h), n * sizeof(int));
  return n;
}

static void one_file(void) {
  int fds[2], got[4], flags;
  ssize_t n;
  char buf[64];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  abi_put("file", "0123456789");
  int file = OK(open("file", O_RDONLY));
  CHECK_EQ(read(file, buf, 2), 2);
  CHECK_EQ(send_fds(fds[0], "f", 1, &file, 1), 1);
  OK(close(file));
  CHECK_EQ(receive_fds(fds[1], buf, sizeof(buf), got, 4, 0, &flags, &n), 1);
  CHECK_EQ(n, 1);
  CHECK_EQ(flags, 0);
  // The same open file: its position came along; the lowest number.
  CHECK_EQ(got[0], file);
  CHECK_EQ(fcntl(got[0], F_GETFD), 0);
  CHECK_EQ(read(got[0], buf, 2), 2);
  CHECK_EQ(memcmp(buf, "23", 2), 0);
  // Two names of one description, close-on-exec for what arrives.
  int both[2] = {got[0], got[0]}, pair[2];
  CHECK_EQ(send_fds(fds[0], "ff", 2, both, 2), 2);
  CHECK_EQ(receive_fds(fds[1], buf, sizeof(buf), pair, 4, MSG_CMSG_CLOEXEC, &flags, &n), 2);
  CHECK_EQ(flags, MSG_CMSG_CLOEXEC);
  CHECK_EQ(fcntl(pair[0], F_GETFD), FD_CLOEXEC);
  CHECK_EQ(read(pair[0], buf, 1), 1);
  CHECK_EQ(read(pair[1], buf, 1), 1);
  CHECK_EQ(buf[0], '5');
  // Descriptors of places.
  int place = OK(open("file", O_PATH));
  CHECK_EQ(send_fds(fds[0], "p", 1, &place, 1), 1);
  CHECK_EQ(receive_fds(fds[1], buf, 1, pair, 4, 0, &flags, &n), 1);
  CHECK(fcntl(pair[0], F_GETFL) & O_PATH);
  // In another process.
  int pipes[2];
  OK(pipe(pipes));
  CHECK_EQ(send_fds(fds[0], "w", 1, &pipes[1], 1), 1);
  OK(close(pipes[1]));
  IN_CHILD({
    int w;
    CHECK_EQ(receive_fds(fds[1], buf, 1, &w, 1, 0, &flags, &n), 1);
    CHECK_EQ(write(w, "hello", 5), 5);
  });
  CHECK_EQ(read(pipes[0], buf, sizeof(buf)), 5);
  CHECK_EQ(read(pipes[0], buf, sizeof(buf)), 0);
  for (int i = 0; i < 2; i++) OK(close(fds[i]));
}

static void borders(void) {
  int fds[2], got[4], flags, zero = OK(open("/dev/zero", O_RDONLY));
  ssize_t n;
  char buf[64];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  // A read goes up to the end of the bytes that files came with, not on.
  CHECK_EQ(write(fds[0], "aa", 2), 2);
  CHECK_EQ(send_fds(fds[0], "bb", 2, &zero, 1), 2);
  CHECK_EQ(write(fds[0], "cc", 2), 2);
  CHECK_EQ(receive_fds(fds[1], buf, sizeof(buf), got, 4, 0, &flags, &n), 1);
  CHECK_EQ(n, 4);
  OK(close(got[0]));
  CHECK_EQ(receive_fds(fds[1], buf, sizeof(buf), got, 4, 0, &flags, &n), 0);
  CHECK_EQ(n, 2);
  // The files come with the first byte.
  CHECK_EQ(send_fds(fds[0], "long", 4, &zero, 1), 4);
  CHECK_EQ(receive_fds(fds[1], buf, 1, got, 4, 0, &flags, &n), 1);
  OK(close(got[0]));
  CHECK_EQ(receive_fds(fds[1], buf, sizeof(buf), got, 4, 0, &flags, &n), 0);
  CHECK_EQ(n, 3);
  // A peek gives files too, each time others.
  CHECK_EQ(send_fds(fds[0], "p", 1, &zero, 1), 1);
  CHECK_EQ(receive_fds(fds[1], buf, sizeof(buf), got, 4, MSG_PEEK, &flags, &n), 1);
  CHECK_EQ(receive_fds(fds[1], buf, sizeof(buf), got + 1, 3, 0, &flags, &n), 1);
  CHECK(got[0] != got[1]);
  OK(close(got[0]));
  OK(close(got[1]));
  // Whoever does not ask loses them.
  int lowest = OK(dup(0));
  OK(close(lowest));
  CHECK_EQ(send_fds(fds[0], "x", 1, &zero, 1), 1);
  CHECK_EQ(read(fds[1], buf, 1), 1);
  CHECK_EQ(send_fds(fds[0], "x", 1, &zero, 1), 1);
  CHECK_EQ(receive_fds(fds[1], buf, 1, got, 0, 0, &flags, &n), 0);
  CHECK_EQ(flags, MSG_CTRUNC);
  // Room for some.
  int three[3] = {zero, zero, zero};
  CHECK_EQ(send_fds(fds[0], "x", 1, three, 3), 1);
  CHECK_EQ(receive_fds(fds[1], buf, 1, got, 2, 0, &flags, &n), 2);
  CHECK_EQ(flags, MSG_CTRUNC);
  CHECK_EQ(got[0], lowest);
  OK(close(got[0]));
  OK(close(got[1]));
  CHECK_EQ(OK(dup(0)), lowest);
  OK(close(lowest));
  for (int i = 0; i < 2; i++) OK(close(fds[i]));
  OK(close(zero));
}

static void limits(void) {
  int fds[2], many[254], got[253], flags;
  ssize_t n;
  char c;
  OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
  for (int i = 0; i < 254; i++) many[i] = 0;
  FAILS(send_fds(fds[0], "x", 1, many, 254), EINVAL);
  CHECK_EQ(send_fds(fds[0], "x", 1, many, 253), 1);
  CHECK_EQ(receive_fds(fds[1], &c, 1, got, 253, 0, &flags, &n), 253);
  CHECK_EQ(flags, 0);
  for (int i = 0; i < 253; i++) OK(close(got[i]));
  int bad = 0x7ffffff;
  FAILS(send_fds(fds[0], "x", 1, &bad, 1), EBADF);
  bad = -1;
  FAILS(send_fds(fds[0], "x", 1, &bad, 1), EBADF);
  // Files on an empty datagram.
  CHECK_EQ(send_fds(fds[0], "", 0, many, 1), 0);
  CHECK_EQ(receive_fds(fds[1], &c, 1, got, 4, 0, &flags, &n), 1);
  CHECK_EQ(n, 0);
  OK(close(got[0]));
  // No number left for a part of them.
  struct rlimit {
    unsigned long soft, hard;
  } old, few;
  OK(syscall(SYS_getrlimit, 7, &old));
  int next = OK(dup(0));
  OK(close(next));
  few.soft = next + 2;
  few.hard = old.hard;
  CHECK_EQ(send_fds(fds[0], "x", 1, many, 5), 1);
  OK(syscall(SYS_setrlimit, 7, &few));
  CHECK_EQ(receive_fds(fds[1], &c, 1, got, 5, 0, &flags, &n), 2);
  CHECK_EQ(flags, MSG_CTRUNC);
  OK(syscall(SYS_setrlimit, 7, &old));
  OK(close(got[0]));
  OK(close(got[1]));
  for (int i = 0; i < 2; i++) OK(close(fds[i]));
}

static void wrong_headers(void) {
  int fds[2];
  union control c = {0};
  struct iovec iov = {"x", 1};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = CMSG_SPACE(4)};
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  c.align.cmsg_level = SOL_SOCKET;
  c.align.cmsg_type = SCM_RIGHTS;
  c.align.cmsg_len = 3;
  FAILS(sendmsg(fds[0], &m, 0), EINVAL);
  c.align.cmsg_len = CMSG_LEN(4) + 100;
  FAILS(sendmsg(fds[0], &m, 0), EINVAL);
  c.align.cmsg_len = -1;
  FAILS(sendmsg(fds[0], &m, 0), EINVAL);
  c.align.cmsg_len = CMSG_LEN(4);
  c.align.cmsg_type = 77;
  FAILS(sendmsg(fds[0], &m, 0), EINVAL);
  c.align.cmsg_level = 77;
  CHECK_EQ(sendmsg(fds[0], &m, 0), 1);  // not for us
  m.msg_controllen = 0x80000000;
  FAILS(sendmsg(fds[0], &m, 0), ENOBUFS);
  m.msg_controllen = CMSG_SPACE(4);
  m.msg_control = (void*)8;
  FAILS(sendmsg(fds[0], &m, 0), EFAULT);
  m.msg_control = NULL;
  m.msg_controllen = 0;
  m.msg_iovlen = 1025;
  FAILS(sendmsg(fds[0], &m, 0), EMSGSIZE);
  FAILS(recvmsg(fds[0], &m, 0), EMSGSIZE);
  m.msg_iovlen = 1;
  m.msg_name = &c;
  m.msg_namelen = -1;
  FAILS(sendmsg(fds[0], &m, 0), EINVAL);
  FAILS(recvmsg(fds[0], &m, 0), EINVAL);
  FAILS(sendmsg(fds[0], (void*)8, 0), EFAULT);
  FAILS(recvmsg(fds[0], (void*)8, 0), EFAULT);
  for (int i = 0; i < 2; i++) OK(close(fds[i]));
}

int main(void) {
  abi_scratch();
  one_file();
  borders();
  limits();
  wrong_headers();
  return 0;
}
