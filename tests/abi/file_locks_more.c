// Record locks between several processes: splitting and joining ranges, who waits for whom, deadlocks,
// /proc/locks, and open file description locks beside them (fcntl(2)).
#include "abi.h"

static int g_file;

static struct flock range(short type, off_t start, off_t size) {
  return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = size};
}
static int set(int command, short type, off_t start, off_t size) {
  struct flock l = range(type, start, size);
  return fcntl(g_file, command, &l);
}

// What would stop another process that wants to write there.
static struct flock held(off_t start, off_t size) {
  struct flock* l = abi_shared(4096);
  IN_CHILD({
    *l = range(F_WRLCK, start, size);
    OK(fcntl(g_file, F_GETLK, l));
  });
  struct flock out = *l;
  OK(munmap(l, 4096));
  return out;
}

static void expect(off_t at, off_t start, off_t size, short type) {
  struct flock l = held(at, 1);
  CHECK_EQ(l.l_type, type);
  if (type == F_UNLCK) return;
  CHECK_EQ(l.l_start, start);
  CHECK_EQ(l.l_len, size);
  CHECK_EQ(l.l_pid, getpid());
  CHECK_EQ(l.l_whence, SEEK_SET);
}

static void ranges(void) {
  OK(set(F_SETLK, F_WRLCK, 0, 100));
  expect(50, 0, 100, F_WRLCK);
  OK(set(F_SETLK, F_UNLCK, 40, 20));  // a hole
  expect(39, 0, 40, F_WRLCK);
  expect(40, 0, 0, F_UNLCK);
  expect(59, 0, 0, F_UNLCK);
  expect(60, 60, 40, F_WRLCK);
  OK(set(F_SETLK, F_RDLCK, 10, 10));  // another kind in the midst
  expect(9, 0, 10, F_WRLCK);
  expect(10, 10, 10, F_RDLCK);
  expect(20, 20, 20, F_WRLCK);
  OK(set(F_SETLK, F_WRLCK, 0, 60));  // all one again, with its neighbour
  expect(99, 0, 100, F_WRLCK);
  OK(set(F_SETLK, F_RDLCK, 100, 0));  // to the end, wherever that is
  expect(1ll << 50, 100, 0, F_RDLCK);
  OK(set(F_SETLK, F_UNLCK, 0, 0));
  expect(5, 0, 0, F_UNLCK);
  // From the current place and backwards.
  OK(lseek(g_file, 500, SEEK_SET));
  struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_CUR, .l_start = 10, .l_len = -20};
  OK(fcntl(g_file, F_SETLK, &l));
  expect(490, 490, 20, F_WRLCK);
  expect(510, 0, 0, F_UNLCK);
  OK(set(F_SETLK, F_UNLCK, 0, 0));
  l = range(F_WRLCK, 5, -10);
  FAILS(fcntl(g_file, F_SETLK, &l), EINVAL);
  l = range(F_WRLCK, -1, 5);
  FAILS(fcntl(g_file, F_SETLK, &l), EINVAL);
  l = range(77, 0, 5);
  FAILS(fcntl(g_file, F_SETLK, &l), EINVAL);
  l = range(F_WRLCK, 1, 0x7fffffffffffffff);
  OK(fcntl(g_file, F_SETLK, &l));
  l = range(F_WRLCK, 2, 0x7fffffffffffffff);
  FAILS(fcntl(g_file, F_SETLK, &l), EOVERFLOW);
  FAILS(fcntl(g_file, F_SETLK, 8), EFAULT);
  OK(set(F_SETLK, F_UNLCK, 0, 0));
  int reader = OK(open("f", O_RDONLY));
  l = range(F_WRLCK, 0, 1);
  FAILS(fcntl(reader, F_SETLK, &l), EBADF);
  // Closing any descriptor of the file gives all of the process's locks up.
  OK(set(F_SETLK, F_WRLCK, 0, 1));
  expect(0, 0, 1, F_WRLCK);
  OK(close(reader));
  expect(0, 0, 0, F_UNLCK);
}

// A ring of processes, each holding one byte and asking for the next one's: somebody is told.
static void deadlocks(void) {
  enum { kRing = 3 };
  atomic_int* ready = abi_shared(4096);
  pid_t pids[kRing];
  for (int i = 0; i < kRing; i++)
    pids[i] = FORK({
      OK(set(F_SETLK, F_WRLCK, i, 1));
      atomic_fetch_add(ready, 1);
      abi_await(ready, kRing);
      int r = set(F_SETLKW, F_WRLCK, (i + 1) % kRing, 1);
      if (r == -1) CHECK_EQ(errno, EDEADLK);
      _exit(r == -1 ? 35 : 0);
    });
  int told = 0;
  for (int i = 0; i < kRing; i++) {
    int status = WAIT_STATUS(pids[i]);
    CHECK(WIFEXITED(status));
    told += WEXITSTATUS(status) == 35;
  }
  CHECK_EQ(told, 1);
}

