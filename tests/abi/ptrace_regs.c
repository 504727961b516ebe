// ptrace(2): registers, one by one and in sets.
#include <asm/prctl.h>
#include <cpuid.h>

#include "trace.h"

#define OFFSET(name) offsetof(struct user, name)

// A tracee that stands at getppid(2) with known registers.
static pid_t start(void) {
  pid_t pid = TRACED(pause());
  return pid;
}

static void one_by_one(void) {
  pid_t pid = start();
  struct user_regs_struct regs = trace_regs(pid);
  CHECK_EQ(regs.cs, 0x33);
  CHECK_EQ(regs.ss, 0x2b);
  CHECK_EQ(regs.ds | regs.es | regs.fs | regs.gs, 0);
  CHECK_EQ(regs.orig_rax, SYS_tgkill);
  unsigned long fs = 0;
  OK(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs));
  CHECK_EQ(regs.fs_base, fs);  // of a fork
  CHECK_EQ(regs.gs_base, 0);
  unsigned long value = 0;
  TRACE(PTRACE_PEEKUSER, pid, OFFSET(regs.rip), &value);
  CHECK_EQ(value, regs.rip);
  TRACE(PTRACE_POKEUSER, pid, OFFSET(regs.r13), 0x1234567812345678);
  TRACE(PTRACE_POKEUSER, pid, OFFSET(regs.gs_base), 0x5000);
  TRACE(PTRACE_PEEKUSER, pid, OFFSET(regs.gs_base), &value);
  CHECK_EQ(value, 0x5000);
  CHECK_EQ(trace_regs(pid).r13, 0x1234567812345678);
  TRACE_FAILS(PTRACE_POKEUSER, pid, OFFSET(regs.fs_base), 1ul << 63, EIO);
  TRACE_FAILS(PTRACE_POKEUSER, pid, OFFSET(regs.cs), 0x10, EIO);
  TRACE_FAILS(PTRACE_POKEUSER, pid, OFFSET(regs.ss), 0, EIO);
  TRACE_FAILS(PTRACE_PEEKUSER, pid, 3, &value, EIO);
  TRACE_FAILS(PTRACE_PEEKUSER, pid, 928, &value, EIO);  // the kernel's struct user
  TRACE(PTRACE_PEEKUSER, pid, OFFSET(u_tsize), &value);
  CHECK_EQ(value, 0);
  TRACE_FAILS(PTRACE_POKEUSER, pid, OFFSET(u_tsize), 1, EIO);
  // Only some flags can be set.
  TRACE(PTRACE_POKEUSER, pid, OFFSET(regs.eflags), ~0x100ul);
  TRACE(PTRACE_PEEKUSER, pid, OFFSET(regs.eflags), &value);
  CHECK_EQ(value & 0x3000, 0);
  CHECK_EQ(value & 0x200, 0x200);
  CHECK_EQ(value & 0xcd5, 0xcd5);
  TRACE(PTRACE_PEEKUSER, pid, OFFSET(u_debugreg[7]), &value);
  TRACE_FAILS(PTRACE_POKEUSER, pid, OFFSET(u_debugreg[4]), 1, EIO);
  TRACE(PTRACE_POKEUSER, pid, OFFSET(u_debugreg[7]), 0);
  TRACE(PTRACE_KILL, pid, 0, 0);
  GONE(pid, SIGKILL);
}

static void sets(void) {
  pid_t pid = start();
  struct user_regs_struct regs, all = trace_regs(pid);
  memset(&regs, 0xee, sizeof(regs));
  struct iovec v = {&regs, sizeof(regs) + 64};
  TRACE(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v);
  CHECK_EQ(v.iov_len, sizeof(regs));
  CHECK_EQ(memcmp(&regs, &all, sizeof(regs)), 0);
  v.iov_len = 16;
  TRACE(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v);
  CHECK_EQ(v.iov_len, 16);
  v.iov_len = 17;
  TRACE_FAILS(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v, EINVAL);
  v.iov_len = sizeof(regs);
  TRACE_FAILS(PTRACE_GETREGSET, pid, 0x777, &v, EINVAL);
  TRACE_FAILS(PTRACE_GETREGSET, pid, NT_PRSTATUS, 8, EFAULT);
  // A part of a set.
  regs.r15 = 77;
  regs.r14 = 78;
  v.iov_len = 8;
  TRACE(PTRACE_SETREGSET, pid, NT_PRSTATUS, &v);
  CHECK_EQ(trace_regs(pid).r15, 77);
  CHECK_EQ(trace_regs(pid).r14, all.r14);
  TRACE(PTRACE_KILL, pid, 0, 0);
  GONE(pid, SIGKILL);
}

typedef float Vec __attribute__((vector_size(16)));

