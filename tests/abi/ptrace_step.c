// ptrace(2): single steps and breakpoints.
#include "trace.h"

// Ten instructions, of which some know the flags; the label stands behind the last.
extern const char steps_begin[], steps_end[];
__attribute__((naked, noinline, used)) static void steps(void) {
  __asm__(
      "steps_begin:\n\t"
      "nop\n\t"
      "xor %eax, %eax\n\t"
      "mov $3, %ecx\n\t"
      "1: inc %eax\n\t"
      "dec %ecx\n\t"
      "jnz 1b\n\t"
      "steps_end:\n\t"
      "ret\n\t");
}
enum { kSteps = 3 + 3 * 3 };

static void step(pid_t pid) {
  TRACE(PTRACE_SINGLESTEP, pid, 0, 0);
  STOPS(pid, SIGTRAP);
}

static void set_rip(pid_t pid, const void* to) {
  struct user_regs_struct regs = trace_regs(pid);
  regs.rip = (unsigned long)to;
  regs.orig_rax = -1;
  TRACE(PTRACE_SETREGS, pid, 0, &regs);
}

static void counts(void) {
  pid_t pid = TRACED(pause());
  set_rip(pid, steps_begin);
  for (int i = 0; i < kSteps; ++i) {
    step(pid);
    struct user_regs_struct regs = trace_regs(pid);
    CHECK(!(regs.eflags & 0x100));  // the trap flag is not the program's
    siginfo_t info = trace_info(pid);
    CHECK_EQ(info.si_signo, SIGTRAP);
    CHECK_EQ(info.si_code, TRAP_TRACE);
    CHECK_EQ((unsigned long)info.si_addr, regs.rip);
    if (i == 0) CHECK_EQ(regs.rip, (unsigned long)steps_begin + 1);
  }
  CHECK_EQ(trace_regs(pid).rip, (unsigned long)steps_end);
  CHECK_EQ(trace_regs(pid).rax, 3);
  TRACE(PTRACE_KILL, pid, 0, 0);
  GONE(pid, SIGKILL);
}

extern const char call_begin[], call_end[];
__attribute__((naked, noinline, used)) static void call(void) {
  __asm__(
      "call_begin:\n\t"
      "mov $39, %eax\n\t"  // getpid
      "syscall\n\t"
      "call_end:\n\t"
      "nop\n\t"
      "hlt\n\t");
}

// A step over a system call ends behind it.
static void over_calls(void) {
  pid_t pid = TRACED(pause());
  set_rip(pid, call_begin);
  step(pid);
  step(pid);
  CHECK_EQ(trace_regs(pid).rip, (unsigned long)call_end);
  CHECK_EQ(trace_regs(pid).rax, pid);
  CHECK_EQ(trace_info(pid).si_code, TRAP_BRKPT);
  step(pid);
  CHECK_EQ(trace_regs(pid).rip, (unsigned long)call_end + 1);
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, SIGSEGV);
  TRACE(PTRACE_KILL, pid, 0, 0);
  GONE(pid, SIGKILL);
}

static volatile sig_atomic_t handled;
static void handler(int signal) { handled = signal; }

// A step with a signal ends at the handler's first instruction, one out of it where it came.
static void into_handlers(void) {
  pid_t pid = TRACED(abi_handle(SIGUSR1, handler, 0); raise(SIGUSR1); CHECK_EQ(handled, SIGUSR1));
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, SIGUSR1);
  unsigned long from = trace_regs(pid).rip;
  TRACE(PTRACE_SINGLESTEP, pid, 0, SIGUSR1);
  STOPS(pid, SIGTRAP);
  CHECK_EQ(trace_regs(pid).rip, (unsigned long)handler);
  CHECK_EQ(trace_regs(pid).rdi, SIGUSR1);
  CHECK_EQ(trace_info(pid).si_code, SIGTRAP);
  int n = 0;
  do {
    step(pid);
    CHECK(++n < 100);
  } while (trace_regs(pid).rip != from);
  CHECK(n > 3);
  TRACE(PTRACE_CONT, pid, 0, 0);
  GONE(pid, 0);
}

__attribute__((noinline)) static int broken_at(int x) {
  __asm__ volatile("" : "+r"(x));
  return x + 1;
}

static void breakpoints(void) {
  pid_t pid = TRACED(CHECK_EQ(broken_at(1), 2); CHECK_EQ(broken_at(2), 3));
  long text = trace_peek(pid, (const void*)broken_at);
  TRACE(PTRACE_POKETEXT, pid, broken_at, (text & ~0xffL) | 0xcc);
  for (int i = 0; i < 2; ++i) {
    TRACE(PTRACE_CONT, pid, 0, 0);
    STOPS(pid, SIGTRAP);
    CHECK_EQ(trace_info(pid).si_code, SI_KERNEL);
    CHECK_EQ(trace_regs(pid).rip, (unsigned long)broken_at + 1);
    CHECK_EQ(trace_regs(pid).rdi, i + 1);
    // The usual way over it.
    set_rip(pid, (const void*)broken_at);
    TRACE(PTRACE_POKETEXT, pid, broken_at, text);
    step(pid);
    TRACE(PTRACE_POKETEXT, pid, broken_at, (text & ~0xffL) | 0xcc);
  }
  TRACE(PTRACE_CONT, pid, 0, 0);
  GONE(pid, 0);
  CHECK_EQ(broken_at(1), 2);  // ours is another page
}

// Steps through page faults and preemption, with the flag gone afterwards.
static void many(void) {
  volatile char* memory = OK(mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  pid_t pid = TRACED(for (int i = 0; i < 4000; ++i) memory[(i & 15) << 12] = 1; unsigned long flags;
                     __asm__ volatile("pushf; pop %0"
                                      : "=r"(flags));
                     _exit(flags & 0x100 ? 1 : 0));
  for (int i = 0; i < 400; ++i) step(pid);
  TRACE(PTRACE_CONT, pid, 0, 0);
  GONE(pid, 0);
}

int main(void) {
  counts();
  over_calls();
  into_handlers();
  breakpoints();
  many();
  return 0;
}
