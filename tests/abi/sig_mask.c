// Blocking, pending, queueing order: sigprocmask(2), sigpending(2), signal(7).
#include "abi.h"

static int g_order[64], g_values[64];
static volatile int g_count;

static void note(int signal, siginfo_t* info, void* context) {
  (void)context;
  g_order[g_count] = signal;
  g_values[g_count++] = info->si_value.sival_int;
}

int main(void) {
  sigset_t set, old, pending;
  sigfillset(&set);
  OK(sigprocmask(SIG_SETMASK, &set, &old));
  OK(sigprocmask(SIG_BLOCK, NULL, &pending));
  CHECK(!sigismember(&pending, SIGKILL));  // these two never
  CHECK(!sigismember(&pending, SIGSTOP));
  CHECK(sigismember(&pending, SIGUSR1));
  int all[] = {SIGUSR1, SIGUSR2, SIGTERM, SIGRTMIN, SIGRTMIN + 1};
  for (int i = 0; i < 5; i++) abi_handle_info(all[i], note, 0);

  // An ordinary signal is pending once, a real-time one as often as it was sent.
  for (int i = 0; i < 3; i++) {
    OK(sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = i}));
    OK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 100 + i}));
    OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 200 + i}));
  }
  OK(raise(SIGUSR1));
  OK(sigpending(&pending));
  CHECK(sigismember(&pending, SIGUSR1) && sigismember(&pending, SIGUSR2) && sigismember(&pending, SIGRTMIN));
  CHECK(!sigismember(&pending, SIGTERM));
  CHECK_EQ(g_count, 0);

  // With all handlers blocking nothing of the others: the last one set up runs first; real-time ones are
  // delivered from the lowest number on, each in order. With the handler's mask full they run one after
  // another.
  struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
  sigfillset(&action.sa_mask);
  for (int i = 0; i < 5; i++) OK(sigaction(all[i], &action, NULL));
  OK(sigprocmask(SIG_SETMASK, &old, NULL));
  CHECK_EQ(g_count, 8);
  int want[] = {SIGUSR1, SIGUSR2, SIGRTMIN, SIGRTMIN, SIGRTMIN, SIGRTMIN + 1, SIGRTMIN + 1, SIGRTMIN + 1};
  int values[] = {-1, 0, 200, 201, 202, 100, 101, 102};
  for (int i = 0; i < 8; i++) {
    CHECK_EQ(g_order[i], want[i]);
    if (i > 0) CHECK_EQ(g_values[i], values[i]);
  }
  OK(sigpending(&pending));
  CHECK(!sigismember(&pending, SIGUSR1));

  // Ignoring discards what is pending; so does the default of one that is ignored by default.
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGCHLD);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  OK(raise(SIGUSR1));
  abi_handle(SIGUSR1, SIG_IGN, 0);
  OK(sigpending(&pending));
  CHECK(!sigismember(&pending, SIGUSR1));
  OK(raise(SIGUSR1));  // blocked and ignored: kept out or in, it has no effect
  abi_handle(SIGUSR1, SIG_IGN, 0);
  OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
  CHECK_EQ(g_count, 8);

  FAILS(sigprocmask(77, &set, NULL), EINVAL);
  OK(syscall(SYS_rt_sigprocmask, 77, NULL, NULL, 8));  // how does not matter without a set
  FAILS(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 16), EINVAL);
  FAILS(syscall(SYS_rt_sigprocmask, SIG_BLOCK, (void*)8, NULL, 8), EFAULT);
  FAILS(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, (void*)8, 8), EFAULT);
  FAILS(syscall(SYS_rt_sigpending, (void*)8, 8), EFAULT);
  FAILS(syscall(SYS_rt_sigpending, &set, 9), EINVAL);
  return 0;
}
