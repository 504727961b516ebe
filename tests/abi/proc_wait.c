// wait4(2), waitid(2): forms of status, selection of children, options.
#include <sys/resource.h>

#include "abi.h"

int main(void) {
  int status;
  // Statuses: low eight bits of the argument.
  WAIT_EXIT(FORK(_exit(0)), 0);
  WAIT_EXIT(FORK(_exit(255)), 255);
  WAIT_EXIT(FORK(_exit(256 + 3)), 3);
  WAIT_EXIT(FORK(_exit(-1)), 255);
  WAIT_SIGNAL(FORK(raise(SIGTERM)), SIGTERM);
  WAIT_SIGNAL(FORK(raise(SIGKILL)), SIGKILL);
  WAIT_EXIT(FORK(syscall(SYS_exit, 9)), 9);

  // None left, none ready.
  FAILS(waitpid(-1, NULL, 0), ECHILD);
  FAILS(waitpid(-1, NULL, WNOHANG), ECHILD);
  FAILS(waitpid(getpid(), NULL, 0), ECHILD);
  int fds[2];
  OK(pipe(fds));
  pid_t pid = FORK(char c; OK(close(fds[1])); CHECK_EQ(read(fds[0], &c, 1), 0); _exit(12));
  CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
  siginfo_t info = {.si_pid = 99, .si_signo = 99};
  OK(waitid(P_ALL, 0, &info, WEXITED | WNOHANG));
  CHECK_EQ(info.si_pid, 0);
  CHECK_EQ(info.si_signo, 0);
  FAILS(waitid(P_PID, pid, &info, WNOHANG), EINVAL);  // must name a kind of change
  FAILS(waitid(P_PID, pid, &info, WEXITED | 0x40), EINVAL);
  FAILS(waitpid(pid, NULL, 0x40), EINVAL);
  FAILS(waitid(77, 0, &info, WEXITED), EINVAL);
  OK(close(fds[1]));

  // Looked at without taking it, as often as one likes.
  for (int i = 0; i < 3; i++) {
    memset(&info, 0, sizeof(info));
    OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
    CHECK_EQ(info.si_signo, SIGCHLD);
    CHECK_EQ(info.si_code, CLD_EXITED);
    CHECK_EQ(info.si_pid, pid);
    CHECK_EQ(info.si_uid, getuid());
    CHECK_EQ(info.si_status, 12);
  }
  OK(kill(pid, 0));  // a zombie is still there
  struct rusage usage;
  CHECK_EQ(wait4(pid, &status, 0, &usage), pid);
  CHECK_EQ(status, 12 << 8);
  CHECK(usage.ru_maxrss >= 0);
  FAILS(kill(pid, 0), ESRCH);

  pid = FORK(raise(SIGSEGV));
  OK(waitid(P_PID, pid, &info, WEXITED));
  CHECK(info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED);
  CHECK_EQ(info.si_status, SIGSEGV);

  // By process group.
  pid_t a = FORK(_exit(1));
  pid_t b = FORK(OK(setpgid(0, 0)); _exit(2));
  CHECK_EQ(waitpid(0, &status, 0), a);
  CHECK_EQ(WEXITSTATUS(status), 1);
  OK(waitid(P_PID, b, &info, WEXITED | WNOWAIT));
  FAILS(waitpid(0, &status, 0), ECHILD);
  CHECK_EQ(waitpid(-b, &status, 0), b);
  CHECK_EQ(WEXITSTATUS(status), 2);

  // A bad pointer loses the child's status but not the child's name.
  pid = FORK(_exit(0));
  OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
  FAILS(waitpid(pid, (int*)8, 0), EFAULT);
  FAILS(waitpid(pid, &status, 0), ECHILD);

  // Children of those who ignore SIGCHLD leave no zombie.
  IN_CHILD({
    abi_handle(SIGCHLD, SIG_IGN, 0);
    FORK(_exit(3));
    FAILS(waitpid(-1, NULL, 0), ECHILD);
  });
  IN_CHILD({
    abi_handle(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
    FORK(_exit(3));
    FAILS(waitpid(-1, NULL, 0), ECHILD);
  });
  return 0;
}
