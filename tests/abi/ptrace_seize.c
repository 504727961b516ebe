// ptrace(2): PTRACE_SEIZE, INTERRUPT and LISTEN.
#include "trace.h"

#define STOP_EVENT(signal) ((signal) | PTRACE_EVENT_STOP << 8)

static void interrupts(void) {
  int pipes[2];
  OK(pipe(pipes));
  char c;
  pid_t pid = FORK(CHECK_EQ(read(pipes[0], &c, 1), 1); _exit(3));
  abi_await_state(pid, 'S');
  TRACE(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD);
  CHECK_EQ(abi_state(pid), 'S');  // it does not stop by this
  TRACE_FAILS(PTRACE_CONT, pid, 0, 0, ESRCH);
  TRACE(PTRACE_INTERRUPT, pid, 0, 0);
  STOPS(pid, STOP_EVENT(SIGTRAP));
  siginfo_t info = trace_info(pid);
  CHECK_EQ(info.si_signo, SIGTRAP);
  CHECK_EQ(info.si_code, STOP_EVENT(SIGTRAP));
  CHECK_EQ(trace_regs(pid).rax, -512);
  TRACE(PTRACE_SYSCALL, pid, 0, 0);
  STOPS(pid, SYSCALL_STOP);
  CHECK_EQ(trace_regs(pid).orig_rax, SYS_read);
  // In a stop: one more after it.
  TRACE(PTRACE_INTERRUPT, pid, 0, 0);
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, STOP_EVENT(SIGTRAP));
  TRACE(PTRACE_CONT, pid, 0, 0);
  write(pipes[1], "x", 1);
  GONE(pid, 3 << 8);
}

static void listens(void) {
  pid_t pid = FORK(for (;;) pause());
  TRACE(PTRACE_SEIZE, pid, 0, 0);
  OK(kill(pid, SIGSTOP));
  STOPS(pid, SIGSTOP);
  TRACE(PTRACE_CONT, pid, 0, SIGSTOP);
  STOPS(pid, STOP_EVENT(SIGSTOP));
  CHECK_EQ(trace_info(pid).si_code, STOP_EVENT(SIGSTOP));
  TRACE(PTRACE_LISTEN, pid, 0, 0);
  TRACE_FAILS(PTRACE_CONT, pid, 0, 0, ESRCH);
  CHECK_EQ(waitpid(pid, NULL, WNOHANG | __WALL), 0);
  // It stays where it is, but the end of the stop is told.
  OK(kill(pid, SIGCONT));
  STOPS(pid, STOP_EVENT(SIGTRAP));
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, SIGCONT);
  TRACE_FAILS(PTRACE_LISTEN, pid, 0, 0, EIO);
  TRACE(PTRACE_CONT, pid, 0, SIGCONT);
  // An interrupt ends listening, too.
  OK(kill(pid, SIGTSTP));
  STOPS(pid, SIGTSTP);
  TRACE(PTRACE_CONT, pid, 0, SIGTSTP);
  STOPS(pid, STOP_EVENT(SIGTSTP));
  TRACE(PTRACE_LISTEN, pid, 0, 0);
  TRACE(PTRACE_INTERRUPT, pid, 0, 0);
  STOPS(pid, STOP_EVENT(SIGTSTP));
  TRACE(PTRACE_DETACH, pid, 0, 0);
  abi_await_state(pid, 'T');
  OK(kill(pid, SIGKILL));
  WAIT_SIGNAL(pid, SIGKILL);
}

// Whoever is stopped when it is seized says so.
static void stopped_before(void) {
  pid_t pid = FORK(raise(SIGSTOP); _exit(2));
  abi_await_state(pid, 'T');
  TRACE(PTRACE_SEIZE, pid, 0, 0);
  STOPS(pid, STOP_EVENT(SIGSTOP));
  TRACE(PTRACE_CONT, pid, 0, 0);
  GONE(pid, 2 << 8);
}

// Children of a seized task begin with the event, and no SIGSTOP of their own.
static void children(void) {
  int pipes[2];
  OK(pipe(pipes));
  char c;
  pid_t pid = FORK(CHECK_EQ(read(pipes[0], &c, 1), 1); IN_CHILD(_exit(0)); _exit(1));
  TRACE(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEFORK);
  write(pipes[1], "x", 1);
  STOPS(pid, EVENT(PTRACE_EVENT_FORK));
  pid_t child = (pid_t)trace_message(pid);
  STOPS(child, STOP_EVENT(SIGTRAP));
  TRACE(PTRACE_CONT, child, 0, 0);
  GONE(child, 0);
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, SIGCHLD);
  TRACE(PTRACE_DETACH, pid, 0, SIGCHLD);
  WAIT_EXIT(pid, 1);
}

int main(void) {
  interrupts();
  listens();
  stopped_before();
  children();
  return 0;
}
