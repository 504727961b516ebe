// ptrace(2): stops at system calls, and what may be done there.
#include "trace.h"

static struct __ptrace_syscall_info info_of(pid_t pid) {
  struct __ptrace_syscall_info info;
  memset(&info, 0xff, sizeof(info));
  long n = TRACE(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info);
  CHECK(n >= 24);
  return info;
}

static void enters_and_leaves(void) {
  pid_t pid = TRACED(syscall(SYS_getpriority, 11, 12, 13, 14, 15, 16); syscall(9999); _exit(0));
  TRACE(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
  CHECK_EQ(info_of(pid).op, PTRACE_SYSCALL_INFO_NONE);
  struct user_regs_struct regs;
  do {
    TRACE(PTRACE_SYSCALL, pid, 0, 0);
    STOPS(pid, SYSCALL_STOP);
    regs = trace_regs(pid);
  } while (regs.orig_rax != SYS_getpriority);
  CHECK_EQ(regs.rax, -ENOSYS);
  CHECK_EQ(regs.rdi, 11);
  CHECK_EQ(regs.r9, 16);
  CHECK_EQ(trace_message(pid), 1);
  struct __ptrace_syscall_info info = info_of(pid);
  CHECK_EQ(info.op, PTRACE_SYSCALL_INFO_ENTRY);
  CHECK_EQ(info.arch, 0xc000003e);
  CHECK_EQ(info.instruction_pointer, regs.rip);
  CHECK_EQ(info.stack_pointer, regs.rsp);
  CHECK_EQ(info.entry.nr, SYS_getpriority);
  for (int i = 0; i < 6; ++i) CHECK_EQ(info.entry.args[i], i + 11);
  CHECK_EQ(TRACE(PTRACE_GET_SYSCALL_INFO, pid, 0, 0), 80);
  siginfo_t si = trace_info(pid);
  CHECK_EQ(si.si_signo, SIGTRAP);
  CHECK_EQ(si.si_code, SIGTRAP | 0x80);
  CHECK_EQ(si.si_pid, pid);
  TRACE(PTRACE_SYSCALL, pid, 0, 0);
  STOPS(pid, SYSCALL_STOP);
  CHECK_EQ(trace_message(pid), 2);
  info = info_of(pid);
  CHECK_EQ(info.op, PTRACE_SYSCALL_INFO_EXIT);
  CHECK_EQ(info.exit.is_error, 1);
  CHECK_EQ(info.exit.rval, -EINVAL);
  CHECK_EQ(trace_regs(pid).rax, -EINVAL);
  CHECK_EQ(trace_regs(pid).orig_rax, SYS_getpriority);
  TRACE(PTRACE_SYSCALL, pid, 0, 0);
  STOPS(pid, SYSCALL_STOP);
  CHECK_EQ(trace_regs(pid).orig_rax, 9999);
  TRACE(PTRACE_SYSCALL, pid, 0, 0);
  STOPS(pid, SYSCALL_STOP);
  CHECK_EQ(trace_regs(pid).rax, -ENOSYS);
  TRACE(PTRACE_SYSCALL, pid, 0, 0);
  STOPS(pid, SYSCALL_STOP);
  CHECK_EQ(trace_regs(pid).orig_rax, SYS_exit_group);
  TRACE(PTRACE_SYSCALL, pid, 0, 0);
  GONE(pid, 0);
}

// Goes to the entry of a call.
static struct user_regs_struct to_entry(pid_t pid, unsigned long number) {
  struct user_regs_struct regs;
  do {
    TRACE(PTRACE_SYSCALL, pid, 0, 0);
    STOPS(pid, SYSCALL_STOP);
    regs = trace_regs(pid);
  } while (regs.orig_rax != number || (long)regs.rax != -ENOSYS);
  return regs;
}

static void changes(void) {
  pid_t pid = TRACED(long a = syscall(SYS_getppid); long b = syscall(SYS_getppid);
                     long c = syscall(SYS_getppid); long d = syscall(SYS_getppid);
                     _exit(a == getpid() && b == -1 && errno == EXDEV && c == 77 && d == 88 ? 0 : 1));
  TRACE(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
  // Another call,
  struct user_regs_struct regs = to_entry(pid, SYS_getppid);
  regs.orig_rax = SYS_getpid;
  TRACE(PTRACE_SETREGS, pid, 0, &regs);
  TRACE(PTRACE_SYSCALL, pid, 0, 0);
  STOPS(pid, SYSCALL_STOP);
  // none but with a result,
  regs = to_entry(pid, SYS_getppid);
  regs.orig_rax = -1;
  regs.rax = -EXDEV;
  TRACE(PTRACE_SETREGS, pid, 0, &regs);
  TRACE(PTRACE_SYSCALL, pid, 0, 0);
  STOPS(pid, SYSCALL_STOP);
  CHECK_EQ(trace_regs(pid).rax, -EXDEV);
  // its result afterwards,
  to_entry(pid, SYS_getppid);
  TRACE(PTRACE_SYSCALL, pid, 0, 0);
  STOPS(pid, SYSCALL_STOP);
  TRACE(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rax), 77);
  // and none made by the kernel.
  while (trace_regs(pid).orig_rax != SYS_getppid || trace_regs(pid).rax == 77) {
    TRACE(PTRACE_SYSEMU, pid, 0, 0);
    STOPS(pid, SYSCALL_STOP);
  }
  TRACE(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rax), 88);
  TRACE(PTRACE_CONT, pid, 0, 0);
  GONE(pid, 0);
}

