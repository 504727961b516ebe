// The frame of a handler: alignment, red zone, return by longjmp, a context changed, bad frames:
// sigreturn(2).
#include <setjmp.h>
#include <ucontext.h>

#include "abi.h"

static sigjmp_buf g_back;
static volatile int g_count;
static volatile uintptr_t g_frame;

static void on_signal(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)info;
  uintptr_t sp = (uintptr_t)__builtin_frame_address(0);
  CHECK_EQ(sp % 16, 0);  // the return address and rbp lie above it
  const ucontext_t* uc = context;
  // Below the red zone of the code interrupted.
  CHECK((uintptr_t)context < (uintptr_t)uc->uc_mcontext.gregs[REG_RSP] - 128);
  g_frame = (uintptr_t)context;
  g_count++;
}

static void jump(int signal) {
  g_count++;
  siglongjmp(g_back, signal);
}

static void redirect_to(void) { _exit(g_count == 77 ? 33 : 1); }

static void redirect(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)info;
  ucontext_t* uc = context;
  g_count = 77;
  uc->uc_mcontext.gregs[REG_RIP] = (greg_t)redirect_to;
  uc->uc_mcontext.gregs[REG_RSP] &= ~15L;
  uc->uc_mcontext.gregs[REG_RSP] -= 8 + 4096;
}

static void open_mask(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)info;
  ucontext_t* uc = context;
  sigaddset(&uc->uc_sigmask, SIGUSR2);
}

static void spoil(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)info;
  ucontext_t* uc = context;
  // Privileges must not come from a frame.
  uc->uc_mcontext.gregs[REG_EFL] |= 0x3000 | 0x20000;
  g_count++;
}

// Leaves a value in the red zone while a signal arrives.
static long red_zone(void) {
  long value;
  __asm__ volatile(
      "movq $0x12345678, -128(%%rsp)\n movq $0x1765432, -8(%%rsp)\n"
      "mov %[call], %%eax\n syscall\n"
      "mov -128(%%rsp), %[value]\n add -8(%%rsp), %[value]\n"
      : [value] "=&r"(value)
      : [call] "i"(SYS_tgkill), "D"(getpid()), "S"(abi_tid()), "d"(SIGUSR1)
      : "rax", "rcx", "r11", "memory");
  return value;
}

int main(void) {
  abi_handle_info(SIGUSR1, on_signal, 0);
  OK(raise(SIGUSR1));
  CHECK_EQ(g_count, 1);
  CHECK_EQ(red_zone(), 0x12345678 + 0x1765432);
  CHECK_EQ(g_count, 2);

  abi_handle(SIGUSR1, jump, 0);
  g_count = 0;
  for (volatile int i = 0; i < 50; i++) {
    if (sigsetjmp(g_back, 1) == 0) {
      raise(SIGUSR1);
      FAIL("came back");
    }
  }
  CHECK_EQ(g_count, 50);
  abi_handle_info(SIGUSR1, redirect, 0);
  WAIT_EXIT(FORK(raise(SIGUSR1); _exit(2)), 33);
  // The mask in the frame is the one that holds afterwards.
  abi_handle_info(SIGUSR1, open_mask, 0);
  OK(raise(SIGUSR1));
  sigset_t mask;
  OK(sigprocmask(SIG_BLOCK, NULL, &mask));
  CHECK(sigismember(&mask, SIGUSR2));

  abi_handle_info(SIGUSR1, spoil, 0);
  OK(raise(SIGUSR1));
  unsigned long flags;
  __asm__ volatile("pushfq; pop %0" : "=r"(flags));
  CHECK_EQ(flags & 0x3000, 0);
  CHECK(flags & 0x200);
  // A stack that cannot take the frame, and a return without one.
  WAIT_SIGNAL(FORK({
                __asm__ volatile(
                    "mov %%rsp, %%r12\n mov $64, %%rsp\n mov %0, %%eax\n syscall\n mov %%r12, %%rsp" ::"i"(
                        SYS_tgkill),
                    "D"(getpid()), "S"(abi_tid()), "d"(SIGUSR1)
                    : "rax", "rcx", "r11", "r12", "memory");
              }),
              SIGSEGV);
  WAIT_SIGNAL(FORK(__asm__ volatile("mov $8, %%rsp; mov %0, %%eax; syscall" ::"i"(SYS_rt_sigreturn)
                                    : "rax", "memory")),
              SIGSEGV);
  // Contexts made by hand.
  ucontext_t here, other;
  static char stack[65536];
  volatile int phase = 0;
  OK(getcontext(&other));
  other.uc_stack.ss_sp = stack;
  other.uc_stack.ss_size = sizeof(stack);
  other.uc_link = &here;
  makecontext(&other, (void (*)(void))abort, 0);
  OK(getcontext(&here));
  if (phase++ == 0) OK(setcontext(&here));
  CHECK_EQ(phase, 2);
  return 0;
}
