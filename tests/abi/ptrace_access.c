// ptrace(2), "Ptrace access mode checking": who may look into whom, by ptrace(2), process_vm_readv(2),
// kcmp(2), pidfd_getfd(2) and /proc.
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "abi.h"

static long word = 5;

// The errno of reading its memory, of attaching, and of taking a descriptor.
static int reads(pid_t pid) {
  long value = 0;
  struct iovec here = {&value, 8}, there = {&word, 8};
  return process_vm_readv(pid, &here, 1, &there, 1, 0) == 8 ? 0 : errno;
}
static int attaches(pid_t pid) {
  if (ptrace(PTRACE_SEIZE, pid, 0, 0) != 0) return errno;
  OK(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
  CHECK_EQ(waitpid(pid, NULL, __WALL), pid);
  OK(ptrace(PTRACE_DETACH, pid, 0, 0));
  return 0;
}
static int takes(pid_t pid) {
  int pidfd = OK(syscall(SYS_pidfd_open, pid, 0));
  int fd = (int)syscall(SYS_pidfd_getfd, pidfd, 1, 0);
  int error = fd < 0 ? errno : 0;
  if (fd >= 0) {
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    OK(close(fd));
  }
  OK(close(pidfd));
  return error;
}
static int opens(pid_t pid, const char* name) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
  int fd = open(path, O_RDONLY);
  if (fd < 0) return errno;
  OK(close(fd));
  return 0;
}

static void all(pid_t pid, int error) {
  CHECK_EQ(reads(pid), error);
  CHECK_EQ(attaches(pid), error);
  CHECK_EQ(takes(pid), error);
  CHECK_EQ(opens(pid, "mem"), error ? EACCES : 0);
  CHECK_EQ(opens(pid, "maps"), error ? EACCES : 0);
}

static void become(uid_t uid) {
  OK(setresgid(uid, uid, uid));
  OK(setresuid(uid, uid, uid));
}

// Runs the checks against a child that has made itself ready.
static pid_t target(uid_t uid, int dumpable) {
  int pipes[2];
  OK(pipe(pipes));
  pid_t pid = FORK(if (uid) become(uid); OK(prctl(PR_SET_DUMPABLE, dumpable)); write(pipes[1], "x", 1);
                   for (;;) pause());
  char c;
  CHECK_EQ(read(pipes[0], &c, 1), 1);
  OK(close(pipes[0]));
  OK(close(pipes[1]));
  return pid;
}
static void end(pid_t pid) {
  OK(kill(pid, SIGKILL));
  WAIT_SIGNAL(pid, SIGKILL);
}

int main(void) {
  pid_t same = target(1000, 1), hidden = target(1000, 0), other = target(1001, 1), root = target(0, 1);
  IN_CHILD(become(1000); all(same, 0); all(hidden, EPERM); all(other, EPERM); all(root, EPERM));
  // Of one process, all is open.
  IN_CHILD(OK(prctl(PR_SET_DUMPABLE, 0)); CHECK_EQ(reads(getpid()), 0); CHECK_EQ(takes(getpid()), 0));
  // The same user, but with capabilities that we lack.
  IN_CHILD(struct {
    unsigned version;
    int pid;
  } header = {0x20080522, 0};
           unsigned data[6] = {0}; OK(syscall(SYS_capset, &header, data)); all(root, EPERM));
  end(same);
  end(hidden);
  end(other);
  end(root);

  int pidfd = OK(syscall(SYS_pidfd_open, getpid(), 0));
  FAILS(syscall(SYS_pidfd_getfd, pidfd, 999, 0), EBADF);
  FAILS(syscall(SYS_pidfd_getfd, pidfd, 1, 1), EINVAL);
  FAILS(syscall(SYS_pidfd_getfd, 1, 1, 0), EBADF);
  FAILS(syscall(SYS_pidfd_getfd, 999, 1, 0), EBADF);
  pid_t gone = FORK(_exit(0));
  int dead = OK(syscall(SYS_pidfd_open, gone, 0));
  WAIT_OK(gone);
  FAILS(syscall(SYS_pidfd_getfd, dead, 1, 0), ESRCH);
  return 0;
}
