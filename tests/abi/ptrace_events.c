// ptrace(2): the events of PTRACE_SETOPTIONS.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "trace.h"

static void forks(void) {
  pid_t pid = TRACED(pid_t child = OK(fork()); if (child == 0) _exit(5); WAIT_EXIT(child, 5));
  TRACE(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK);
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, EVENT(PTRACE_EVENT_FORK));
  pid_t child = (pid_t)trace_message(pid);
  siginfo_t info = trace_info(pid);
  CHECK_EQ(info.si_code, EVENT(PTRACE_EVENT_FORK));
  CHECK_EQ(info.si_pid, pid);
  STOPS(child, SIGSTOP);
  CHECK_EQ(trace_regs(child).rax, 0);
  TRACE(PTRACE_CONT, child, 0, 0);
  GONE(child, 5 << 8);
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, SIGCHLD);
  TRACE(PTRACE_CONT, pid, 0, SIGCHLD);
  GONE(pid, 0);
}

static void vforks(void) {
  pid_t pid = TRACED(pid_t child = vfork(); if (child == 0) _exit(5); WAIT_EXIT(child, 5));
  TRACE(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE);
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, EVENT(PTRACE_EVENT_VFORK));
  pid_t child = (pid_t)trace_message(pid);
  STOPS(child, SIGSTOP);
  TRACE(PTRACE_CONT, pid, 0, 0);
  TRACE(PTRACE_CONT, child, 0, 0);
  GONE(child, 5 << 8);
  STOPS(pid, EVENT(PTRACE_EVENT_VFORK_DONE));
  CHECK_EQ(trace_message(pid), child);
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, SIGCHLD);
  TRACE(PTRACE_CONT, pid, 0, 0);
  GONE(pid, 0);
}

// The exit signal tells a clone from a fork; CLONE_UNTRACED hides one, CLONE_PTRACE takes one along.
static void clones(void) {
  pid_t pid = TRACED(pid_t a = (pid_t)OK(syscall(SYS_clone, SIGUSR2, 0, 0, 0, 0)); if (a == 0) _exit(1);
                     CHECK_EQ(waitpid(a, NULL, __WALL), a);
                     pid_t b = (pid_t)OK(syscall(SYS_clone, CLONE_UNTRACED, 0, 0, 0, 0));
                     if (b == 0) _exit(2); CHECK_EQ(waitpid(b, NULL, __WALL), b);
                     pid_t c = (pid_t)OK(syscall(SYS_clone, CLONE_PTRACE | SIGCHLD, 0, 0, 0, 0));
                     if (c == 0) _exit(3); WAIT_EXIT(c, 3));
  TRACE(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE);
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, EVENT(PTRACE_EVENT_CLONE));
  pid_t child = (pid_t)trace_message(pid);
  STOPS(child, SIGSTOP);
  TRACE(PTRACE_DETACH, child, 0, 0);
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, SIGUSR2);
  TRACE(PTRACE_CONT, pid, 0, 0);
  int status;
  pid_t third = waitpid(-1, &status, __WALL);
  CHECK(third > 0 && third != pid);
  CHECK_EQ(status, SIGSTOP << 8 | 0x7f);
  TRACE(PTRACE_CONT, third, 0, 0);
  GONE(third, 3 << 8);
  STOPS(pid, SIGCHLD);
  TRACE(PTRACE_CONT, pid, 0, 0);
  GONE(pid, 0);
}

