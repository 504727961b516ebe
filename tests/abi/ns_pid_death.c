// When the init of a PID namespace dies, so do all others in it, and nobody is born there any more.
#include <sys/prctl.h>
#include <sys/ptrace.h>

#include "abi.h"

static pid_t clone_with(unsigned long flags) {
  return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}

static void all_die(void) {
  int end[2];
  OK(pipe(end));
  pid_t init = OK(clone_with(CLONE_NEWPID));
  if (init == 0) {
    OK(close(end[0]));
    abi_handle(SIGTERM, SIG_IGN, 0);
    for (int i = 0; i < 3; i++)
      FORK({
        OK(setsid());
        FORK(for (;;) pause());
        for (;;) pause();
      });
    _exit(5);
  }
  OK(close(end[1]));
  // Who waits for init hears when the others are gone.
  WAIT_EXIT(init, 5);
  char c;
  CHECK_EQ(read(end[0], &c, 1), 0);
  OK(close(end[0]));
}

static void deeper_ones_too(void) {
  int end[2];
  OK(pipe(end));
  pid_t init = OK(clone_with(CLONE_NEWPID));
  if (init == 0) {
    int ready[2];
    char c;
    OK(pipe(ready));
    pid_t inner = OK(clone_with(CLONE_NEWPID));
    if (inner == 0) {
      FORK(for (;;) pause());
      CHECK_EQ(write(ready[1], "", 1), 1);
      for (;;) pause();
    }
    CHECK_EQ(read(ready[0], &c, 1), 1);
    OK(kill(inner, SIGKILL));
    WAIT_SIGNAL(inner, SIGKILL);
    pid_t second = OK(clone_with(CLONE_NEWPID));
    if (second == 0)
      for (;;) pause();
    _exit(0);
  }
  OK(close(end[1]));
  WAIT_OK(init);
  char c;
  CHECK_EQ(read(end[0], &c, 1), 0);
  OK(close(end[0]));
}

static void no_more_births(void) {
  IN_CHILD({
    OK(unshare(CLONE_NEWPID));
    pid_t first = FORK(CHECK_EQ(getpid(), 1));
    CHECK(first > 1);
    WAIT_OK(first);
    FAILS(fork(), ENOMEM);
    FAILS(clone_with(0), ENOMEM);
  });
}

// Orphans go to the init of their namespace.
static void orphans(void) {
  pid_t init = OK(clone_with(CLONE_NEWPID));
  if (init == 0) {
    int told[2];
    OK(pipe(told));
    pid_t child = FORK({
      FORK({
        while (getppid() != 1) sched_yield();
        pid_t me = getpid();
        CHECK_EQ(write(told[1], &me, sizeof(me)), sizeof(me));
      });
    });
    WAIT_OK(child);
    pid_t orphan;
    CHECK_EQ(read(told[0], &orphan, sizeof(orphan)), sizeof(orphan));
    WAIT_OK(orphan);
    FAILS(wait(NULL), ECHILD);
    _exit(0);
  }
  WAIT_OK(init);
}

// A subreaper above the namespace does not get them; one inside does.
static void subreapers(void) {
  IN_CHILD({
    OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
    pid_t init = OK(clone_with(CLONE_NEWPID));
    if (init == 0) {
      IN_CHILD({
        OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
        pid_t me = getpid();
        pid_t child = FORK({
          FORK({
            while (getppid() != me) sched_yield();
          });
        });
        WAIT_OK(child);
        CHECK(OK(wait(NULL)) > 1);
      });
      _exit(0);
    }
    WAIT_OK(init);
    FAILS(wait(NULL), ECHILD);
  });
}

// The signal at a parent's death is from above: init gets it.
static void parent_death(void) {
  int end[2];
  char c;
  OK(pipe(end));
  pid_t parent = FORK({
    int ready[2];
    OK(pipe(ready));
    pid_t init = OK(clone_with(CLONE_NEWPID));
    if (init == 0) {
      OK(prctl(PR_SET_PDEATHSIG, SIGKILL));
      CHECK_EQ(write(ready[1], "", 1), 1);
      for (;;) pause();
    }
    CHECK_EQ(read(ready[0], &c, 1), 1);
  });
  OK(close(end[1]));
  WAIT_OK(parent);
  CHECK_EQ(read(end[0], &c, 1), 0);
}

// It has ended, and is not reaped.
static void await_end(pid_t child) {
  siginfo_t info;
  OK(waitid(P_PID, child, &info, WEXITED | WNOWAIT | __WALL));
}

// Init lets go of those whom it traces, and waits for none in particular.
static void traced(void) {
  pid_t init = OK(clone_with(CLONE_NEWPID));
  if (init == 0) {
    pid_t child = FORK(for (;;) pause());
    OK(ptrace(PTRACE_ATTACH, child, NULL, NULL));
    int status = WAIT_STATUS(child);
    CHECK(WIFSTOPPED(status));
    // One that is dead already, and waits for its tracer.
    pid_t dead = FORK({
      OK(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
      _exit(3);
    });
    await_end(dead);
    // And one who is its grandchild.
    int told[2];
    OK(pipe(told));
    FORK({
      pid_t grandchild = FORK(for (;;) pause());
      CHECK_EQ(write(told[1], &grandchild, sizeof(grandchild)), sizeof(grandchild));
      for (;;) pause();
    });
    pid_t grandchild;
    CHECK_EQ(read(told[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
    OK(ptrace(PTRACE_SEIZE, grandchild, NULL, NULL));
    _exit(6);
  }
  WAIT_EXIT(init, 6);
}

// With whatever signal its children end.
static void other_signals(void) {
  const int kSignals[] = {0, SIGUSR1, SIGKILL};
  for (unsigned i = 0; i < sizeof(kSignals) / sizeof(kSignals[0]); i++) {
    pid_t init = OK(clone_with(CLONE_NEWPID));
    if (init == 0) {
      for (int n = 0; n < 3; n++) {
        pid_t child = OK((pid_t)syscall(SYS_clone, kSignals[i], 0, 0, 0, 0));
        if (child == 0)
          for (;;) pause();
      }
      pid_t dead = OK((pid_t)syscall(SYS_clone, kSignals[i], 0, 0, 0, 0));
      if (dead == 0) _exit(0);
      await_end(dead);
      _exit(8);
    }
    WAIT_EXIT(init, 8);
  }
}

int main(void) {
  all_die();
  deeper_ones_too();
  no_more_births();
  orphans();
  subreapers();
  parent_death();
  traced();
  other_signals();
  return 0;
}
