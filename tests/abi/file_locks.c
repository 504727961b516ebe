// flock(2), POSIX record locks and open file description locks: fcntl(2).
#include <sys/file.h>

#include "abi.h"

static struct flock range(int type, long start, long length) {
  return (struct flock){.l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
}

static int set(int fd, int command, int type, long start, long length) {
  struct flock lock = range(type, start, length);
  return fcntl(fd, command, &lock);
}

int main(void) {
  abi_scratch();
  atomic_int* word = abi_shared(4096);
  abi_put("f", "0123456789");
  int a = OK(open("f", O_RDWR)), b = OK(open("f", O_RDWR));

  // flock: of open files.
  OK(flock(a, LOCK_EX));
  FAILS(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  FAILS(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
  OK(flock(a, LOCK_SH));
  OK(flock(b, LOCK_SH | LOCK_NB));
  FAILS(flock(a, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  OK(flock(b, LOCK_UN));
  OK(flock(a, LOCK_EX | LOCK_NB));
  int copy = OK(dup(a));
  OK(flock(copy, LOCK_EX | LOCK_NB));  // the same open file
  OK(close(copy));
  FAILS(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  pid_t pid = FORK({
    atomic_store(word, 1);
    OK(flock(b, LOCK_EX));
    OK(flock(b, LOCK_UN));
  });
  abi_await(word, 1);
  abi_await_state(pid, 'S');
  OK(flock(a, LOCK_UN));
  WAIT_OK(pid);
  FAILS(flock(a, 0), EINVAL);
  FAILS(flock(999, LOCK_EX), EBADF);

  // Record locks: of processes, by ranges.
  OK(set(a, F_SETLK, F_WRLCK, 10, 10));
  OK(set(b, F_SETLK, F_WRLCK, 10, 10));  // the same process: no conflict
  IN_CHILD({
    int c = OK(open("f", O_RDWR));
    FAILS(set(c, F_SETLK, F_WRLCK, 15, 1), EAGAIN);
    FAILS(set(c, F_SETLK, F_RDLCK, 0, 0), EAGAIN);
    OK(set(c, F_SETLK, F_WRLCK, 20, 5));
    OK(set(c, F_SETLK, F_WRLCK, 0, 10));
    struct flock lock = range(F_WRLCK, 0, 100);
    OK(fcntl(c, F_GETLK, &lock));
    CHECK_EQ(lock.l_type, F_WRLCK);
    CHECK_EQ(lock.l_start, 10);
    CHECK_EQ(lock.l_len, 10);
    CHECK_EQ(lock.l_pid, getppid());
    CHECK_EQ(lock.l_whence, SEEK_SET);
    lock = range(F_RDLCK, 30, 5);
    OK(fcntl(c, F_GETLK, &lock));
    CHECK_EQ(lock.l_type, F_UNLCK);
  });
  OK(set(a, F_SETLK, F_WRLCK, 0, 40));
  OK(set(a, F_SETLK, F_UNLCK, 10, 10));  // a hole
  OK(set(a, F_SETLK, F_RDLCK, 30, 10));
  IN_CHILD({
    int c = OK(open("f", O_RDWR));
    OK(set(c, F_SETLK, F_WRLCK, 10, 10));
    FAILS(set(c, F_SETLK, F_WRLCK, 9, 1), EAGAIN);
    FAILS(set(c, F_SETLK, F_RDLCK, 29, 1), EAGAIN);
    OK(set(c, F_SETLK, F_RDLCK, 30, 1));
    FAILS(set(c, F_SETLK, F_WRLCK, 39, 1), EAGAIN);
  });
  // Waiting, and the detection of a circle.
  OK(set(a, F_SETLK, F_UNLCK, 0, 0));
  OK(set(a, F_SETLK, F_WRLCK, 0, 1));
  pid = FORK({
    int c = OK(open("f", O_RDWR));
    OK(set(c, F_SETLK, F_WRLCK, 1, 1));
    atomic_store(word, 2);
    OK(set(c, F_SETLKW, F_WRLCK, 0, 1));
  });
  abi_await(word, 2);
  abi_await_state(pid, 'S');
  FAILS(set(a, F_SETLKW, F_WRLCK, 1, 1), EDEADLK);
  OK(set(a, F_SETLK, F_UNLCK, 0, 1));
  WAIT_OK(pid);

  // Any close of the file loses them.
  OK(set(a, F_SETLK, F_WRLCK, 0, 0));
  OK(close(OK(open("f", O_RDONLY))));
  IN_CHILD(OK(set(OK(open("f", O_RDWR)), F_SETLK, F_WRLCK, 0, 0)));

  // Open file description locks keep.
  OK(set(a, F_OFD_SETLK, F_WRLCK, 0, 0));
  OK(close(OK(open("f", O_RDONLY))));
  FAILS(set(b, F_OFD_SETLK, F_WRLCK, 0, 0), EAGAIN);
  struct flock lock = range(F_WRLCK, 0, 0);
  OK(fcntl(b, F_OFD_GETLK, &lock));
  CHECK_EQ(lock.l_type, F_WRLCK);
  CHECK_EQ(lock.l_pid, -1);
  OK(close(a));
  OK(set(b, F_OFD_SETLK, F_WRLCK, 0, 0));

  int ro = OK(open("f", O_RDONLY)), wo = OK(open("f", O_WRONLY));
  FAILS(set(ro, F_SETLK, F_WRLCK, 0, 0), EBADF);
  FAILS(set(wo, F_SETLK, F_RDLCK, 0, 0), EBADF);
  FAILS(set(b, F_SETLK, 77, 0, 0), EINVAL);
  FAILS(set(b, F_SETLK, F_WRLCK, -1, 0), EINVAL);
  FAILS(set(b, F_SETLK, F_WRLCK, 5, -10), EINVAL);
  FAILS(fcntl(b, F_SETLK, (void*)8), EFAULT);
  return 0;
}