static void on_signal(int signal) { (void)signal; }

static void waiting(void) {
  abi_handle(SIGUSR1, on_signal, 0);
  OK(set(F_SETLK, F_WRLCK, 0, 10));
  IN_CHILD(FAILS(set(F_SETLK, F_RDLCK, 5, 1), EAGAIN));
  pid_t pid = FORK(FAILS(set(F_SETLKW, F_WRLCK, 5, 1), EINTR));
  abi_await_state(pid, 'S');
  OK(kill(pid, SIGUSR1));
  WAIT_OK(pid);
  // Readers together, a writer after them.
  pid_t readers[3];
  for (int i = 0; i < 3; i++) readers[i] = FORK(OK(set(F_SETLKW, F_RDLCK, i, 4)));
  for (int i = 0; i < 3; i++) abi_await_state(readers[i], 'S');
  OK(set(F_SETLK, F_RDLCK, 0, 10));
  for (int i = 0; i < 3; i++) WAIT_OK(readers[i]);
  pid = FORK(OK(set(F_SETLKW, F_WRLCK, 0, 3)));
  abi_await_state(pid, 'S');
  OK(set(F_SETLK, F_UNLCK, 3, 7));
  abi_await_state(pid, 'S');
  // Both stand in /proc/locks, who waits behind an arrow.
  static char text[65536];
  char want[64];
  abi_get("/proc/locks", text, sizeof(text));
  snprintf(want, sizeof(want), " POSIX  ADVISORY  READ %d ", getpid());
  CHECK(strstr(text, want) != NULL);
  snprintf(want, sizeof(want), "-> POSIX  ADVISORY  WRITE %d ", pid);
  while (!strstr(text, want)) abi_get("/proc/locks", text, sizeof(text));
  OK(set(F_SETLK, F_UNLCK, 0, 3));
  WAIT_OK(pid);
  // The end of a process is the end of its locks.
  pid = FORK(OK(set(F_SETLK, F_WRLCK, 0, 0)); pause());
  while (held(0, 1).l_type == F_UNLCK) sched_yield();
  FAILS(set(F_SETLK, F_RDLCK, 0, 1), EAGAIN);
  OK(kill(pid, SIGKILL));
  OK(set(F_SETLKW, F_RDLCK, 0, 1));
  WAIT_SIGNAL(pid, SIGKILL);
  OK(set(F_SETLK, F_UNLCK, 0, 0));
}

static void descriptions(void) {
  int other = OK(open("f", O_RDWR));
  struct flock l = range(F_WRLCK, 0, 10);
  OK(fcntl(g_file, F_OFD_SETLK, &l));
  // Another description, even of the same process, meets it; the same one by another number does not.
  l = range(F_WRLCK, 5, 1);
  FAILS(fcntl(other, F_OFD_SETLK, &l), EAGAIN);
  l = range(F_RDLCK, 5, 1);
  OK(fcntl(other, F_OFD_GETLK, &l));
  CHECK_EQ(l.l_type, F_WRLCK);
  CHECK_EQ(l.l_pid, -1);
  int copy = OK(dup(g_file));
  l = range(F_RDLCK, 0, 10);
  OK(fcntl(copy, F_OFD_SETLK, &l));
  // Against the locks of processes it counts as well.
  l = range(F_WRLCK, 0, 1);
  FAILS(fcntl(other, F_SETLK, &l), EAGAIN);
  l = range(F_WRLCK, 0, 1), l.l_pid = 5;
  FAILS(fcntl(other, F_OFD_SETLK, &l), EINVAL);
  // A child has the description, hence the lock, and may give it up.
  IN_CHILD({
    l = range(F_UNLCK, 0, 0);
    OK(fcntl(g_file, F_OFD_SETLK, &l));
  });
  l = range(F_WRLCK, 0, 10);
  OK(fcntl(other, F_OFD_SETLK, &l));
  // It goes with the last descriptor, not before.
  int third = OK(dup(other));
  OK(close(other));
  l = range(F_WRLCK, 0, 10);
  FAILS(fcntl(g_file, F_OFD_SETLK, &l), EAGAIN);
  OK(close(third));
  OK(fcntl(g_file, F_OFD_SETLK, &l));
}

int main(void) {
  abi_scratch();
  g_file = OK(open("f", O_RDWR | O_CREAT, 0644));
  ranges();
  deadlocks();
  waiting();
  descriptions();
  return 0;
}
