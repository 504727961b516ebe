// epoll_pwait(2) and signals: the mask that holds while it waits, EINTR, and epoll sets over fork and exec.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include "abi.h"

static volatile sig_atomic_t g_count;
static void on_signal(int signal) {
  (void)signal;
  g_count++;
}

static int set_of(int fd, uint32_t events) {
  int epoll = OK(epoll_create1(0));
  struct epoll_event e = {.events = events, .data.fd = fd};
  OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e));
  return epoll;
}

static void masks(void) {
  struct epoll_event e;
  int event = OK(eventfd(0, 0)), epoll = set_of(event, EPOLLIN);
  sigset_t blocked, none, now;
  sigemptyset(&none);
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  abi_handle(SIGUSR1, on_signal, SA_RESTART);
  OK(sigprocmask(SIG_BLOCK, &blocked, NULL));
  OK(kill(getpid(), SIGUSR1));
  CHECK_EQ(epoll_wait(epoll, &e, 1, 0), 0);
  CHECK_EQ(g_count, 0);
  // Open while it waits: taken before anything is waited for, never restarted, and the mask is back.
  FAILS(epoll_pwait(epoll, &e, 1, -1, &none), EINTR);
  CHECK_EQ(g_count, 1);
  OK(sigprocmask(SIG_BLOCK, NULL, &now));
  CHECK_EQ(sigismember(&now, SIGUSR1), 1);
  // What is ready comes first, with or without a signal.
  OK(eventfd_write(event, 1));
  OK(kill(getpid(), SIGUSR1));
  CHECK_EQ(epoll_pwait(epoll, &e, 1, -1, &none), 1);
  OK(sigprocmask(SIG_UNBLOCK, &blocked, NULL));
  CHECK_EQ(g_count, 2);
  FAILS(syscall(SYS_epoll_pwait, epoll, &e, 1, 0, &none, 7), EINVAL);
  FAILS(syscall(SYS_epoll_pwait, epoll, &e, 1, 0, (void*)8, 8), EFAULT);
  FAILS(syscall(SYS_epoll_pwait2, epoll, &e, 1, &(struct timespec){0, 1000000000}, NULL, 8), EINVAL);
  FAILS(syscall(SYS_epoll_pwait2, epoll, &e, 1, (void*)8, NULL, 8), EFAULT);
}

static void interrupted(void) {
  struct epoll_event e;
  int event = OK(eventfd(0, 0)), epoll = set_of(event, EPOLLIN);
  abi_handle(SIGUSR1, on_signal, SA_RESTART);
  pid_t pid = FORK(FAILS(epoll_wait(epoll, &e, 1, -1), EINTR));
  abi_await_state(pid, 'S');
  OK(kill(pid, SIGUSR1));
  WAIT_OK(pid);
  // Stopped and continued it has ended, too (signal(7)).
  pid = FORK(FAILS(epoll_wait(epoll, &e, 1, -1), EINTR));
  abi_await_state(pid, 'S');
  OK(kill(pid, SIGSTOP));
  int status;
  CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
  CHECK(WIFSTOPPED(status));
  OK(kill(pid, SIGCONT));
  WAIT_OK(pid);
}

// The set belongs to the open file: a child of fork has the same, with what the parent put in.
static void inherited(void) {
  struct epoll_event e;
  int event = OK(eventfd(0, 0)), epoll = set_of(event, EPOLLIN), other = OK(eventfd(1, 0));
  IN_CHILD({
    struct epoll_event mine = {.events = EPOLLIN, .data.fd = other};
    OK(epoll_ctl(epoll, EPOLL_CTL_ADD, other, &mine));
    OK(epoll_ctl(epoll, EPOLL_CTL_DEL, event, NULL));
  });
  OK(eventfd_write(event, 1));
  CHECK_EQ(epoll_wait(epoll, &e, 1, 0), 1);
  CHECK_EQ(e.data.fd, other);
  // Closed here, open there: it stays in the set as long as anybody has it.
  int pipes[2];
  OK(pipe(pipes));
  pid_t pid = FORK({
    OK(close(pipes[1]));
    char c;
    read(pipes[0], &c, 1);
  });
  OK(close(pipes[0]));
  OK(close(other));
  CHECK_EQ(epoll_wait(epoll, &e, 1, 0), 1);
  OK(close(pipes[1]));
  WAIT_OK(pid);
  CHECK_EQ(epoll_wait(epoll, &e, 1, 0), 0);
}

static void flags(void) {
  struct epoll_event e;
  int event = OK(eventfd(1, 0));
  int epoll = set_of(event, EPOLLIN | EPOLLWAKEUP);  // without the capability the flag is dropped in silence
  CHECK_EQ(epoll_wait(epoll, &e, 1, 0), 1);
  CHECK_EQ(e.events, EPOLLIN);
  // Errors and hang-ups cannot be declined; what was not asked for is not told.
  int pipes[2];
  OK(pipe(pipes));
  epoll = set_of(pipes[1], 0);
  CHECK_EQ(epoll_wait(epoll, &e, 1, 0), 0);
  OK(close(pipes[0]));
  CHECK_EQ(epoll_wait(epoll, &e, 1, 0), 1);
  CHECK_EQ(e.events, EPOLLERR);
  // A signal descriptor answers for who waits, not for who put it in.
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  int fd = OK(signalfd(-1, &set, SFD_NONBLOCK));
  epoll = set_of(fd, EPOLLIN);
  CHECK_EQ(epoll_wait(epoll, &e, 1, 0), 0);
  OK(kill(getpid(), SIGUSR2));
  CHECK_EQ(epoll_wait(epoll, &e, 1, -1), 1);
  struct signalfd_siginfo info;
  CHECK_EQ(read(fd, &info, sizeof(info)), sizeof(info));
  CHECK_EQ(info.ssi_signo, SIGUSR2);
  CHECK_EQ(epoll_wait(epoll, &e, 1, 0), 0);
}

int main(void) {
  masks();
  interrupted();
  inherited();
  flags();
  return 0;
}
