// The init of a PID namespace and signals (pid_namespaces(7), "The namespace init process").
#include <mqueue.h>
#include <sys/socket.h>

#include "abi.h"

static pid_t clone_with(unsigned long flags) {
  return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}

static volatile sig_atomic_t seen, sender;
static void note(int signal, siginfo_t* info, void* context) {
  (void)context;
  seen = signal;
  sender = info->si_pid;
}

static int ready[2], go[2];
static void tell(void) { CHECK_EQ(write(ready[1], "", 1), 1); }
static void await_told(void) {
  char c;
  CHECK_EQ(read(ready[0], &c, 1), 1);
}
static void await_go(void) {
  char c;
  while (read(go[0], &c, 1) != 1) CHECK_EQ(errno, EINTR);
}
static void let_go(void) { CHECK_EQ(write(go[1], "", 1), 1); }

// From inside: only what it handles.
static void from_inside(void) {
  pid_t init = OK(clone_with(CLONE_NEWPID));
  if (init == 0) {
    const int kDeadly[] = {SIGKILL, SIGTERM, SIGUSR1, SIGSTOP, SIGTSTP, SIGSEGV, SIGRTMIN};
    for (unsigned i = 0; i < sizeof(kDeadly) / sizeof(kDeadly[0]); i++) {
      IN_CHILD(OK(kill(1, kDeadly[i])));
      OK(kill(1, kDeadly[i]));
    }
    abi_handle_info(SIGUSR1, note, SA_RESTART);
    IN_CHILD({
      CHECK_EQ(getpid(), 2 + (int)(sizeof(kDeadly) / sizeof(kDeadly[0])));
      OK(kill(1, SIGUSR1));
    });
    CHECK_EQ(seen, SIGUSR1);
    CHECK_EQ(sender, 2 + (int)(sizeof(kDeadly) / sizeof(kDeadly[0])));
    // What it blocks waits, and goes when it has no handler by then.
    sigset_t set, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    OK(kill(1, SIGTERM));
    OK(sigpending(&pending));
    CHECK(sigismember(&pending, SIGTERM));
    OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
    _exit(7);
  }
  WAIT_EXIT(init, 7);
}

// From above: what it handles, and SIGKILL and SIGSTOP.
static void from_above(void) {
  pid_t init = OK(clone_with(CLONE_NEWPID));
  if (init == 0) {
    abi_handle_info(SIGUSR1, note, 0);
    tell();
    await_go();
    CHECK_EQ(seen, SIGUSR1);
    CHECK_EQ(sender, 0);  // nobody here
    tell();
    for (;;) pause();
  }
  await_told();
  OK(kill(init, SIGTERM));
  OK(kill(init, SIGUSR1));
  let_go();
  await_told();
  OK(kill(init, SIGSTOP));
  int status;
  CHECK_EQ(OK(waitpid(init, &status, WUNTRACED)), init);
  CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
  OK(kill(init, SIGCONT));
  CHECK_EQ(OK(waitpid(init, &status, WCONTINUED)), init);
  CHECK(WIFCONTINUED(status));
  OK(kill(init, SIGKILL));
  WAIT_SIGNAL(init, SIGKILL);
}

// A fault kills it like anybody else.
static void faults(void) {
  pid_t init = OK(clone_with(CLONE_NEWPID));
  if (init == 0) {
    *(volatile int*)8 = 1;
    _exit(0);
  }
  int status = WAIT_STATUS(init);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

// kill(-1) from inside reaches those inside, without init and the caller.
static void everybody(void) {
  pid_t outside = FORK({
    tell();
    await_go();
  });
  await_told();
  pid_t init = OK(clone_with(CLONE_NEWPID));
  if (init == 0) {
    pid_t victim = FORK(for (;;) pause());
    IN_CHILD(OK(kill(-1, SIGKILL)));
    WAIT_SIGNAL(victim, SIGKILL);
    FAILS(kill(-1, SIGKILL), ESRCH);
    _exit(0);
  }
  WAIT_OK(init);
  let_go();
  WAIT_OK(outside);
}

// Signals of its own choice come from inside, whoever sends them.
static void chosen(void) {
  pid_t init = OK(clone_with(CLONE_NEWPID));
  if (init == 0) {
    int pair[2];
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    OK(fcntl(pair[0], F_SETOWN, getpid()));
    OK(fcntl(pair[0], F_SETSIG, SIGKILL));
    OK(fcntl(pair[0], F_SETFL, O_ASYNC));
    CHECK_EQ(write(pair[1], "", 1), 1);
    OK(fcntl(pair[0], F_SETSIG, SIGSTOP));
    CHECK_EQ(write(pair[1], "", 1), 1);
    // A child that ends with one.
    pid_t child = OK((pid_t)syscall(SYS_clone, SIGKILL, 0, 0, 0, 0));
    if (child == 0) _exit(0);
    CHECK_EQ(waitpid(child, NULL, __WALL), child);
    // A queue that tells of a message with one.
    struct mq_attr attr = {.mq_maxmsg = 1, .mq_msgsize = 8};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    mqd_t queue = OK(mq_open("/ns_pid_init", O_CREAT | O_RDWR, 0600, &attr));
    OK(mq_unlink("/ns_pid_init"));
    OK(mq_notify(queue, &event));
    OK(mq_send(queue, "x", 1, 0));
    _exit(9);
  }
  WAIT_EXIT(init, 9);
}

int main(void) {
  OK(pipe(ready));
  OK(pipe(go));
  from_inside();
  from_above();
  faults();
  everybody();
  chosen();
  return 0;
}
