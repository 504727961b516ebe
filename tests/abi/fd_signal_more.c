// signalfd(2): what it tells of signals from each source, several at once, masks that change, threads and
// children.
#include <poll.h>
#include <sys/signalfd.h>

#include "abi.h"

static int make(int flags, int count, const int* signals) {
  sigset_t set;
  sigemptyset(&set);
  for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  return OK(signalfd(-1, &set, flags));
}
#define MAKE(flags, ...) make(flags, sizeof((int[]){__VA_ARGS__}) / sizeof(int), (int[]){__VA_ARGS__})

static struct signalfd_siginfo take(int fd) {
  struct signalfd_siginfo s;
  memset(&s, 0x5a, sizeof(s));
  CHECK_EQ(read(fd, &s, sizeof(s)), sizeof(s));
  return s;
}

static bool ready(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  return poll(&p, 1, 0) == 1;
}

static void sources(void) {
  int fd = MAKE(SFD_NONBLOCK | SFD_CLOEXEC, SIGUSR1, SIGCHLD, SIGRTMIN, SIGALRM, SIGPIPE);
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  struct signalfd_siginfo s;
  FAILS(read(fd, &s, sizeof(s)), EAGAIN);
  FAILS(read(fd, &s, sizeof(s) - 1), EINVAL);
  OK(kill(getpid(), SIGUSR1));
  s = take(fd);
  CHECK_EQ(s.ssi_signo, SIGUSR1);
  CHECK_EQ(s.ssi_code, SI_USER);
  CHECK_EQ(s.ssi_pid, getpid());
  CHECK_EQ(s.ssi_uid, getuid());
  CHECK_EQ(s.ssi_errno, 0);
  for (size_t i = 0; i < sizeof(s.__pad); i++) CHECK_EQ(s.__pad[i], 0);
  OK((int)syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1));
  CHECK_EQ(take(fd).ssi_code, SI_TKILL);
  OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 4711}));
  s = take(fd);
  CHECK_EQ(s.ssi_code, SI_QUEUE);
  CHECK_EQ(s.ssi_int, 4711);
  CHECK_EQ((int)s.ssi_ptr, 4711);
  pid_t pid = FORK(_exit(33));
  struct pollfd p = {.fd = fd, .events = POLLIN};
  CHECK_EQ(poll(&p, 1, -1), 1);
  s = take(fd);
  CHECK_EQ(s.ssi_signo, SIGCHLD);
  CHECK_EQ(s.ssi_code, CLD_EXITED);
  CHECK_EQ(s.ssi_pid, pid);
  CHECK_EQ(s.ssi_status, 33);
  WAIT_EXIT(pid, 33);
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM, .sigev_value.sival_int = 99};
  OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
  OK(timer_settime(timer, 0, &(struct itimerspec){.it_value = {0, 1}}, NULL));
  CHECK_EQ(poll(&p, 1, -1), 1);
  s = take(fd);
  CHECK_EQ(s.ssi_code, SI_TIMER);
  CHECK_EQ(s.ssi_int, 99);
  CHECK_EQ(s.ssi_overrun, 0);
  OK(timer_delete(timer));
  int fds[2];
  OK(pipe(fds));
  OK(close(fds[0]));
  FAILS(write(fds[1], "x", 1), EPIPE);
  CHECK_EQ(take(fd).ssi_signo, SIGPIPE);
}

static void several(void) {
  int fd = MAKE(SFD_NONBLOCK, SIGUSR1, SIGUSR2, SIGRTMIN + 1, SIGRTMIN + 2);
  for (int i = 0; i < 3; i++) OK(sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = i}));
  OK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 9}));
  OK(kill(getpid(), SIGUSR2));
  OK(kill(getpid(), SIGUSR2));
  OK(kill(getpid(), SIGUSR1));
  // In order of their numbers, those of one number as they were sent; as many as there is room for.
  struct signalfd_siginfo s[8];
  CHECK_EQ(read(fd, s, sizeof(s[0]) * 2 + 50), sizeof(s[0]) * 2);
  CHECK_EQ(s[0].ssi_signo, SIGUSR1);
  CHECK_EQ(s[1].ssi_signo, SIGUSR2);
  CHECK_EQ(read(fd, s, sizeof(s)), sizeof(s[0]) * 4);
  CHECK_EQ(s[0].ssi_signo, SIGRTMIN + 1);
  for (int i = 0; i < 3; i++) CHECK_EQ(s[1 + i].ssi_int, i);
  CHECK(!ready(fd));
  // Another mask, through the same descriptor; what nobody can block is left out in silence.
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  sigaddset(&set, SIGKILL);
  CHECK_EQ(signalfd(fd, &set, 0), fd);
  OK(kill(getpid(), SIGUSR1));
  CHECK(!ready(fd));
  OK(kill(getpid(), SIGUSR2));
  CHECK(ready(fd));
  CHECK_EQ(take(fd).ssi_signo, SIGUSR2);
  sigaddset(&set, SIGUSR1);
  OK(signalfd(fd, &set, 0));
  CHECK_EQ(take(fd).ssi_signo, SIGUSR1);
  FAILS(signalfd(0x7fff, &set, 0), EBADF);
  FAILS(signalfd(OK(open("/dev/null", O_RDONLY)), &set, 0), EINVAL);
  FAILS(signalfd(-1, &set, 1), EINVAL);
  FAILS(syscall(SYS_signalfd4, -1, &set, 4, 0), EINVAL);
  FAILS(syscall(SYS_signalfd4, -1, 8, 8, 0), EFAULT);
}

static int g_fd;
static atomic_int g_tid;

static void* waits(void* arg) {
  (void)arg;
  atomic_store(&g_tid, abi_tid());
  struct signalfd_siginfo s = take(g_fd);
  CHECK_EQ(s.ssi_signo, SIGUSR1);
  return NULL;
}

static void others(void) {
  g_fd = MAKE(0, SIGUSR1);
  // What is for one thread only that one reads.
  pthread_t t;
  ZERO(pthread_create(&t, NULL, waits, NULL));
  while (!atomic_load(&g_tid)) sched_yield();
  abi_await_state(atomic_load(&g_tid), 'S');
  OK((int)syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1));  // for this one
  CHECK(ready(g_fd));
  abi_await_state(atomic_load(&g_tid), 'S');
  CHECK_EQ(take(g_fd).ssi_code, SI_TKILL);
  ZERO(pthread_kill(t, SIGUSR1));
  ZERO(pthread_join(t, NULL));
  // A child reads its own signals through the same descriptor, not its parent's.
  OK(kill(getpid(), SIGUSR1));
  pid_t pid = FORK({
    CHECK(!ready(g_fd));
    OK(kill(getpid(), SIGUSR1));
    CHECK_EQ(take(g_fd).ssi_pid, getpid());
  });
  WAIT_OK(pid);
  CHECK(ready(g_fd));
  CHECK_EQ(take(g_fd).ssi_pid, getpid());
  char path[64], text[512];
  snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", g_fd);
  abi_get(path, text, sizeof(text));
  CHECK(strstr(text, "sigmask:\t0000000000000200\n") != NULL);
}

int main(void) {
  IN_CHILD(sources());
  IN_CHILD(several());
  IN_CHILD(others());
  return 0;
}