static void executes(void) {
  char* const argv[] = {"/bin/true", NULL};
  pid_t pid = TRACED(execv(argv[0], argv); _exit(1));
  TRACE(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXEC);
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, EVENT(PTRACE_EVENT_EXEC));
  CHECK_EQ(trace_message(pid), pid);
  TRACE(PTRACE_SYSCALL, pid, 0, 0);
  STOPS(pid, SIGTRAP);
  CHECK_EQ(trace_regs(pid).orig_rax, SYS_execve);
  CHECK_EQ(trace_regs(pid).rax, 0);
  TRACE(PTRACE_CONT, pid, 0, 0);
  GONE(pid, 0);
  // Without the option, a plain SIGTRAP of the process itself.
  pid = TRACED(execv(argv[0], argv); _exit(1));
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, SIGTRAP);
  CHECK_EQ(trace_info(pid).si_code, SI_USER);
  CHECK_EQ(trace_info(pid).si_pid, pid);
  TRACE(PTRACE_CONT, pid, 0, 0);
  GONE(pid, 0);
}

static void exits(void) {
  pid_t pid = TRACED(_exit(9));
  TRACE(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT);
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, EVENT(PTRACE_EVENT_EXIT));
  CHECK_EQ(trace_message(pid), 9 << 8);
  long word;
  TRACE(PTRACE_PEEKDATA, pid, trace_regs(pid).rsp, &word);  // its memory is still there
  TRACE(PTRACE_CONT, pid, 0, 0);
  GONE(pid, 9 << 8);
  pid = TRACED(pause());
  TRACE(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT);
  OK(kill(pid, SIGKILL));
  STOPS(pid, EVENT(PTRACE_EVENT_EXIT));
  CHECK_EQ(trace_message(pid), SIGKILL);
  TRACE(PTRACE_CONT, pid, 0, 0);
  GONE(pid, SIGKILL);
}

static void filter(void) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | 1234),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
  OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  OK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

static void to_seccomp(pid_t pid) {
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, EVENT(PTRACE_EVENT_SECCOMP));
  CHECK_EQ(trace_message(pid), 1234);
}

static void seccomp(void) {
  IN_CHILD(filter(); FAILS(syscall(SYS_getppid), ENOSYS));
  pid_t pid = TRACED(filter(); CHECK_EQ(syscall(SYS_getppid), getpid()); FAILS(syscall(SYS_getppid), EXDEV);
                     CHECK_EQ(syscall(SYS_getppid), 55); FAILS(syscall(SYS_getppid), ENOSYS);
                     CHECK(syscall(SYS_getppid) > 0));
  TRACE(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD);
  to_seccomp(pid);
  struct __ptrace_syscall_info info;
  CHECK_EQ(TRACE(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info), 84);
  CHECK_EQ(info.op, PTRACE_SYSCALL_INFO_SECCOMP);
  CHECK_EQ(info.seccomp.nr, SYS_getppid);
  CHECK_EQ(info.seccomp.ret_data, 1234);
  struct user_regs_struct regs = trace_regs(pid);
  CHECK_EQ(regs.orig_rax, SYS_getppid);
  CHECK_EQ(regs.rax, -ENOSYS);
  regs.orig_rax = SYS_getpid;
  TRACE(PTRACE_SETREGS, pid, 0, &regs);
  // What the tracer makes of it is looked at again.
  to_seccomp(pid);
  regs = trace_regs(pid);
  regs.orig_rax = SYS_getpgid;
  TRACE(PTRACE_SETREGS, pid, 0, &regs);
  to_seccomp(pid);
  regs = trace_regs(pid);
  regs.orig_rax = -1;
  regs.rax = 55;
  TRACE(PTRACE_SETREGS, pid, 0, &regs);
  to_seccomp(pid);
  regs = trace_regs(pid);
  regs.orig_rax = 9999;
  TRACE(PTRACE_SETREGS, pid, 0, &regs);
  // Once more, then to the end of the call.
  to_seccomp(pid);
  TRACE(PTRACE_SYSCALL, pid, 0, 0);
  STOPS(pid, SYSCALL_STOP);
  CHECK_EQ(trace_regs(pid).rax, getpid());
  TRACE(PTRACE_CONT, pid, 0, 0);
  GONE(pid, 0);
}

int main(void) {
  forks();
  vforks();
  clones();
  executes();
  exits();
  seccomp();
  return 0;
}
