// execve(2): arguments, environment, identity, and what is reset.
#include <sys/prctl.h>

#include "abi.h"

static int child(int argc, char** argv, char** envp) {
  CHECK_EQ(argc, 5);
  CHECK_STR(argv[2], "");
  CHECK_STR(argv[3], "two words");
  CHECK_STR(envp[0], "A=1");
  CHECK_STR(envp[1], "B=");
  CHECK_STR(envp[2], "odd");
  CHECK_EQ(envp[3], NULL);
  CHECK_EQ(getpid(), atoi(argv[4]));

  struct sigaction action;
  OK(sigaction(SIGUSR1, NULL, &action));
  CHECK_EQ(action.sa_handler, SIG_DFL);  // a handler is gone
  OK(sigaction(SIGUSR2, NULL, &action));
  CHECK_EQ(action.sa_handler, SIG_IGN);  // ignoring stays
  sigset_t set;
  OK(sigprocmask(SIG_BLOCK, NULL, &set));
  CHECK(sigismember(&set, SIGWINCH));
  OK(sigpending(&set));
  CHECK(sigismember(&set, SIGWINCH));  // pending stays
  stack_t stack;
  OK(sigaltstack(NULL, &stack));
  CHECK(stack.ss_flags & SS_DISABLE);

  FAILS(fcntl(50, F_GETFD), EBADF);
  CHECK_EQ(fcntl(51, F_GETFD), 0);
  CHECK(alarm(0) > 0);
  char name[16] = "";
  OK(prctl(PR_GET_NAME, name));
  CHECK_STR(name, "proc_exec");
  return 17;
}

int main(int argc, char** argv, char** envp) {
  if (argc > 1 && strcmp(argv[1], "child") == 0) return child(argc, argv, envp);

  pid_t pid = FORK({
    char number[16];
    snprintf(number, sizeof(number), "%d", getpid());
    abi_handle(SIGUSR1, (void (*)(int))(uintptr_t)abort, 0);
    abi_handle(SIGUSR2, SIG_IGN, 0);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGWINCH);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    abi_handle(SIGWINCH, (void (*)(int))(uintptr_t)abort, 0);
    OK(raise(SIGWINCH));
    stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
    OK(sigaltstack(&stack, NULL));
    OK(dup3(0, 50, O_CLOEXEC));
    OK(dup2(0, 51));
    OK(alarm(1000));
    OK(prctl(PR_SET_NAME, "other"));
    char* args[] = {"shown", "child", "", "two words", number, NULL};
    char* env[] = {"A=1", "B=", "odd", NULL};
    OK(execve(argv[0], args, env));
  });
  WAIT_EXIT(pid, 17);

  abi_scratch();
  char* args[] = {"x", NULL};
  FAILS(execv("missing", args), ENOENT);
  FAILS(execv(".", args), EACCES);
  FAILS(execv("/dev/null", args), EACCES);
  abi_put("plain", "x");
  FAILS(execv("plain", args), EACCES);
  FAILS(execv("plain/x", args), ENOTDIR);
  OK(chmod("plain", 0755));
  FAILS(execv("plain", args), ENOEXEC);
  abi_put("empty", "");
  OK(chmod("empty", 0755));
  FAILS(execv("empty", args), ENOEXEC);
  OK(symlink("loop", "loop"));
  FAILS(execv("loop", args), ELOOP);
  FAILS(syscall(SYS_execve, (void*)8, args, NULL), EFAULT);
  FAILS(syscall(SYS_execve, argv[0], (void*)8, NULL), EFAULT);
  char* bad[] = {"x", (char*)8, NULL};
  FAILS(syscall(SYS_execve, argv[0], bad, NULL), EFAULT);

  // execveat(2): by descriptor.
  int fd = OK(open(argv[0], O_RDONLY | O_CLOEXEC));
  pid = FORK({
    char* a[] = {"proc_exec", "child", NULL};
    OK(syscall(SYS_execveat, fd, "", a, NULL, AT_EMPTY_PATH));
  });
  WAIT_EXIT(pid, 1);  // it ran: the child's first check does not hold
  FAILS(syscall(SYS_execveat, fd, "", args, NULL, 0), ENOENT);
  return 0;
}
