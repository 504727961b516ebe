// ptrace(2): signals on their way to a tracee, and stops of job control.
#include <sys/prctl.h>

#include "trace.h"

static volatile sig_atomic_t got, got_code, got_value;
static void handler(int signal, siginfo_t* info, void* context) {
  (void)context;
  got = signal;
  got_code = info->si_code;
  got_value = info->si_value.sival_int;
}

static void on_the_way(void) {
  pid_t pid = TRACED(for (int s = SIGRTMIN; s < SIGRTMIN + 5; ++s) abi_handle_info(s, handler, 0);
                     raise(SIGRTMIN); CHECK_EQ(got, 0);             // taken away
                     raise(SIGRTMIN); CHECK_EQ(got, SIGRTMIN + 1);  // another in its place
                     CHECK_EQ(got_code, SI_USER); union sigval v = {.sival_int = 7};
                     OK(sigqueue(getpid(), SIGRTMIN + 2, v)); CHECK_EQ(got, SIGRTMIN + 2);
                     CHECK_EQ(got_code, SI_QUEUE); CHECK_EQ(got_value, 7);              // as it was
                     OK(sigqueue(getpid(), SIGRTMIN + 3, v)); CHECK_EQ(got_value, 99);  // with another value
                     raise(SIGCHLD); raise(SIGUSR1));
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, SIGRTMIN);
  siginfo_t info = trace_info(pid);
  CHECK_EQ(info.si_signo, SIGRTMIN);
  CHECK_EQ(info.si_code, SI_TKILL);
  CHECK_EQ(info.si_pid, pid);
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, SIGRTMIN);
  TRACE(PTRACE_CONT, pid, 0, SIGRTMIN + 1);
  STOPS(pid, SIGRTMIN + 2);
  CHECK_EQ(trace_info(pid).si_value.sival_int, 7);
  TRACE(PTRACE_CONT, pid, 0, SIGRTMIN + 2);
  STOPS(pid, SIGRTMIN + 3);
  info = trace_info(pid);
  info.si_value.sival_int = 99;
  TRACE(PTRACE_SETSIGINFO, pid, 0, &info);
  CHECK_EQ(trace_info(pid).si_value.sival_int, 99);
  TRACE(PTRACE_CONT, pid, 0, SIGRTMIN + 3);
  // Even what is ignored is told of.
  STOPS(pid, SIGCHLD);
  TRACE(PTRACE_CONT, pid, 0, SIGCHLD);
  STOPS(pid, SIGUSR1);
  TRACE(PTRACE_CONT, pid, 0, SIGTERM);
  GONE(pid, SIGTERM);
}

static void masks_and_queues(void) {
  pid_t pid = TRACED(sigset_t set; sigfillset(&set); OK(sigprocmask(SIG_SETMASK, &set, NULL)); raise(SIGUSR1);
                     OK(kill(getpid(), SIGUSR2)); syscall(SYS_getppid); pause());
  TRACE(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
  struct user_regs_struct regs;
  do {
    TRACE(PTRACE_SYSCALL, pid, 0, 0);
    STOPS(pid, SYSCALL_STOP);
    regs = trace_regs(pid);
  } while (regs.orig_rax != SYS_getppid);
  uint64_t mask = 0;
  TRACE(PTRACE_GETSIGMASK, pid, 8, &mask);
  CHECK_EQ(mask | 3ull << 31, ~(1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1)));  // glibc keeps two
  TRACE_FAILS(PTRACE_GETSIGMASK, pid, 4, &mask, EINVAL);
  struct __ptrace_peeksiginfo_args args = {.off = 0, .flags = 0, .nr = 4};
  siginfo_t infos[4];
  CHECK_EQ(TRACE(PTRACE_PEEKSIGINFO, pid, &args, infos), 1);
  CHECK_EQ(infos[0].si_signo, SIGUSR1);
  args.flags = PTRACE_PEEKSIGINFO_SHARED;
  CHECK_EQ(TRACE(PTRACE_PEEKSIGINFO, pid, &args, infos), 1);
  CHECK_EQ(infos[0].si_signo, SIGUSR2);
  args.off = 1;
  CHECK_EQ(TRACE(PTRACE_PEEKSIGINFO, pid, &args, infos), 0);
  args.flags = 8;
  TRACE_FAILS(PTRACE_PEEKSIGINFO, pid, &args, infos, EINVAL);
  mask = ~(1ull << (SIGUSR2 - 1));
  TRACE(PTRACE_SETSIGMASK, pid, 8, &mask);
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, SIGUSR2);
  // A signal that is blocked when the tracer gives it waits.
  mask = ~0ull;
  TRACE(PTRACE_SETSIGMASK, pid, 8, &mask);
  TRACE(PTRACE_CONT, pid, 0, SIGUSR2);
  abi_await_state(pid, 'S');
  OK(kill(pid, SIGKILL));
  GONE(pid, SIGKILL);
}

