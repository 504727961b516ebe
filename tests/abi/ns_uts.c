// UTS namespaces: unshare(2), clone(2), setns(2), /proc/PID/ns (uts_namespaces(7)).
#include <sys/mount.h>
#include <sys/utsname.h>

#include "abi.h"

// Opens a file of a proc that nothing makes read-only.
static int open_proc(const char* name, int flags) {
  char path[128];
  OK(mkdir("proc", 0755));
  OK(mount("proc", "proc", "proc", 0, NULL));
  snprintf(path, sizeof(path), "proc/%s", name);
  int fd = OK(open(path, flags));
  OK(umount2("proc", MNT_DETACH));
  OK(rmdir("proc"));
  return fd;
}

static void text_of(const char* path, char* out, size_t size) {
  int fd = OK(open(path, O_RDONLY));
  long n = OK(read(fd, out, size - 1));
  out[n] = 0;
  OK(close(fd));
}
static ino_t number(const char* path) {
  struct stat s;
  OK(stat(path, &s));
  return s.st_ino;
}
static ino_t own(void) { return number("/proc/self/ns/uts"); }
static ino_t of(pid_t pid) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/ns/uts", (int)pid);
  return number(path);
}
static void check_host(const char* want) {
  struct utsname u;
  OK(uname(&u));
  CHECK_STR(u.nodename, want);
  char text[128], line[128];
  text_of("/proc/sys/kernel/hostname", text, sizeof(text));
  snprintf(line, sizeof(line), "%s\n", want);
  CHECK_STR(text, line);
}

static void by_unshare(void) {
  struct utsname before;
  OK(uname(&before));
  ino_t first = own();
  IN_CHILD({
    OK(unshare(CLONE_NEWUTS));
    CHECK(own() != first);
    CHECK_EQ(of(getppid()), first);
    check_host(before.nodename);  // a copy
    OK(sethostname("inside", 6));
    OK(setdomainname("within", 6));
    check_host("inside");
    struct utsname u;
    OK(uname(&u));
    CHECK_STR(u.domainname, "within");
    int fd = open_proc("sys/kernel/hostname", O_WRONLY);
    CHECK_EQ(OK(write(fd, "written\n", 8)), 8);
    OK(close(fd));
    check_host("written");
    // Children are in it, too; each unshare makes another.
    ino_t second = own();
    IN_CHILD({
      CHECK_EQ(own(), second);
      check_host("written");
      OK(unshare(CLONE_NEWUTS));
      CHECK(own() != second && own() != first);
      OK(sethostname("deeper", 6));
    });
    check_host("written");
  });
  check_host(before.nodename);
  CHECK_EQ(own(), first);
}

static int in_clone(void* argument) {
  const ino_t* first = argument;
  if (own() == *first) return 1;
  if (sethostname("cloned", 6)) return 2;
  check_host("cloned");
  return 0;
}

static void by_clone(void) {
  static char stack[65536] __attribute__((aligned(16)));
  struct utsname before;
  OK(uname(&before));
  ino_t first = own();
  pid_t child = OK(clone(in_clone, stack + sizeof(stack), CLONE_NEWUTS | SIGCHLD, &first));
  WAIT_OK(child);
  check_host(before.nodename);
}

// A file keeps the namespace; setns(2) enters it.
static void by_file(void) {
  struct utsname before;
  OK(uname(&before));
  int home = OK(open("/proc/self/ns/uts", O_RDONLY)), go[2], ready[2];
  ino_t first = own();
  OK(pipe(go));
  OK(pipe(ready));
  pid_t child = FORK({
    OK(unshare(CLONE_NEWUTS));
    OK(sethostname("kept", 4));
    CHECK_EQ(write(ready[1], "", 1), 1);
    char c;
    CHECK_EQ(read(go[0], &c, 1), 1);
  });
  char c;
  CHECK_EQ(OK(read(ready[0], &c, 1)), 1);
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/ns/uts", (int)child);
  int there = OK(open(path, O_RDONLY));
  ino_t second = of(child);
  CHECK(second != first);
  int pidfd = OK(syscall(SYS_pidfd_open, child, 0));
  IN_CHILD({
    FAILS(setns(pidfd, 0), EINVAL);
    FAILS(setns(pidfd, CLONE_NEWUTS | 1), EINVAL);
    OK(setns(pidfd, CLONE_NEWUTS | CLONE_NEWIPC));
    CHECK_EQ(own(), second);
    check_host("kept");
  });
  CHECK_EQ(OK(write(go[1], "", 1)), 1);
  siginfo_t info;
  OK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT));
  // A zombie has none.
  FAILS(readlink(path, path + 40, 20), ENOENT);
  FAILS(setns(pidfd, CLONE_NEWUTS), ESRCH);
  WAIT_OK(child);
  FAILS(setns(pidfd, CLONE_NEWUTS), ESRCH);
  FAILS(setns(there, CLONE_NEWIPC), EINVAL);
  OK(setns(there, 0));
  CHECK_EQ(own(), second);
  check_host("kept");
  OK(setns(home, CLONE_NEWUTS));
  CHECK_EQ(own(), first);
  check_host(before.nodename);
  FAILS(setns(go[0], 0), EINVAL);
  FAILS(setns(-1, 0), EBADF);
  OK(close(there));
  OK(close(home));
  OK(close(pidfd));
}

static void* in_thread(void* argument) {
  OK(unshare(CLONE_NEWUTS));
  OK(sethostname("thread", 6));
  *(ino_t*)argument = number("/proc/thread-self/ns/uts");
  return NULL;
}

// Threads go alone.
static void by_thread(void) {
  IN_CHILD({
    pthread_t t;
    ino_t there = 0, first = own();
    CHECK_EQ(pthread_create(&t, NULL, in_thread, &there), 0);
    CHECK_EQ(pthread_join(t, NULL), 0);
    CHECK(there != 0 && there != first);
    CHECK_EQ(own(), first);
    struct utsname u;
    OK(uname(&u));
    CHECK(strcmp(u.nodename, "thread") != 0);
  });
}

static void privileges(void) {
  int home = OK(open("/proc/self/ns/uts", O_RDONLY));
  IN_CHILD({
    OK(setresuid(1, 1, 1));
    FAILS(unshare(CLONE_NEWUTS), EPERM);
    FAILS(unshare(CLONE_NEWIPC), EPERM);
    FAILS(unshare(CLONE_NEWUTS | 1), EINVAL);
    FAILS(syscall(SYS_clone, CLONE_NEWUTS | SIGCHLD, 0, 0, 0, 0), EPERM);
    FAILS(syscall(SYS_clone, CLONE_NEWIPC | CLONE_SYSVSEM | SIGCHLD, 0, 0, 0, 0), EPERM);
    FAILS(setns(home, CLONE_NEWUTS), EPERM);
    FAILS(setns(home, CLONE_NEWIPC), EINVAL);
  });
  FAILS(syscall(SYS_clone, CLONE_NEWIPC | CLONE_SYSVSEM | SIGCHLD, 0, 0, 0, 0), EINVAL);
  FAILS(syscall(SYS_clone, CLONE_NEWNS | CLONE_FS | SIGCHLD, 0, 0, 0, 0), EINVAL);
  OK(close(home));
}

int main(void) {
  abi_scratch();
  by_unshare();
  by_clone();
  by_file();
  by_thread();
  privileges();
  return 0;
}
