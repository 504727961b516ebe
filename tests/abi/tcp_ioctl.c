// tcp(7), "Ioctls", and timeouts of socket(7).
#include <linux/sockios.h>
#include <sys/sendfile.h>
#include <sys/time.h>

#include "tcp.h"

static int count(int fd, unsigned long request) {
  int n = -1;
  OK(ioctl(fd, request, &n));
  return n;
}

static void counts(int family) {
  int server = listener(family, 1), n;
  FAILS(ioctl(server, SIOCINQ, &n), EINVAL);
  FAILS(ioctl(server, SIOCOUTQ, &n), EINVAL);
  int fd = tcp_socket(family);
  CHECK_EQ(count(fd, SIOCINQ), 0);
  CHECK_EQ(count(fd, SIOCOUTQ), 0);
  OK(close(fd));
  fd = client_of(server, family);
  int peer = OK(accept(server, NULL, NULL));
  CHECK_EQ(count(fd, SIOCOUTQ), 0);
  send_all(fd, "0123456789");
  await(peer, POLLIN);
  CHECK_EQ(count(peer, SIOCINQ), 10);
  for (int i = 0; count(fd, SIOCOUTQ) != 0 && i < 10000; ++i) usleep(1000);
  CHECK_EQ(count(fd, SIOCOUTQ), 0);
  CHECK_EQ(count(fd, SIOCOUTQNSD), 0);
  FAILS(ioctl(fd, SIOCINQ, (void*)8), EFAULT);
  FAILS(ioctl(fd, 0x5401, &n), ENOTTY);
  OK(shutdown(fd, SHUT_WR));
  await(peer, POLLRDHUP);
  CHECK_EQ(count(peer, SIOCINQ), 10);  // the FIN is no byte
  OK(close(fd));
  OK(close(peer));
  OK(close(server));
}

static long ms_now(void) {
  struct timespec t;
  OK(clock_gettime(CLOCK_MONOTONIC, &t));
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void on_alarm(int signal) { (void)signal; }

static void timeouts(int family) {
  int fds[2];
  char c;
  static char block[100000];
  struct timeval limit = {0, 100000};
  tcp_pair(family, fds);
  OK(setsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
  long start = ms_now();
  FAILS(recv(fds[1], &c, 1, 0), EAGAIN);
  CHECK(ms_now() - start >= 90);
  send_all(fds[0], "ab");
  CHECK_EQ(recv(fds[1], block, 5, MSG_WAITALL), 2);
  OK(setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)));
  long sent = 0, n;
  do {
    n = send(fds[0], block, sizeof(block), 0);
    if (n > 0) sent += n;
  } while (n == (long)sizeof(block));
  if (n == -1) CHECK_EQ(errno, EAGAIN);
  CHECK(sent > 0);
  close_pair(fds);
  // A signal ends a wait.
  tcp_pair(family, fds);
  struct sigaction action = {.sa_handler = on_alarm};
  OK(sigaction(SIGALRM, &action, NULL));
  struct itimerval soon = {{0, 20000}, {0, 20000}}, never = {{0, 0}, {0, 0}};
  OK(setitimer(ITIMER_REAL, &soon, NULL));
  FAILS(recv(fds[1], &c, 1, 0), EINTR);
  OK(setitimer(ITIMER_REAL, &never, NULL));
  close_pair(fds);
}

static void from_file(int family) {
  int fds[2], pipes[2];
  static char block[50000], got[50000];
  abi_scratch();
  for (size_t i = 0; i < sizeof(block); ++i) block[i] = (char)(i * 31 + (i >> 8));
  int file = OK(open("data", O_CREAT | O_RDWR, 0600));
  CHECK_EQ(write(file, block, sizeof(block)), sizeof(block));
  tcp_pair(family, fds);
  off_t at = 0;
  CHECK_EQ(sendfile(fds[0], file, &at, sizeof(block)), sizeof(block));
  CHECK_EQ(at, sizeof(block));
  CHECK_EQ(recv(fds[1], got, sizeof(got), MSG_WAITALL), sizeof(got));
  CHECK_EQ(memcmp(block, got, sizeof(got)), 0);
  OK(pipe(pipes));
  CHECK_EQ(write(pipes[1], block, 5000), 5000);
  CHECK_EQ(splice(pipes[0], NULL, fds[0], NULL, 5000, 0), 5000);
  await(fds[1], POLLIN);
  memset(got, 0, sizeof(got));
  for (long moved = 0; moved < 5000;)
    moved += OK(splice(fds[1], NULL, pipes[1], NULL, (size_t)(5000 - moved), 0));
  CHECK_EQ(read(pipes[0], got, 5000), 5000);
  CHECK_EQ(memcmp(block, got, 5000), 0);
  OK(close(pipes[0]));
  OK(close(pipes[1]));
  OK(close(file));
  close_pair(fds);
}

int main(void) {
  EACH_FAMILY(family) {
    counts((int)family);
    timeouts((int)family);
    from_file((int)family);
  }
  return 0;
}
