// tcp(7): bytes in order, however they were written; MSG_PEEK, MSG_WAITALL, MSG_TRUNC, MSG_DONTWAIT.
#include <sys/uio.h>

#include "tcp.h"

static void small(int family) {
  int fds[2], n;
  char buf[64];
  tcp_pair(family, fds);
  send_all(fds[0], "abc");
  send_all(fds[0], "defg");
  while (OK(ioctl(fds[1], FIONREAD, &n)), n < 7) sched_yield();
  CHECK_EQ(n, 7);
  CHECK_EQ(recv(fds[1], buf, 2, MSG_PEEK), 2);
  CHECK_EQ(recv(fds[1], buf, sizeof(buf), MSG_PEEK), 7);
  CHECK_EQ(read(fds[1], buf, 5), 5);
  CHECK_EQ(memcmp(buf, "abcde", 5), 0);
  CHECK_EQ(read(fds[1], buf, sizeof(buf)), 2);
  FAILS(recv(fds[1], buf, 1, MSG_DONTWAIT), EAGAIN);
  CHECK_EQ(read(fds[1], buf, 0), 0);
  CHECK_EQ(write(fds[1], buf, 0), 0);
  struct iovec iov[3] = {{"12", 2}, {"", 0}, {"345", 3}}, in[2] = {{buf, 4}, {buf + 10, 8}};
  CHECK_EQ(writev(fds[1], iov, 3), 5);
  await(fds[0], POLLIN);
  CHECK_EQ(readv(fds[0], in, 2), 5);
  CHECK_EQ(memcmp(buf, "1234", 4), 0);
  CHECK_EQ(buf[10], '5');
  send_all(fds[0], "discarded");
  await(fds[1], POLLIN);
  CHECK_EQ(recv(fds[1], NULL, 7, MSG_TRUNC), 7);
  expect(fds[1], "ed");
  struct msghdr m = {.msg_iov = in, .msg_iovlen = 2, .msg_name = buf, .msg_namelen = 16};
  send_all(fds[0], "name");
  await(fds[1], POLLIN);
  CHECK_EQ(recvmsg(fds[1], &m, 0), 4);
  CHECK_EQ(m.msg_namelen, 0);
  CHECK_EQ(m.msg_flags, 0);
  FAILS(send(fds[0], (void*)8, 4, 0), EFAULT);
  send_all(fds[0], "still");
  FAILS(recv(fds[1], (void*)8, 4, 0), EFAULT);
  expect(fds[1], "still");
  // An address is not asked for, and does not hurt.
  struct Address a = loopback(family, 1);
  CHECK_EQ(sendto(fds[0], "to", 2, 0, &a.any, a.size), 2);
  expect(fds[1], "to");
  close_pair(fds);
}

struct bulk {
  int fd;
  size_t size, step;
};

static unsigned char byte_at(size_t i) { return (unsigned char)(i * 7 + (i >> 8) * 13 + (i >> 16)); }

static void* writer(void* argument) {
  struct bulk* b = argument;
  unsigned char* buf = malloc(b->step);
  for (size_t done = 0; done < b->size;) {
    size_t n = b->step < b->size - done ? b->step : b->size - done;
    for (size_t i = 0; i < n; ++i) buf[i] = byte_at(done + i);
    CHECK_EQ(write(b->fd, buf, n), n);  // all of it: the descriptor waits
    done += n;
  }
  OK(shutdown(b->fd, SHUT_WR));
  free(buf);
  return NULL;
}

static void bulk(int family, size_t size, size_t out, size_t in) {
  int fds[2];
  tcp_pair(family, fds);
  pthread_t thread;
  struct bulk b = {fds[0], size, out};
  ZERO(pthread_create(&thread, NULL, writer, &b));
  unsigned char* buf = malloc(in);
  size_t done = 0;
  for (;;) {
    ssize_t n = OK(read(fds[1], buf, in));
    if (n == 0) break;
    for (ssize_t i = 0; i < n; ++i)
      if (buf[i] != byte_at(done + (size_t)i)) FAIL("byte %zu is wrong", done + (size_t)i);
    done += (size_t)n;
  }
  CHECK_EQ(done, size);
  ZERO(pthread_join(thread, NULL));
  free(buf);
  close_pair(fds);
}

static void* late_writer(void* argument) {
  int fd = *(int*)argument;
  for (int i = 0; i < 5; ++i) {
    send_all(fd, "12345");
    usleep(1000);
  }
  return NULL;
}

static void all_of_it(int family) {
  int fds[2];
  char buf[32] = {0};
  tcp_pair(family, fds);
  pthread_t thread;
  ZERO(pthread_create(&thread, NULL, late_writer, &fds[0]));
  CHECK_EQ(recv(fds[1], buf, 25, MSG_WAITALL | MSG_PEEK), 25);
  CHECK_EQ(recv(fds[1], buf, 25, MSG_WAITALL), 25);
  ZERO(pthread_join(thread, NULL));
  CHECK_STR(buf, "1234512345123451234512345");
  send_all(fds[0], "end");
  OK(close(fds[0]));
  CHECK_EQ(recv(fds[1], buf, 25, MSG_WAITALL), 3);
  CHECK_EQ(recv(fds[1], buf, 25, MSG_WAITALL), 0);
  OK(close(fds[1]));
}

int main(void) {
  EACH_FAMILY(family) {
    small((int)family);
    all_of_it((int)family);
    bulk((int)family, 3000000, 100000, 4096);
    bulk((int)family, 300000, 77, 100000);
    bulk((int)family, 8000000, 1000000, 1000000);
  }
  return 0;
}