// The parent traces: it sees the signal, then the stop.
static void group_stop(void) {
  pid_t pid = TRACED(raise(SIGTSTP); raise(SIGSTOP); _exit(4));
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, SIGTSTP);
  CHECK_EQ(trace_info(pid).si_signo, SIGTSTP);
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, SIGSTOP);
  CHECK_EQ(trace_info(pid).si_signo, SIGSTOP);
  TRACE(PTRACE_CONT, pid, 0, SIGSTOP);
  STOPS(pid, SIGSTOP);
  siginfo_t info;
  TRACE_FAILS(PTRACE_GETSIGINFO, pid, 0, &info, EINVAL);
  CHECK_EQ(abi_state(pid), 't');
  // The tracer makes it go on though it is stopped.
  TRACE(PTRACE_CONT, pid, 0, 0);
  GONE(pid, 4 << 8);
}

static void attach_to_stopped(void) {
  pid_t pid = FORK(raise(SIGSTOP); _exit(6));
  int status;
  CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
  CHECK_EQ(abi_state(pid), 'T');
  TRACE(PTRACE_ATTACH, pid, 0, 0);
  CHECK_EQ(waitpid(pid, &status, WNOHANG), pid);  // without waiting
  CHECK_EQ(status, SIGSTOP << 8 | 0x7f);
  CHECK_EQ(abi_state(pid), 't');
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, SIGSTOP);
  TRACE(PTRACE_DETACH, pid, 0, 0);  // the stop is still in force
  abi_await_state(pid, 'T');
  OK(kill(pid, SIGCONT));
  WAIT_EXIT(pid, 6);
}

static void tracer_ends(void) {
  int pipes[2];
  OK(pipe(pipes));
  char c;
  pid_t pid = FORK(read(pipes[0], &c, 1); _exit(8));
  IN_CHILD(TRACE(PTRACE_ATTACH, pid, 0, 0); STOPS(pid, SIGSTOP));
  CHECK_STR(trace_status(pid, "TracerPid"), "0");
  write(pipes[1], "x", 1);
  WAIT_EXIT(pid, 8);
  pid = FORK(pause());
  IN_CHILD(TRACE(PTRACE_SEIZE, pid, 0, PTRACE_O_EXITKILL));
  WAIT_SIGNAL(pid, SIGKILL);
}

// SIGCHLD tells of stops, unless nobody wants it; wait(2) does always.
static void tells(void) {
  abi_handle_info(SIGCHLD, handler, 0);
  got = 0;
  pid_t pid = FORK(TRACE(PTRACE_TRACEME, 0, 0, 0); raise(SIGSTOP));
  siginfo_t info;
  while (waitid(P_PID, pid, &info, WEXITED | WSTOPPED | WNOWAIT) != 0) CHECK_EQ(errno, EINTR);
  CHECK_EQ(info.si_code, CLD_TRAPPED);
  CHECK_EQ(info.si_status, SIGSTOP);
  OK(waitid(P_PID, pid, &info, WEXITED));  // stops of tracees come whatever is asked for
  CHECK_EQ(info.si_code, CLD_TRAPPED);
  while (got == 0) sched_yield();
  CHECK_EQ(got_code, CLD_TRAPPED);
  CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
  abi_handle(SIGCHLD, SIG_DFL, 0);
  TRACE(PTRACE_CONT, pid, 0, 0);
  WAIT_OK(pid);
}

static void fault(void) {
  pid_t pid = TRACED(*(volatile int*)16 = 1);
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, SIGSEGV);
  siginfo_t info = trace_info(pid);
  CHECK_EQ(info.si_code, SEGV_MAPERR);
  CHECK_EQ((long)info.si_addr, 16);
  TRACE(PTRACE_CONT, pid, 0, SIGSEGV);
  CHECK_EQ(WTERMSIG(trace_wait(pid)), SIGSEGV);
}

// SIGKILL does not wait for a signal of a lower number that came before it.
static void killed_with_others(void) {
  pid_t pid = FORK(TRACE(PTRACE_TRACEME, 0, 0, 0); raise(SIGSTOP); for (;;) pause());
  STOPS(pid, SIGSTOP);
  OK(kill(pid, SIGHUP));
  OK(kill(pid, SIGTRAP));
  OK(kill(pid, SIGKILL));
  CHECK_EQ(WTERMSIG(trace_wait(pid)), SIGKILL);
}

int main(void) {
  on_the_way();
  killed_with_others();
  masks_and_queues();
  group_stop();
  attach_to_stopped();
  tracer_ends();
  tells();
  fault();
  return 0;
}
