// close_range(2): closing, close-on-exec, and CLOSE_RANGE_UNSHARE where the table is shared with a thread.
#include "abi.h"

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2
#define CLOSE_RANGE_CLOEXEC 4
#endif

static atomic_int g_step;

static long range(unsigned first, unsigned last, unsigned flags) {
  return syscall(SYS_close_range, first, last, flags);
}

static bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

static void open_at(int first, int last) {
  int null = OK(open("/dev/null", O_RDWR));
  for (int fd = first; fd <= last; fd++) OK(dup2(null, fd));
  OK(close(null));
}

static void plain(void) {
  open_at(50, 60);
  OK(close(55));
  OK(range(52, 58, 0));  // a gap is no error
  for (int fd = 50; fd <= 60; fd++) CHECK_EQ(is_open(fd), fd < 52 || fd > 58);
  OK(range(52, 58, 0));
  OK(range(60, 60, 0));
  CHECK(!is_open(60));
  OK(range(50, ~0u, 0));
  CHECK(!is_open(50) && !is_open(51) && !is_open(59));
  CHECK(is_open(2));
  FAILS(range(10, 9, 0), EINVAL);
  FAILS(range(10, 20, 1), EINVAL);
  FAILS(range(10, 20, 8), EINVAL);
  OK(range(0x80000000u, ~0u, 0));
  CHECK_EQ(open("/dev/null", O_RDONLY), 3);  // the lowest free one is known again
  OK(close(3));
}

static void on_exec(void) {
  open_at(40, 44);
  OK(range(41, 43, CLOSE_RANGE_CLOEXEC));
  for (int fd = 40; fd <= 44; fd++) CHECK_EQ(fcntl(fd, F_GETFD), fd > 40 && fd < 44 ? FD_CLOEXEC : 0);
  IN_CHILD({
    execl("/bin/sh", "sh", "-c",
          "[ -e /proc/self/fd/40 ] && ! [ -e /proc/self/fd/42 ] && [ -e /proc/self/fd/44 ]", NULL);
    _exit(9);
  });
  OK(range(40, 44, 0));
}

static void* unshares(void* arg) {
  (void)arg;
  // This thread leaves the common table; what it closes is open for the other.
  OK(range(70, 79, CLOSE_RANGE_UNSHARE));
  for (int fd = 70; fd < 80; fd++) CHECK(!is_open(fd));
  CHECK(is_open(80));
  int fd = OK(open("/dev/null", O_RDONLY));
  CHECK(fd < 70);
  OK(dup2(fd, 75));
  atomic_store(&g_step, fd);
  abi_await(&g_step, -1);
  OK(close(80));
  return NULL;
}

static void* marks(void* arg) {
  (void)arg;
  OK(range(70, 79, CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC));
  CHECK_EQ(fcntl(70, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(fcntl(80, F_GETFD), 0);
  return NULL;
}

static void shared(void) {
  open_at(70, 80);
  pthread_t t;
  ZERO(pthread_create(&t, NULL, unshares, NULL));
  while (atomic_load(&g_step) <= 0) sched_yield();
  CHECK(is_open(70) && is_open(79) && is_open(80));
  CHECK(!is_open(atomic_load(&g_step)));  // opened in the other table
  CHECK_EQ(fcntl(75, F_GETFL) & O_ACCMODE, O_RDWR);
  atomic_store(&g_step, -1);
  ZERO(pthread_join(t, NULL));
  CHECK(is_open(80));
  ZERO(pthread_create(&t, NULL, marks, NULL));
  ZERO(pthread_join(t, NULL));
  CHECK_EQ(fcntl(70, F_GETFD), 0);
  // Without another user there is nothing to leave.
  OK(range(70, 80, CLOSE_RANGE_UNSHARE));
  CHECK(!is_open(70) && !is_open(80));
}

// Locks and pipes notice: closing is closing.
static void effects(void) {
  int fds[2];
  OK(pipe(fds));
  OK(dup2(fds[1], 90));
  OK(close(fds[1]));
  OK(range(90, 90, 0));
  char c;
  CHECK_EQ(read(fds[0], &c, 1), 0);
  OK(close(fds[0]));
}

int main(void) {
  OK(range(3, ~0u, 0));
  plain();
  on_exec();
  shared();
  effects();
  return 0;
}