// The tracee keeps a value in xmm7, stops, and looks what became of it.
static void vectors(void) {
  pid_t pid = FORK(TRACE(PTRACE_TRACEME, 0, 0, 0); Vec out; long self = getpid();
                   __asm__ volatile("movq %1, %%xmm7\n\t"
                                    "mov $62, %%eax\n\t"  // kill
                                    "mov %2, %%rdi\n\t"
                                    "mov $19, %%esi\n\t"
                                    "syscall\n\t"
                                    "movaps %%xmm7, %0"
                                    : "=m"(out)
                                    : "r"(0x1111222233334444), "r"(self)
                                    : "rax", "rdi", "rsi", "rcx", "r11", "xmm7", "memory");
                   _exit(((unsigned long*)&out)[0] == 0x99 && ((unsigned long*)&out)[1] == 0xaa ? 0 : 1));
  STOPS(pid, SIGSTOP);
  struct user_fpregs_struct fp, again;
  TRACE(PTRACE_GETFPREGS, pid, 0, &fp);
  CHECK_EQ(*(unsigned long*)&fp.xmm_space[7 * 4], 0x1111222233334444);
  CHECK_EQ(fp.mxcsr, 0x1f80);
  CHECK_EQ(fp.cwd, 0x37f);
  struct iovec v = {&again, sizeof(again)};
  TRACE(PTRACE_GETREGSET, pid, NT_FPREGSET, &v);
  CHECK_EQ(v.iov_len, 512);
  CHECK_EQ(memcmp(&fp, &again, sizeof(fp)), 0);
  ((unsigned long*)&fp.xmm_space[7 * 4])[0] = 0x99;
  ((unsigned long*)&fp.xmm_space[7 * 4])[1] = 0xab;
  TRACE(PTRACE_SETFPREGS, pid, 0, &fp);
  TRACE(PTRACE_GETFPREGS, pid, 0, &again);
  CHECK_EQ(memcmp(&fp, &again, sizeof(fp)), 0);
  fp.mxcsr = 0xffffffff;
  TRACE_FAILS(PTRACE_SETFPREGS, pid, 0, &fp, EINVAL);

  unsigned a, b, c, d;
  __cpuid_count(13, 0, a, b, c, d);
  static char image[16384];
  v.iov_base = image;
  v.iov_len = sizeof(image);
  TRACE(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &v);
  CHECK_EQ(v.iov_len, b);
  size_t size = v.iov_len;
  unsigned long xcr0 = *(unsigned long*)(image + 464), in_use = *(unsigned long*)(image + 512);
  CHECK_EQ(xcr0 & 3, 3);
  CHECK_EQ(in_use & ~xcr0, 0);
  unsigned long* xmm7 = (unsigned long*)(image + 160 + 7 * 16);
  CHECK_EQ(xmm7[0], 0x99);
  CHECK_EQ(xmm7[1], 0xab);
  xmm7[1] = 0xaa;
  TRACE(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &v);
  v.iov_len = size - 8;
  TRACE_FAILS(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &v, EFAULT);
  v.iov_len = size;
  image[512 + 16] = 1;  // reserved
  TRACE_FAILS(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &v, EINVAL);
  TRACE(PTRACE_CONT, pid, 0, 0);
  GONE(pid, 0);
}

static long called(long a, long b) { _exit((int)(a * 10 + b)); }

// A call made from outside, out of an interrupted system call, as debuggers do.
static volatile long nested_done;
__attribute__((noinline)) static long nested(long a) {
  nested_done = a;
  __asm__ volatile("int3");
  return 0;
}
static void calls(void) {
  pid_t pid = start();
  struct user_regs_struct regs = trace_regs(pid);
  regs.rip = (unsigned long)called;
  regs.rdi = 4;
  regs.rsi = 2;
  regs.rsp = (regs.rsp & ~15ul) - 256 - 8;
  regs.orig_rax = -1;
  TRACE(PTRACE_SETREGS, pid, 0, &regs);
  TRACE(PTRACE_CONT, pid, 0, 0);
  GONE(pid, 42 << 8);

  int pipes[2];
  OK(pipe(pipes));
  char c;
  pid = FORK(CHECK_EQ(read(pipes[0], &c, 1), 1); CHECK_EQ(nested_done, 5));
  abi_await_state(pid, 'S');
  TRACE(PTRACE_ATTACH, pid, 0, 0);
  STOPS(pid, SIGSTOP);
  struct user_regs_struct saved = regs = trace_regs(pid);
  CHECK_EQ(saved.rax, -512);
  regs.rip = (unsigned long)nested;
  regs.rdi = 5;
  regs.rsp = (regs.rsp & ~15ul) - 256 - 8;
  regs.orig_rax = -1;
  TRACE(PTRACE_SETREGS, pid, 0, &regs);
  TRACE(PTRACE_CONT, pid, 0, 0);
  STOPS(pid, SIGTRAP);
  TRACE(PTRACE_SETREGS, pid, 0, &saved);  // and the call begins again
  TRACE(PTRACE_CONT, pid, 0, 0);
  CHECK_EQ(write(pipes[1], "x", 1), 1);
  GONE(pid, 0);
}

int main(void) {
  one_by_one();
  sets();
  vectors();
  calls();
  return 0;
}
