// mq_notify(3).
#include <mqueue.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "abi.h"

static char name[64];

static siginfo_t wait_for(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  siginfo_t info;
  struct timespec limit = {10, 0};
  CHECK_EQ(OK(sigtimedwait(&set, &info, &limit)), signal);
  return info;
}

static void nothing_pending(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  struct timespec none = {0, 0};
  FAILS(sigtimedwait(&set, NULL, &none), EAGAIN);
}

static struct sigevent by_signal(int signal, int value) {
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = signal};
  e.sigev_value.sival_int = value;
  return e;
}

static void status(mqd_t q, int notify, int signo, int pid) {
  char text[100], want[100];
  ssize_t n = OK(pread(q, text, sizeof(text) - 1, 0));
  text[n] = 0;
  snprintf(want, sizeof(want), "NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", notify, signo, pid);
  CHECK_STR(strstr(text, "NOTIFY"), want);
}

static void signals(mqd_t q) {
  char text[16];
  struct sigevent e = by_signal(SIGUSR1, 77);
  OK(mq_notify(q, &e));
  status(q, SIGEV_SIGNAL, SIGUSR1, getpid());
  FAILS(mq_notify(q, &e), EBUSY);
  IN_CHILD(FAILS(mq_notify(q, &e), EBUSY); OK(mq_notify(q, NULL)));  // not its own
  pid_t child = FORK(OK(mq_send(q, "x", 1, 0)));
  siginfo_t info = wait_for(SIGUSR1);
  CHECK_EQ(info.si_code, SI_MESGQ);
  CHECK_EQ(info.si_value.sival_int, 77);
  CHECK_EQ(info.si_pid, child);
  CHECK_EQ(info.si_uid, getuid());
  WAIT_OK(child);
  status(q, 0, 0, 0);
  // Once; and only when the queue was empty.
  OK(mq_notify(q, &e));
  OK(mq_send(q, "y", 1, 0));
  nothing_pending(SIGUSR1);
  CHECK_EQ(mq_receive(q, text, 16, NULL), 1);
  CHECK_EQ(mq_receive(q, text, 16, NULL), 1);
  OK(mq_send(q, "z", 1, 0));
  wait_for(SIGUSR1);
  CHECK_EQ(mq_receive(q, text, 16, NULL), 1);
  OK(mq_send(q, "z", 1, 0));
  nothing_pending(SIGUSR1);
  CHECK_EQ(mq_receive(q, text, 16, NULL), 1);
  // Who waits for a message comes first.
  OK(mq_notify(q, &e));
  child = FORK(CHECK_EQ(mq_receive(q, text, 16, NULL), 2));
  abi_await_state(child, 'S');
  OK(mq_send(q, "ab", 2, 0));
  WAIT_OK(child);
  nothing_pending(SIGUSR1);
  status(q, SIGEV_SIGNAL, SIGUSR1, getpid());
  OK(mq_notify(q, NULL));
  status(q, 0, 0, 0);
  OK(mq_notify(q, NULL));
  // Without a word.
  e.sigev_notify = SIGEV_NONE;
  OK(mq_notify(q, &e));
  status(q, SIGEV_NONE, 0, getpid());
  OK(mq_send(q, "a", 1, 0));
  status(q, 0, 0, 0);
  CHECK_EQ(mq_receive(q, text, 16, NULL), 1);
  e = by_signal(0, 0);
  OK(mq_notify(q, &e));
  OK(mq_notify(q, NULL));
}

static void ends(mqd_t q) {
  struct sigevent e = by_signal(SIGUSR1, 1);
  // With the process, and with any close of the queue by it.
  IN_CHILD(OK(mq_notify(q, &e)));
  status(q, 0, 0, 0);
  OK(mq_notify(q, &e));
  OK(mq_close(OK(mq_open(name, O_RDONLY))));
  status(q, 0, 0, 0);
  OK(mq_notify(q, &e));
  IN_CHILD(OK(mq_close(q)));
  status(q, SIGEV_SIGNAL, SIGUSR1, getpid());
  OK(mq_notify(q, NULL));
}

static void refusals(mqd_t q) {
  struct sigevent e = by_signal(65, 0);
  FAILS(mq_notify(q, &e), EINVAL);
  e = by_signal(SIGUSR1, 0);
  e.sigev_notify = 9;
  FAILS(mq_notify(q, &e), EINVAL);
  FAILS(syscall(SYS_mq_notify, q, (void*)8), EFAULT);
  FAILS(syscall(SYS_mq_notify, -1, NULL), EBADF);
  // As the kernel has it, SIGEV_THREAD comes with a netlink socket and 32 bytes.
  char cookie[32] = "";
  e.sigev_notify = SIGEV_THREAD;
  e.sigev_value.sival_ptr = (void*)8;
  e.sigev_signo = -1;
  FAILS(syscall(SYS_mq_notify, q, &e), EFAULT);
  e.sigev_value.sival_ptr = cookie;
  FAILS(syscall(SYS_mq_notify, q, &e), EBADF);
  e.sigev_signo = q;
  FAILS(syscall(SYS_mq_notify, q, &e), ENOTSOCK);
  e.sigev_signo = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  FAILS(syscall(SYS_mq_notify, q, &e), EINVAL);
}

// SIGEV_THREAD: the C library starts a thread for each notification.
static atomic_int told;

static void tell(union sigval value) {
  atomic_fetch_add(&told, value.sival_int);
}

static void threads(mqd_t q) {
  char text[16];
  struct sigevent e = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = tell};
  for (int i = 1; i <= 3; i++) {
    const int before = atomic_load(&told);
    e.sigev_value.sival_int = i;
    OK(mq_notify(q, &e));
    status(q, SIGEV_THREAD, 0, getpid());
    FAILS(mq_notify(q, &e), EBUSY);
    WAIT_OK(FORK(OK(mq_send(q, "z", 1, 0))));
    for (int n = 0; n < 10000 && atomic_load(&told) == before; n++) usleep(1000);
    CHECK_EQ(atomic_load(&told), before + i);
    CHECK_EQ(mq_receive(q, text, sizeof(text), NULL), 1);
    status(q, 0, 0, 0);
  }
  // One that is taken back tells nobody, but says so to who listens.
  int fd = OK(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
  char cookie[32] = "a cookie", got[64];
  struct sigevent raw = {.sigev_notify = SIGEV_THREAD, .sigev_signo = fd};
  raw.sigev_value.sival_ptr = cookie;
  OK(syscall(SYS_mq_notify, q, &raw));
  FAILS(recv(fd, got, sizeof(got), MSG_DONTWAIT), EAGAIN);
  OK(syscall(SYS_mq_notify, q, NULL));
  CHECK_EQ(recv(fd, got, sizeof(got), MSG_DONTWAIT), 32);
  CHECK_EQ(memcmp(got, cookie, 31), 0);
  CHECK_EQ(got[31], 2);
  OK(syscall(SYS_mq_notify, q, &raw));
  OK(mq_send(q, "w", 1, 0));
  CHECK_EQ(recv(fd, got, sizeof(got), 0), 32);
  CHECK_EQ(got[31], 1);
  CHECK_EQ(mq_receive(q, text, sizeof(text), NULL), 1);
  OK(close(fd));
}

int main(void) {
  snprintf(name, sizeof(name), "/abi-notify-%d", getpid());
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 16};
  mqd_t q = OK(mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &attr));
  signals(q);
  ends(q);
  threads(q);
  refusals(q);
  OK(mq_close(q));
  OK(mq_unlink(name));
  return 0;
}
