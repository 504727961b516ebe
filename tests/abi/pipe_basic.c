// pipe(2), pipe(7): data, ends, capacity, atomic writes, blocking.
#include <poll.h>
#include <sys/ioctl.h>

#include "abi.h"

static volatile int g_sigpipe;

static void on_sigpipe(int signal) {
  (void)signal;
  g_sigpipe++;
}

static void capacity(void) {
  int fds[2];
  OK(pipe2(fds, O_NONBLOCK));
  CHECK_EQ(fcntl(fds[0], F_GETPIPE_SZ), 65536);
  char block[4096];
  memset(block, 'x', sizeof(block));
  for (int i = 0; i < 16; i++) CHECK_EQ(write(fds[1], block, 4096), 4096);
  FAILS(write(fds[1], block, 1), EAGAIN);
  // Room for a page is needed before an atomic write fits.
  CHECK_EQ(read(fds[0], block, 4095), 4095);
  struct pollfd poll_fd = {.fd = fds[1], .events = POLLOUT};
  CHECK_EQ(poll(&poll_fd, 1, 0), 0);
  CHECK_EQ(read(fds[0], block, 1), 1);
  CHECK_EQ(poll(&poll_fd, 1, 0), 1);
  CHECK_EQ(write(fds[1], block, 4096), 4096);
  int have = 0;
  OK(ioctl(fds[0], FIONREAD, &have));
  CHECK_EQ(have, 65536);
  // A larger write is partial.
  CHECK_EQ(read(fds[0], block, 4096), 4096);
  char large[20000] = {0};
  CHECK_EQ(write(fds[1], large, sizeof(large)), 4096);

  CHECK_EQ(fcntl(fds[0], F_SETPIPE_SZ, 100000), 131072);
  CHECK_EQ(fcntl(fds[1], F_GETPIPE_SZ), 131072);
  CHECK_EQ(write(fds[1], large, sizeof(large)), sizeof(large));
  FAILS(fcntl(fds[0], F_SETPIPE_SZ, 4096), EBUSY);
  FAILS(fcntl(fds[0], F_SETPIPE_SZ, -1), EINVAL);
  CHECK_EQ(fcntl(OK(dup(fds[0])), F_GETPIPE_SZ), 131072);
  OK(pipe(fds));
  CHECK_EQ(fcntl(fds[0], F_SETPIPE_SZ, 1), 4096);
}

static void ends(void) {
  int fds[2];
  char c[16];
  OK(pipe(fds));
  CHECK_EQ(write(fds[1], "abc", 3), 3);
  CHECK_EQ(write(fds[1], "def", 3), 3);
  CHECK_EQ(read(fds[0], c, 4), 4);
  CHECK_EQ(memcmp(c, "abcd", 4), 0);
  FAILS(write(fds[0], "x", 1), EBADF);
  FAILS(read(fds[1], c, 1), EBADF);
  OK(close(fds[1]));
  CHECK_EQ(read(fds[0], c, 16), 2);
  CHECK_EQ(read(fds[0], c, 16), 0);
  CHECK_EQ(read(fds[0], c, 0), 0);
  OK(close(fds[0]));

  OK(pipe(fds));
  OK(close(fds[0]));
  WAIT_SIGNAL(FORK(write(fds[1], "x", 1)), SIGPIPE);
  abi_handle(SIGPIPE, on_sigpipe, 0);
  FAILS(write(fds[1], "x", 1), EPIPE);
  CHECK_EQ(g_sigpipe, 1);
  CHECK_EQ(write(fds[1], "x", 0), 0);
  abi_handle(SIGPIPE, SIG_IGN, 0);
  FAILS(write(fds[1], "x", 1), EPIPE);
  struct pollfd poll_fd = {.fd = fds[1], .events = POLLOUT};
  CHECK_EQ(poll(&poll_fd, 1, -1), 1);
  CHECK(poll_fd.revents & POLLERR);
}

// Writes up to PIPE_BUF are never mixed; larger ones lose nothing.
static void atomicity(void) {
  int fds[2];
  OK(pipe(fds));
  pid_t writers[3];
  for (int w = 0; w < 3; w++) {
    writers[w] = FORK({
      char record[1000];
      memset(record, 'a' + w, sizeof(record));
      for (int i = 0; i < 100; i++) CHECK_EQ(write(fds[1], record, sizeof(record)), sizeof(record));
    });
  }
  OK(close(fds[1]));
  char record[1000];
  int counts[3] = {0};
  for (int i = 0; i < 300; i++) {
    for (ssize_t have = 0; have < 1000;) {
      ssize_t n = OK(read(fds[0], record + have, 1000 - have));
      CHECK(n > 0);
      have += n;
    }
    for (int k = 1; k < 1000; k++) CHECK_EQ(record[k], record[0]);
    counts[record[0] - 'a']++;
  }
  CHECK_EQ(read(fds[0], record, 1), 0);
  for (int w = 0; w < 3; w++) {
    CHECK_EQ(counts[w], 100);
    WAIT_OK(writers[w]);
  }
  // A write of more than fits waits for readers; one read can take what many wrote.
  OK(pipe(fds));
  static char big[300000], got[300000];
  for (size_t i = 0; i < sizeof(big); i++) big[i] = (char)(i * 7 >> 3);
  pid_t pid = FORK(CHECK_EQ(write(fds[1], big, sizeof(big)), sizeof(big)));
  OK(close(fds[1]));
  size_t have = 0;
  for (ssize_t n; (n = OK(read(fds[0], got + have, sizeof(got) - have))) > 0;) have += n;
  CHECK_EQ(have, sizeof(big));
  CHECK_EQ(memcmp(big, got, sizeof(big)), 0);
  WAIT_OK(pid);
}

int main(void) {
  capacity();
  ends();
  atomicity();
  // A blocked reader wakes at the end of the last writer; a blocked writer at that of the last reader.
  int fds[2];
  OK(pipe(fds));
  pid_t pid = FORK(OK(close(fds[1])); char c; CHECK_EQ(read(fds[0], &c, 1), 0));
  abi_await_state(pid, 'S');
  OK(close(fds[1]));
  WAIT_OK(pid);
  OK(close(fds[0]));
  OK(pipe(fds));
  pid = FORK({
    OK(close(fds[0]));
    static char big[100000];
    CHECK_EQ(write(fds[1], big, sizeof(big)), 65536);  // what went through
    FAILS(write(fds[1], big, 1), EPIPE);
  });
  abi_await_state(pid, 'S');
  OK(close(fds[0]));
  WAIT_OK(pid);
  return 0;
}
