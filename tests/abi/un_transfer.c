// Large transfers over AF_UNIX sockets: several processes, partial reads and writes, splice(2), sendfile(2).
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "abi.h"

enum { kTotal = 4 << 20 };

static unsigned char byte_at(size_t i) { return (unsigned char)(i * 7 + (i >> 9)); }

static void send_all(int fd, size_t step) {
  unsigned char* block = malloc(step);
  for (size_t at = 0; at < kTotal;) {
    size_t n = kTotal - at < step ? kTotal - at : step;
    for (size_t i = 0; i < n; i++) block[i] = byte_at(at + i);
    size_t sent = 0;
    while (sent < n) sent += OK(write(fd, block + sent, n - sent));
    CHECK_EQ(sent, n);
    at += n;
  }
  free(block);
}

static void receive_all(int fd, size_t step) {
  unsigned char* block = malloc(step);
  size_t at = 0;
  for (ssize_t n; (n = OK(read(fd, block, step))) > 0; at += n)
    for (ssize_t i = 0; i < n; i++)
      if (block[i] != byte_at(at + i)) FAIL("byte %zu differs", at + i);
  CHECK_EQ(at, kTotal);
  free(block);
}

static void one_way(size_t out, size_t in) {
  int fds[2];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  pid_t pid = FORK(OK(close(fds[1])); send_all(fds[0], out));
  OK(close(fds[0]));
  receive_all(fds[1], in);
  OK(close(fds[1]));
  WAIT_OK(pid);
}

// Bytes there and back through a child that only passes them on.
static void through(void) {
  int a[2], b[2];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, a));
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, b));
  pid_t middle = FORK({
    static char block[10000];
    OK(close(a[0]));
    OK(close(b[1]));
    for (ssize_t n; (n = OK(read(a[1], block, sizeof(block)))) > 0;) CHECK_EQ(write(b[0], block, n), n);
  });
  pid_t writer = FORK(OK(close(b[0])); OK(close(b[1])); OK(close(a[1])); send_all(a[0], 30000));
  OK(close(a[0]));
  OK(close(a[1]));
  OK(close(b[0]));
  receive_all(b[1], 5000);
  OK(close(b[1]));
  WAIT_OK(middle);
  WAIT_OK(writer);
}

// Records of several writers through one end: none is torn while it fits.
static void writers(void) {
  enum { kWriters = 4, kRecords = 200, kSize = 512 };
  int fds[2], counts[kWriters] = {0};
  pid_t pids[kWriters];
  OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds));
  for (int w = 0; w < kWriters; w++)
    pids[w] = FORK({
      char record[kSize];
      memset(record, 'a' + w, sizeof(record));
      for (int i = 0; i < kRecords; i++) CHECK_EQ(write(fds[0], record, kSize), kSize);
    });
  OK(close(fds[0]));
  char record[kSize + 1];
  for (ssize_t n; (n = OK(read(fds[1], record, sizeof(record)))) > 0;) {
    CHECK_EQ(n, kSize);
    for (int i = 1; i < kSize; i++) CHECK_EQ(record[i], record[0]);
    counts[record[0] - 'a']++;
  }
  for (int w = 0; w < kWriters; w++) {
    WAIT_OK(pids[w]);
    CHECK_EQ(counts[w], kRecords);
  }
  OK(close(fds[1]));
}

static void spliced(void) {
  int fds[2], p[2], file = OK(open("data", O_RDWR | O_CREAT, 0600));
  for (size_t at = 0; at < kTotal; at += 4096) {
    unsigned char block[4096];
    for (size_t i = 0; i < sizeof(block); i++) block[i] = byte_at(at + i);
    CHECK_EQ(write(file, block, sizeof(block)), sizeof(block));
  }
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  pid_t pid = FORK({
    OK(close(fds[1]));
    off_t at = 0;
    while (at < kTotal) CHECK(OK(sendfile(fds[0], file, &at, kTotal - at)) > 0);
  });
  OK(close(fds[0]));
  OK(pipe(p));
  pid_t mover = FORK({
    OK(close(p[0]));
    while (OK(splice(fds[1], NULL, p[1], NULL, 1 << 16, 0)) > 0) continue;
  });
  OK(close(p[1]));
  receive_all(p[0], 9999);
  WAIT_OK(pid);
  WAIT_OK(mover);
  OK(close(p[0]));
  OK(close(fds[1]));
  // Out of a pipe into a socket.
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  OK(pipe(p));
  CHECK_EQ(write(p[1], "through", 7), 7);
  CHECK_EQ(splice(p[0], NULL, fds[0], NULL, 100, 0), 7);
  char buf[16];
  CHECK_EQ(read(fds[1], buf, sizeof(buf)), 7);
  loff_t offset = 0;
  FAILS(splice(p[0], NULL, fds[0], &offset, 100, 0), EINVAL);
}

int main(void) {
  abi_scratch();
  one_way(1 << 20, 1 << 20);
  one_way(100000, 777);
  one_way(4096, 65536);
  through();
  writers();
  spliced();
  return 0;
}
