// Signal handlers: siginfo of each way to send, flags, masks during the handler: sigaction(2).
#include <sys/ucontext.h>

#include "abi.h"

static volatile siginfo_t g_info;
static volatile int g_count, g_depth, g_deepest;

static void note(int signal, siginfo_t* info, void* context) {
  CHECK_EQ(signal, info->si_signo);
  CHECK(context != NULL);
  g_info = *info;
  g_count++;
}

static void nest(int signal) {
  g_count++;
  if (++g_depth > g_deepest) g_deepest = g_depth;
  if (g_count < 3) raise(signal);
  g_depth--;
}

static void masks(int signal) {
  sigset_t set;
  OK(sigprocmask(SIG_BLOCK, NULL, &set));
  CHECK(sigismember(&set, signal));
  CHECK(sigismember(&set, SIGUSR2));
  CHECK(!sigismember(&set, SIGTERM));
  CHECK(!sigismember(&set, SIGKILL));
  g_count++;
}

int main(void) {
  abi_handle_info(SIGUSR1, note, 0);
  OK(kill(getpid(), SIGUSR1));
  CHECK_EQ(g_count, 1);  // delivered before kill returns
  CHECK_EQ(g_info.si_code, SI_USER);
  CHECK_EQ(g_info.si_pid, getpid());
  CHECK_EQ(g_info.si_uid, getuid());
  OK(syscall(SYS_tgkill, getpid(), abi_tid(), SIGUSR1));
  CHECK_EQ(g_info.si_code, SI_TKILL);
  CHECK_EQ(g_info.si_pid, getpid());
  OK(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 4711}));
  CHECK_EQ(g_info.si_code, SI_QUEUE);
  CHECK_EQ(g_info.si_value.sival_int, 4711);
  pid_t parent = getpid();
  pid_t pid = FORK(OK(kill(parent, SIGUSR1)));
  while (g_count < 4) sched_yield();
  WAIT_OK(pid);
  CHECK_EQ(g_info.si_pid, pid);

  // SIGCHLD tells of the end of a child.
  abi_handle_info(SIGCHLD, note, 0);
  pid = FORK(_exit(5));
  while (g_count < 5) sched_yield();
  CHECK_EQ(g_info.si_code, CLD_EXITED);
  CHECK_EQ(g_info.si_pid, pid);
  CHECK_EQ(g_info.si_status, 5);
  CHECK_EQ(g_info.si_uid, getuid());
  WAIT_EXIT(pid, 5);
  pid = FORK(raise(SIGKILL));
  while (g_count < 6) sched_yield();
  CHECK_EQ(g_info.si_code, CLD_KILLED);
  CHECK_EQ(g_info.si_status, SIGKILL);
  WAIT_SIGNAL(pid, SIGKILL);
  pid = FORK(raise(SIGSTOP));
  while (g_count < 7) sched_yield();
  CHECK_EQ(g_info.si_code, CLD_STOPPED);
  CHECK_EQ(g_info.si_status, SIGSTOP);
  abi_handle_info(SIGCHLD, note, SA_NOCLDSTOP);
  OK(kill(pid, SIGCONT));
  while (g_count < 8) sched_yield();
  WAIT_OK(pid);
  CHECK_EQ(g_info.si_code, CLD_EXITED);
  abi_handle(SIGCHLD, SIG_DFL, 0);

  g_count = 0;
  abi_handle(SIGUSR1, nest, 0);
  OK(raise(SIGUSR1));
  CHECK_EQ(g_count, 3);
  CHECK_EQ(g_deepest, 1);  // blocked within its handler
  g_count = 0;
  abi_handle(SIGUSR1, nest, SA_NODEFER);
  OK(raise(SIGUSR1));
  CHECK_EQ(g_deepest, 3);

  g_count = 0;
  struct sigaction action = {.sa_handler = masks};
  sigaddset(&action.sa_mask, SIGUSR2);
  sigaddset(&action.sa_mask, SIGKILL);
  OK(sigaction(SIGUSR1, &action, NULL));
  OK(raise(SIGUSR1));
  CHECK_EQ(g_count, 1);
  sigset_t set;
  OK(sigprocmask(SIG_BLOCK, NULL, &set));
  CHECK(!sigismember(&set, SIGUSR1) && !sigismember(&set, SIGUSR2));

  struct sigaction old;
  abi_handle_info(SIGUSR1, note, (int)SA_RESETHAND);
  OK(sigaction(SIGUSR1, NULL, &old));
  CHECK_EQ(old.sa_sigaction, note);
  CHECK(old.sa_flags & SA_SIGINFO);
  CHECK(old.sa_flags & (int)SA_RESETHAND);
  OK(raise(SIGUSR1));
  OK(sigaction(SIGUSR1, NULL, &old));
  CHECK_EQ(old.sa_handler, SIG_DFL);
  WAIT_SIGNAL(FORK(raise(SIGUSR1)), SIGUSR1);

  // Default actions.
  int kills[] = {SIGHUP,  SIGINT,    SIGPIPE, SIGALRM,  SIGTERM, SIGUSR2,
                 SIGPROF, SIGVTALRM, SIGIO,   SIGRTMIN, SIGRTMAX};
  for (size_t i = 0; i < sizeof(kills) / sizeof(kills[0]); i++) WAIT_SIGNAL(FORK(raise(kills[i])), kills[i]);
  int ignored[] = {SIGCHLD, SIGCONT, SIGURG, SIGWINCH};
  for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) IN_CHILD(OK(raise(ignored[i])));
  FAILS(sigaction(65, &action, NULL), EINVAL);
  FAILS(kill(getpid(), 65), EINVAL);
  FAILS(syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, 4), EINVAL);
  FAILS(syscall(SYS_rt_sigaction, SIGUSR1, (void*)8, NULL, 8), EFAULT);
  return 0;
}
