// Orphans get a new parent: the nearest subreaper, else the first process.
#include <sys/prctl.h>

#include "abi.h"

int main(void) {
  atomic_int* word = abi_shared(4096);
  OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
  int is = 0;
  OK(prctl(PR_GET_CHILD_SUBREAPER, &is));
  CHECK_EQ(is, 1);
  pid_t middle = FORK({
    CHECK_EQ(prctl(PR_GET_CHILD_SUBREAPER, &is), 0);
    CHECK_EQ(is, 0);  // not inherited
    pid_t self = getpid();
    pid_t orphan = FORK({
      CHECK_EQ(getppid(), self);
      atomic_store(word + 1, 1);
      abi_await(word, 1);
      CHECK_EQ(getppid(), *(word + 2));
      _exit(44);
    });
    atomic_store(word + 3, orphan);
    abi_await(word + 1, 1);
    _exit(3);
  });
  atomic_store(word + 2, getpid());
  WAIT_EXIT(middle, 3);
  atomic_store(word, 1);
  WAIT_EXIT(atomic_load(word + 3), 44);

  // A zombie child of one who dies comes to us as well.
  middle = FORK({
    pid_t dead = FORK(_exit(45));
    siginfo_t info;
    OK(waitid(P_PID, dead, &info, WEXITED | WNOWAIT));
    atomic_store(word + 3, dead);
  });
  WAIT_OK(middle);
  WAIT_EXIT(atomic_load(word + 3), 45);

  // A parent's death signal.
  atomic_store(word, 0);
  middle = FORK({
    pid_t child = FORK({
      OK(prctl(PR_SET_PDEATHSIG, SIGTERM));
      int signal = 0;
      OK(prctl(PR_GET_PDEATHSIG, &signal));
      CHECK_EQ(signal, SIGTERM);
      atomic_store(word, 2);
      for (;;) pause();
    });
    atomic_store(word + 3, child);
    abi_await(word, 2);
  });
  WAIT_OK(middle);
  WAIT_SIGNAL(atomic_load(word + 3), SIGTERM);

  // Without a subreaper nearby the first process takes over.
  OK(prctl(PR_SET_CHILD_SUBREAPER, 0));
  atomic_store(word, 0);
  middle = FORK({
    pid_t self = getpid();
    FORK({
      while (getppid() == self) sched_yield();
      atomic_store(word, getppid());
    });
  });
  WAIT_OK(middle);
  while (atomic_load(word) == 0) sched_yield();
  CHECK(atomic_load(word) != middle);
  FAILS(waitpid(-1, NULL, 0), ECHILD);
  return 0;
}
