// sigsuspend(2), sigtimedwait(2), sigwait(3).
#include "abi.h"

static volatile int g_count;

static void note(int signal) {
  (void)signal;
  g_count++;
}

int main(void) {
  sigset_t set, none, mask;
  siginfo_t info;
  sigemptyset(&none);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  abi_handle(SIGUSR1, note, 0);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));

  // sigsuspend lets it through and puts the mask back.
  OK(raise(SIGUSR1));
  CHECK_EQ(g_count, 0);
  FAILS(sigsuspend(&none), EINTR);
  CHECK_EQ(g_count, 1);
  OK(sigprocmask(SIG_BLOCK, NULL, &mask));
  CHECK(sigismember(&mask, SIGUSR1));
  pid_t parent = getpid();
  pid_t pid = FORK({
    abi_await_state(parent, 'S');
    OK(kill(parent, SIGUSR1));
  });
  FAILS(sigsuspend(&none), EINTR);
  CHECK_EQ(g_count, 2);
  WAIT_OK(pid);
  FAILS(syscall(SYS_rt_sigsuspend, &none, 4), EINVAL);
  FAILS(syscall(SYS_rt_sigsuspend, (void*)8, 8), EFAULT);

  // Taken without its handler.
  struct timespec zero = {0}, some = {.tv_nsec = 30000000}, bad = {.tv_nsec = 1000000000};
  FAILS(sigtimedwait(&set, &info, &zero), EAGAIN);
  long long begin = abi_ns(CLOCK_MONOTONIC);
  FAILS(sigtimedwait(&set, &info, &some), EAGAIN);
  CHECK(abi_ns(CLOCK_MONOTONIC) - begin >= 30000000);
  FAILS(sigtimedwait(&set, &info, &bad), EINVAL);
  OK(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 31}));
  CHECK_EQ(sigtimedwait(&set, &info, &zero), SIGUSR1);
  CHECK_EQ(info.si_signo, SIGUSR1);
  CHECK_EQ(info.si_code, SI_QUEUE);
  CHECK_EQ(info.si_value.sival_int, 31);
  CHECK_EQ(g_count, 2);
  FAILS(sigtimedwait(&set, &info, &zero), EAGAIN);

  pid = FORK({
    abi_await_state(parent, 'S');
    OK(kill(parent, SIGUSR1));
  });
  CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
  CHECK_EQ(info.si_pid, pid);
  WAIT_OK(pid);

  // A signal outside the set with a handler interrupts it.
  abi_handle(SIGUSR2, note, 0);
  pid = FORK({
    abi_await_state(parent, 'S');
    OK(kill(parent, SIGUSR2));
  });
  FAILS(sigwaitinfo(&set, &info), EINTR);
  CHECK_EQ(g_count, 3);
  WAIT_OK(pid);

  // The lowest number first; SIGCHLD too, though it is ignored by default.
  sigaddset(&set, SIGRTMIN);
  sigaddset(&set, SIGRTMIN + 1);
  sigaddset(&set, SIGCHLD);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  OK(kill(getpid(), SIGRTMIN));
  OK(kill(getpid(), SIGUSR1));
  OK(raise(SIGRTMIN + 1));  // to the thread itself, which goes first
  WAIT_EXIT(FORK(_exit(3)), 3);
  CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN + 1);
  CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
  CHECK_EQ(sigwaitinfo(&set, &info), SIGCHLD);
  CHECK_EQ(info.si_status, 3);
  int taken;
  ZERO(sigwait(&set, &taken));
  CHECK_EQ(taken, SIGRTMIN);
  FAILS(syscall(SYS_rt_sigtimedwait, (void*)8, NULL, &zero, 8), EFAULT);
  return 0;
}
