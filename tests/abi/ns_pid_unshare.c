// unshare(2) and setns(2) with PID namespaces: they are for children; ioctl_ns(2) on them.
#include <linux/nsfs.h>
#include <sys/ioctl.h>

#include "abi.h"

static ino_t number(const char* path) {
  struct stat s;
  OK(stat(path, &s));
  return s.st_ino;
}

static void* nothing(void* argument) { return argument; }

static void for_children(void) {
  IN_CHILD({
    pid_t me = getpid();
    ino_t first = number("/proc/self/ns/pid");
    CHECK_EQ(number("/proc/self/ns/pid_for_children"), first);
    OK(unshare(CLONE_NEWPID));
    CHECK_EQ(getpid(), me);
    CHECK_EQ(number("/proc/self/ns/pid"), first);
    // Before it has an init there is nothing to see.
    char text[64];
    FAILS(readlink("/proc/self/ns/pid_for_children", text, sizeof(text)), ENOENT);
    FAILS(open("/proc/self/ns/pid_for_children", O_RDONLY), ENOENT);
    FAILS(unshare(CLONE_NEWPID), EINVAL);
    // No thread is in another namespace than its process.
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, nothing, NULL), EINVAL);
    int ready[2];
    int go[2];
    char c;
    OK(pipe(ready));
    OK(pipe(go));
    pid_t init = FORK({
      CHECK_EQ(getpid(), 1);
      CHECK_EQ(getppid(), 0);
      CHECK_EQ(write(ready[1], "", 1), 1);
      CHECK_EQ(read(go[0], &c, 1), 1);
      WAIT_OK(FORK(CHECK_EQ(getpid(), 4)));
    });
    CHECK_EQ(read(ready[0], &c, 1), 1);
    ino_t second = number("/proc/self/ns/pid_for_children");
    CHECK(second != first);
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)init);
    CHECK_EQ(number(path), second);
    // Two more, whose parent is outside.
    WAIT_OK(FORK({
      CHECK_EQ(getpid(), 2);
      CHECK_EQ(getppid(), 0);
    }));
    WAIT_OK(FORK(CHECK_EQ(getpid(), 3)));
    CHECK_EQ(write(go[1], "", 1), 1);
    WAIT_OK(init);
    FAILS(fork(), ENOMEM);
  });
}

static void joining(void) {
  int ready[2], go[2];
  char c, path[64];
  OK(pipe(ready));
  OK(pipe(go));
  pid_t init = (pid_t)OK(syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0));
  if (init == 0) {
    CHECK_EQ(write(ready[1], "", 1), 1);
    CHECK_EQ(read(go[0], &c, 1), 1);
    _exit(0);
  }
  CHECK_EQ(read(ready[0], &c, 1), 1);
  snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)init);
  int inner = OK(open(path, O_RDONLY)), own = OK(open("/proc/self/ns/pid", O_RDONLY));
  CHECK_EQ(OK(ioctl(inner, NS_GET_NSTYPE)), CLONE_NEWPID);
  int parent = OK(ioctl(inner, NS_GET_PARENT));
  struct stat a, b;
  OK(fstat(parent, &a));
  OK(fstat(own, &b));
  CHECK_EQ(a.st_ino, b.st_ino);
  FAILS(ioctl(own, NS_GET_PARENT), EPERM);
  int user = OK(ioctl(inner, NS_GET_USERNS));
  OK(fstat(user, &a));
  CHECK_EQ(a.st_ino, number("/proc/self/ns/user"));
  IN_CHILD({
    pid_t me = getpid();
    OK(setns(inner, CLONE_NEWPID));
    CHECK_EQ(getpid(), me);
    pid_t child = FORK({
      CHECK_EQ(getpid(), 2);
      // Not out again, nor to those above.
      FAILS(setns(own, CLONE_NEWPID), EINVAL);
      FAILS(ioctl(inner, NS_GET_PARENT), EPERM);
      OK(setns(inner, 0));
    });
    CHECK(child != 2);
    WAIT_OK(child);
    OK(setns(own, CLONE_NEWPID));
    WAIT_OK(FORK(CHECK(getpid() > 3)));
  });
  int pidfd = OK(syscall(SYS_pidfd_open, init, 0));
  IN_CHILD({
    OK(setns(pidfd, CLONE_NEWPID | CLONE_NEWUTS));
    WAIT_OK(FORK(CHECK_EQ(getpid(), 3)));
    OK(setresuid(1, 1, 1));
    FAILS(setns(inner, CLONE_NEWPID), EPERM);
  });
  CHECK_EQ(write(go[1], "", 1), 1);
  WAIT_OK(init);
}

int main(void) {
  for_children();
  joining();
  return 0;
}