// Without the option the stop looks like a trap; a signal given there is sent.
static void plain(void) {
  pid_t pid = TRACED(getppid(); pause());
  TRACE(PTRACE_SYSCALL, pid, 0, 0);
  STOPS(pid, SIGTRAP);
  CHECK_EQ(trace_info(pid).si_code, SIGTRAP);
  TRACE(PTRACE_SYSCALL, pid, 0, SIGUSR1);
  STOPS(pid, SIGTRAP);
  TRACE(PTRACE_SYSCALL, pid, 0, 0);
  STOPS(pid, SIGUSR1);
  CHECK_EQ(trace_info(pid).si_code, SI_KERNEL);
  TRACE(PTRACE_CONT, pid, 0, SIGUSR1);
  GONE(pid, SIGUSR1);
}

static void on_usr1(int signal) { (void)signal; }

// The numbers that never leave the kernel are what a tracer sees.
static void restarts(void) {
  int pipes[2];
  OK(pipe(pipes));
  char c;
  pid_t pid = TRACED(abi_handle(SIGUSR1, on_usr1, SA_RESTART); CHECK_EQ(read(pipes[0], &c, 1), 1); _exit(0));
  TRACE(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
  to_entry(pid, SYS_read);
  TRACE(PTRACE_SYSCALL, pid, 0, 0);
  abi_await_state(pid, 'S');
  OK(kill(pid, SIGUSR1));
  STOPS(pid, SYSCALL_STOP);
  CHECK_EQ(trace_regs(pid).rax, -512);
  TRACE(PTRACE_SYSCALL, pid, 0, 0);
  STOPS(pid, SIGUSR1);
  CHECK_EQ(trace_regs(pid).rax, -512);
  CHECK_EQ(trace_regs(pid).orig_rax, SYS_read);
  TRACE(PTRACE_SYSCALL, pid, 0, SIGUSR1);
  STOPS(pid, SYSCALL_STOP);
  CHECK_EQ(trace_regs(pid).orig_rax, SYS_rt_sigreturn);
  TRACE(PTRACE_SYSCALL, pid, 0, 0);
  STOPS(pid, SYSCALL_STOP);
  TRACE(PTRACE_SYSCALL, pid, 0, 0);
  STOPS(pid, SYSCALL_STOP);
  CHECK_EQ(trace_regs(pid).orig_rax, SYS_read);
  TRACE(PTRACE_CONT, pid, 0, 0);
  CHECK_EQ(write(pipes[1], "x", 1), 1);
  GONE(pid, 0);
}

// A tracer that comes during a call sees its restart; one that leaves, nothing any more.
static void attached_in_a_call(void) {
  int pipes[2];
  OK(pipe(pipes));
  char c;
  pid_t pid = FORK(CHECK_EQ(read(pipes[0], &c, 1), 1); _exit(0));
  abi_await_state(pid, 'S');
  TRACE(PTRACE_ATTACH, pid, 0, 0);
  STOPS(pid, SIGSTOP);
  CHECK_EQ(trace_regs(pid).rax, -512);
  TRACE(PTRACE_SYSCALL, pid, 0, 0);
  STOPS(pid, SIGTRAP);
  CHECK_EQ(trace_regs(pid).orig_rax, SYS_read);
  TRACE(PTRACE_DETACH, pid, 0, 0);
  CHECK_EQ(write(pipes[1], "x", 1), 1);
  WAIT_OK(pid);
}

int main(void) {
  enters_and_leaves();
  changes();
  plain();
  restarts();
  attached_in_a_call();
  return 0;
}
