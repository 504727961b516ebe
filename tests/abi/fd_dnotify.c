// F_NOTIFY of fcntl(2).
#include "abi.h"

static siginfo_t wait_for(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  siginfo_t info;
  struct timespec limit = {10, 0};
  CHECK_EQ(OK(sigtimedwait(&set, &info, &limit)), signal);
  return info;
}

static void nothing(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  struct timespec none = {0, 0};
  FAILS(sigtimedwait(&set, NULL, &none), EAGAIN);
}

int main(void) {
  abi_scratch();
  OK(mkdir("dir", 0755));
  int signal = SIGRTMIN + 3;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGIO);
  sigaddset(&set, signal);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  int dir = OK(open("dir", O_RDONLY | O_DIRECTORY));
  abi_put("plain", "");
  int plain = OK(open("plain", O_RDONLY));
  FAILS(fcntl(plain, F_NOTIFY, DN_CREATE), ENOTDIR);
  OK(fcntl(dir, F_NOTIFY, 0));
  OK(fcntl(dir, F_NOTIFY, DN_MULTISHOT));
  CHECK_EQ(fcntl(dir, F_GETOWN), 0);
  // Once.
  OK(fcntl(dir, F_NOTIFY, DN_CREATE));
  CHECK_EQ(fcntl(dir, F_GETOWN), getpid());
  abi_put("dir/a", "");
  CHECK_EQ(wait_for(SIGIO).si_code, SI_KERNEL);
  abi_put("dir/b", "");
  nothing(SIGIO);
  // With a signal of one's own, again and again.
  OK(fcntl(dir, F_SETSIG, signal));
  CHECK_EQ(fcntl(dir, F_GETSIG), signal);
  OK(fcntl(dir, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
  for (int i = 0; i < 3; i++) {
    char name[16];
    snprintf(name, sizeof(name), "dir/%d", i);
    abi_put(name, "");
    siginfo_t info = wait_for(signal);
    CHECK_EQ(info.si_fd, dir);
    CHECK_EQ(info.si_code, POLL_MSG);
    CHECK_EQ(info.si_band, 0x441);
  }
  OK(unlink("dir/0"));
  nothing(signal);
  OK(fcntl(dir, F_NOTIFY, DN_DELETE | DN_MULTISHOT));  // adds up
  OK(unlink("dir/1"));
  wait_for(signal);
  abi_put("dir/1", "");
  wait_for(signal);
  int fd = OK(open("dir/1", O_RDWR));
  CHECK_EQ(write(fd, "x", 1), 1);
  nothing(signal);
  OK(fcntl(dir, F_NOTIFY, DN_MODIFY | DN_ATTRIB | DN_MULTISHOT));
  CHECK_EQ(write(fd, "x", 1), 1);
  wait_for(signal);
  OK(fchmod(fd, 0600));
  wait_for(signal);
  OK(fcntl(dir, F_NOTIFY, 0));
  CHECK_EQ(write(fd, "x", 1), 1);
  nothing(signal);
  OK(fcntl(dir, F_NOTIFY, DN_RENAME | DN_MULTISHOT));
  OK(rename("dir/1", "dir/2"));
  wait_for(signal);
  // A close by the process ends it, a child's does not.
  OK(fcntl(dir, F_NOTIFY, DN_ACCESS | DN_MULTISHOT));
  IN_CHILD(OK(close(dir)));
  char b;
  CHECK_EQ(pread(fd, &b, 1, 0), 1);
  wait_for(signal);
  int twin = OK(dup(dir));
  OK(close(dir));
  CHECK_EQ(pread(fd, &b, 1, 0), 1);
  nothing(signal);
  OK(close(twin));
  return 0;
}
