// kill(2), tgkill(2): targets and permissions.
#include "abi.h"

static atomic_int* g_shared;
static volatile pid_t g_tid;

static void note(int signal) {
  (void)signal;
  g_tid = abi_tid();
}

static void* waits(void* arg) {
  *(volatile pid_t*)arg = abi_tid();
  while (g_tid == 0) sched_yield();
  return NULL;
}

int main(void) {
  g_shared = abi_shared(4096);
  FAILS(kill(0x3fffffff, 0), ESRCH);
  FAILS(kill(getpid(), -1), EINVAL);
  OK(kill(getpid(), 0));
  FAILS(syscall(SYS_tgkill, getpid(), 0x3fffffff, 0), ESRCH);
  FAILS(syscall(SYS_tgkill, 0, abi_tid(), 0), EINVAL);
  FAILS(syscall(SYS_tgkill, getpid(), -1, 0), EINVAL);
  FAILS(syscall(SYS_tkill, 0, 0), EINVAL);
  FAILS(kill(INT32_MIN, 0), ESRCH);

  // A thread named is the one that runs the handler.
  abi_handle(SIGUSR1, note, 0);
  pthread_t thread;
  volatile pid_t tid = 0;
  ZERO(pthread_create(&thread, NULL, waits, (void*)&tid));
  while (tid == 0) sched_yield();
  OK(syscall(SYS_tgkill, getpid(), tid, SIGUSR1));
  ZERO(pthread_join(thread, NULL));
  CHECK_EQ(g_tid, tid);
  FAILS(syscall(SYS_tgkill, getppid(), abi_tid(), 0), ESRCH);  // not of that process

  // The group: all of it and only it.
  pid_t pid = FORK({
    OK(setpgid(0, 0));
    pid_t a = FORK(for (;;) pause());
    pid_t b = FORK(OK(setpgid(0, 0)); atomic_store(g_shared, 1); for (;;) pause());
    abi_await(g_shared, 1);
    abi_handle(SIGTERM, SIG_IGN, 0);
    OK(kill(0, SIGTERM));
    WAIT_SIGNAL(a, SIGTERM);
    CHECK_EQ(waitpid(b, NULL, WNOHANG), 0);
    OK(kill(-b, SIGTERM));
    WAIT_SIGNAL(b, SIGTERM);
    FAILS(kill(-b, SIGTERM), ESRCH);
  });
  WAIT_OK(pid);

  // Another user's process is out of reach, one's own is not.
  pid_t root = FORK(for (;;) pause());
  pid_t user = FORK({
    OK(setresuid(1000, 1000, 1000));
    atomic_store(g_shared, 2);
    for (;;) pause();
  });
  abi_await(g_shared, 2);
  IN_CHILD({
    OK(setresuid(1000, 1000, 1000));
    FAILS(kill(root, 0), EPERM);
    OK(kill(root, SIGCONT));  // but SIGCONT goes to all of one's session
    OK(setsid());
    FAILS(kill(root, SIGCONT), EPERM);
  });
  IN_CHILD({
    OK(setresuid(1000, 2000, 2000));  // the real uid of the sender is enough
    OK(kill(user, 0));
  });
  IN_CHILD({
    OK(setresuid(2000, 2000, 2000));
    FAILS(kill(user, 0), EPERM);
    FAILS(syscall(SYS_tgkill, user, user, 0), EPERM);
  });
  OK(kill(user, SIGKILL));
  OK(kill(root, SIGKILL));
  WAIT_SIGNAL(user, SIGKILL);
  WAIT_SIGNAL(root, SIGKILL);

  // Many signals to one child, none lost as a whole: it ends with the last.
  pid = FORK({
    abi_handle(SIGUSR2, note, 0);
    atomic_store(g_shared, 3);
    for (;;) pause();
  });
  abi_await(g_shared, 3);
  for (int i = 0; i < 200; i++) OK(kill(pid, SIGUSR2));
  OK(kill(pid, SIGTERM));
  WAIT_SIGNAL(pid, SIGTERM);
  return 0;
}
