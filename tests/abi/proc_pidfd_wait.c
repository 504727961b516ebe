// Process descriptors: PIDFD_NONBLOCK, waiting, polling, fdinfo, descriptors taken through them.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "abi.h"

static int pidfd_open_(pid_t pid, unsigned flags) { return (int)syscall(SYS_pidfd_open, pid, flags); }
static int send_(int fd, int signal, siginfo_t* info, unsigned flags) {
  return (int)syscall(SYS_pidfd_send_signal, fd, signal, info, flags);
}
static int get_(int fd, int theirs, unsigned flags) {
  return (int)syscall(SYS_pidfd_getfd, fd, theirs, flags);
}

static void waiting(void) {
  int hold[2];
  OK(pipe(hold));
  pid_t pid = FORK({
    char c;
    OK(close(hold[1]));
    read(hold[0], &c, 1);
    _exit(33);
  });
  OK(close(hold[0]));
  int fd = OK(pidfd_open_(pid, O_NONBLOCK));
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
  siginfo_t info = {0};
  // Still running: not a wait but an answer.
  FAILS(waitid(P_PIDFD, (id_t)fd, &info, WEXITED), EAGAIN);
  OK(waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG));
  CHECK_EQ(info.si_pid, 0);
  struct pollfd p = {.fd = fd, .events = POLLIN};
  CHECK_EQ(poll(&p, 1, 0), 0);
  int epoll = OK(epoll_create1(0));
  struct epoll_event e = {.events = EPOLLIN | EPOLLET};
  OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e));
  CHECK_EQ(epoll_wait(epoll, &e, 1, 0), 0);
  OK(close(hold[1]));
  CHECK_EQ(epoll_wait(epoll, &e, 1, -1), 1);
  CHECK_EQ(poll(&p, 1, 0), 1);
  CHECK_EQ(p.revents & POLLIN, POLLIN);
  OK(waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOWAIT));
  CHECK_EQ(info.si_status, 33);
  OK(waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
  CHECK_EQ(info.si_pid, pid);
  CHECK_EQ(info.si_code, CLD_EXITED);
  CHECK_EQ(info.si_signo, SIGCHLD);
  FAILS(waitid(P_PIDFD, (id_t)fd, &info, WEXITED), ECHILD);
  FAILS(send_(fd, 0, NULL, 0), ESRCH);
  CHECK_EQ(poll(&p, 1, 0), 1);  // and for ever
  char path[64];
  char text[1024];
  snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
  abi_get(path, text, sizeof(text));
  CHECK(strstr(text, "\nPid:\t-1\n") != NULL);
  OK(close(fd));
}

static void arguments(void) {
  FAILS(pidfd_open_(0x3fffffff, 0), ESRCH);
  FAILS(pidfd_open_(0, 0), EINVAL);
  FAILS(pidfd_open_(-1, 0), EINVAL);
  FAILS(pidfd_open_(getpid(), 0x100), EINVAL);
  int self = OK(pidfd_open_(getpid(), 0));
  char path[64], text[1024], want[64];
  snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self);
  abi_get(path, text, sizeof(text));
  snprintf(want, sizeof(want), "\nPid:\t%d\n", getpid());
  CHECK(strstr(text, want) != NULL);
  siginfo_t info = {0};
  FAILS(waitid(P_PIDFD, (id_t)self, &info, WEXITED), ECHILD);  // no child
  FAILS(waitid(P_PIDFD, 999, &info, WEXITED), EBADF);
  FAILS(waitid(P_PIDFD, (id_t)OK(open("/dev/null", O_RDONLY)), &info, WEXITED), EBADF);
  FAILS(waitid(P_PIDFD, (id_t)-1, &info, WEXITED), EINVAL);
  char c;
  FAILS(read(self, &c, 1), EINVAL);
  FAILS(send_(self, 99, NULL, 0), EINVAL);
  FAILS(send_(self, SIGUSR1, NULL, 0x80000000), EINVAL);
  FAILS(send_(999, 0, NULL, 0), EBADF);
  OK(send_(self, 0, NULL, 0));
  // A structure must name the same signal.
  info.si_signo = SIGUSR2, info.si_code = SI_QUEUE;
  FAILS(send_(self, SIGUSR1, &info, 0), EINVAL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  info.si_value.sival_int = 4711;
  OK(send_(self, SIGUSR2, &info, 0));
  siginfo_t got;
  CHECK_EQ(sigwaitinfo(&set, &got), SIGUSR2);
  CHECK_EQ(got.si_code, SI_QUEUE);
  CHECK_EQ(got.si_value.sival_int, 4711);
  OK(send_(self, SIGUSR2, NULL, 0));
  CHECK_EQ(sigwaitinfo(&set, &got), SIGUSR2);
  CHECK_EQ(got.si_code, SI_USER);
  CHECK_EQ(got.si_pid, getpid());
}

static void descriptors(void) {
  int pair[2], tell[2];
  OK(pipe(tell));
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  pid_t pid = FORK({
    int file = OK(memfd_create("theirs", 0));
    CHECK_EQ(write(file, "of the child", 12), 12);
    OK(dup2(file, 77));
    CHECK_EQ(write(tell[1], "x", 1), 1);
    char c;
    read(pair[1], &c, 1);
  });
  char c;
  CHECK_EQ(read(tell[0], &c, 1), 1);
  int fd = OK(pidfd_open_(pid, 0));
  int file = get_(fd, 77, 0);
  if (file < 0) CHECK_EQ(errno, EPERM);  // only who may trace it
  if (file >= 0) {
    CHECK_EQ(fcntl(file, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(lseek(file, 0, SEEK_CUR), 12);  // the same open file
    FAILS(get_(fd, 78, 0), EBADF);
    FAILS(get_(fd, 77, 1), EINVAL);
    OK(lseek(file, 3, SEEK_SET));
    OK(close(file));
  }
  FAILS(get_(file < 0 ? 0 : tell[0], 77, 0), EBADF);
  CHECK_EQ(write(pair[0], "y", 1), 1);
  WAIT_OK(pid);
  FAILS(get_(fd, 77, 0), ESRCH);
}

int main(void) {
  waiting();
  arguments();
  descriptors();
  return 0;
}
