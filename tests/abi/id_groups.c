// Process groups and sessions: setpgid(2), setsid(2), getpgid(2), orphaned groups.
#include "abi.h"

int main(int argc, char** argv) {
  if (argc > 1) {
    atoi(argv[1]) ? (void)0 : _exit(2);
    char c;
    CHECK_EQ(read(0, &c, 1), 0);
    return 0;
  }
  atomic_int* word = abi_shared(4096);
  pid_t pid = FORK({
    CHECK_EQ(getpgid(0), getpgid(getppid()));  // inherited
    CHECK_EQ(getpgrp(), getpgid(0));
    CHECK_EQ(getsid(0), getsid(getppid()));
    OK(setpgid(0, 0));
    CHECK_EQ(getpgid(0), getpid());
    OK(setpgid(0, 0));
    FAILS(setsid(), EPERM);  // a leader of a group
    pid_t child = FORK({
      CHECK_EQ(setsid(), getpid());
      CHECK_EQ(getsid(0), getpid());
      CHECK_EQ(getpgid(0), getpid());
      FAILS(setpgid(0, 0), EPERM);  // a leader of a session
      atomic_store(word, 1);
      abi_await(word, 2);
    });
    abi_await(word, 1);
    FAILS(setpgid(child, child), EPERM);  // in another session
    FAILS(setpgid(0, child), EPERM);      // a group of another session
    atomic_store(word, 2);
    WAIT_OK(child);
    // A child's group can be set by its parent until it execs.
    child = FORK({
      abi_await(word, 3);
      CHECK_EQ(getpgid(0), getpid());
      atomic_store(word, 4);
      for (;;) pause();
    });
    OK(setpgid(child, child));
    CHECK_EQ(getpgid(child), child);
    atomic_store(word, 3);
    abi_await(word, 4);
    pid_t second = FORK(for (;;) pause());
    OK(setpgid(second, child));
    CHECK_EQ(getpgid(second), child);
    OK(kill(-child, SIGKILL));
    WAIT_SIGNAL(second, SIGKILL);
    WAIT_SIGNAL(child, SIGKILL);
    FAILS(setpgid(second, second), ESRCH);
  });
  WAIT_OK(pid);

  int fds[2], done[2];
  OK(pipe(fds));
  OK(pipe2(done, O_CLOEXEC));
  pid = FORK({
    OK(dup2(fds[0], 0));
    OK(close(fds[1]));
    char* args[] = {argv[0], "1", NULL};
    OK(execv(argv[0], args));
  });
  OK(close(done[1]));
  char c;
  CHECK_EQ(read(done[0], &c, 1), 0);  // it has exec'ed
  FAILS(setpgid(pid, pid), EACCES);
  OK(close(fds[1]));
  WAIT_OK(pid);

  FAILS(setpgid(0x3fffffff, 0), ESRCH);
  FAILS(setpgid(0, -1), EINVAL);
  FAILS(setpgid(getppid(), 0), ESRCH);
  FAILS(getpgid(0x3fffffff), ESRCH);
  FAILS(getpgid(-1), ESRCH);
  FAILS(getsid(0x3fffffff), ESRCH);

  // A group that becomes orphaned with a stopped member gets SIGHUP and SIGCONT.
  atomic_store(word, 0);
  pid_t parent = FORK({
    OK(setsid());  // so that whoever adopts it is not of the session
    pid_t stopped = FORK({
      OK(setpgid(0, 0));
      atomic_store(word + 1, getpid());
      raise(SIGSTOP);
      for (;;) pause();
    });
    int status;
    CHECK_EQ(waitpid(stopped, &status, WUNTRACED), stopped);
    CHECK(WIFSTOPPED(status));
  });
  WAIT_OK(parent);
  while (kill(atomic_load(word + 1), 0) == 0 && abi_state(atomic_load(word + 1)) != 'Z') sched_yield();

  // Stops of the terminal do nothing in an orphaned group.
  IN_CHILD({
    OK(setsid());
    OK(raise(SIGTSTP));
    OK(raise(SIGTTIN));
  });
  return 0;
}
