// Stopping and continuing children: wait4(2), waitid(2), signal(7).
#include "abi.h"

int main(void) {
  atomic_int* word = abi_shared(4096);
  int status;
  siginfo_t info;
  pid_t pid = FORK({
    for (;;) {
      atomic_fetch_add(word, 1);
      sched_yield();
      if (atomic_load(word + 1)) _exit(8);
    }
  });
  while (atomic_load(word) < 3) sched_yield();
  OK(kill(pid, SIGSTOP));
  CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
  CHECK(WIFSTOPPED(status));
  CHECK_EQ(WSTOPSIG(status), SIGSTOP);
  CHECK_EQ(status, SIGSTOP << 8 | 0x7f);
  CHECK_EQ(abi_state(pid), 'T');
  int before = atomic_load(word);
  for (int i = 0; i < 20; i++) sched_yield();
  CHECK_EQ(atomic_load(word), before);
  CHECK_EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0);  // told once

  OK(kill(pid, SIGCONT));
  CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
  CHECK(WIFCONTINUED(status));
  CHECK_EQ(status, 0xffff);
  while (atomic_load(word) <= before) sched_yield();

  OK(kill(pid, SIGTSTP));
  OK(waitid(P_PID, pid, &info, WSTOPPED));
  CHECK_EQ(info.si_code, CLD_STOPPED);
  CHECK_EQ(info.si_status, SIGTSTP);
  // A signal for a stopped process waits, SIGKILL does not.
  OK(kill(pid, SIGCONT));
  OK(waitid(P_PID, pid, &info, WCONTINUED));
  CHECK_EQ(info.si_code, CLD_CONTINUED);
  CHECK_EQ(info.si_status, SIGCONT);
  atomic_store(word + 1, 1);
  WAIT_EXIT(pid, 8);

  pid = FORK(for (;;) pause());
  OK(kill(pid, SIGSTOP));
  CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
  OK(kill(pid, SIGTERM));
  CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
  CHECK_EQ(abi_state(pid), 'T');
  OK(kill(pid, SIGCONT));
  WAIT_SIGNAL(pid, SIGTERM);

  pid = FORK(for (;;) pause());
  OK(kill(pid, SIGSTOP));
  CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
  OK(kill(pid, SIGKILL));
  WAIT_SIGNAL(pid, SIGKILL);

  // SIGSTOP can be neither caught, blocked nor ignored.
  FAILS(sigaction(SIGSTOP, &(struct sigaction){.sa_handler = SIG_IGN}, NULL), EINVAL);
  FAILS(sigaction(SIGKILL, &(struct sigaction){.sa_handler = SIG_IGN}, NULL), EINVAL);
  // SIGCONT drops pending stops.
  pid = FORK({
    sigset_t set;
    sigset_t pending;
    sigemptyset(&set);
    sigaddset(&set, SIGTSTP);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    OK(raise(SIGTSTP));
    OK(raise(SIGCONT));
    OK(sigpending(&pending));
    CHECK(!sigismember(&pending, SIGTSTP));
  });
  WAIT_OK(pid);
  return 0;
}
