// Faults of the program: signal number, code and address: sigaction(2).
#include <setjmp.h>
#include <sys/ucontext.h>

#include "abi.h"

static sigjmp_buf g_back;
static volatile siginfo_t g_info;
static volatile greg_t g_rip, g_trap, g_error, g_cr2;

static void handler(int signal, siginfo_t* info, void* context) {
  (void)signal;
  const ucontext_t* uc = context;
  g_info = *info;
  g_rip = uc->uc_mcontext.gregs[REG_RIP];
  g_trap = uc->uc_mcontext.gregs[REG_TRAPNO];
  g_error = uc->uc_mcontext.gregs[REG_ERR];
  g_cr2 = uc->uc_mcontext.gregs[REG_CR2];
  siglongjmp(g_back, 1);
}

// The statement raises the signal.
#define RAISES(statement, signal, code)         \
  do {                                          \
    g_info = (siginfo_t){0};                    \
    if (sigsetjmp(g_back, 1) == 0) {            \
      statement;                                \
      FAIL("%s: raised no signal", #statement); \
    }                                           \
    CHECK_EQ(g_info.si_signo, signal);          \
    CHECK_EQ(g_info.si_code, code);             \
  } while (0)

int main(void) {
  int signals[] = {SIGSEGV, SIGFPE, SIGILL, SIGBUS, SIGTRAP};
  for (int i = 0; i < 5; i++) abi_handle_info(signals[i], handler, 0);
  char* page = OK(mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  OK(munmap(page + 4096, 4096));

  RAISES(*(volatile int*)16 = 1, SIGSEGV, SEGV_MAPERR);
  CHECK_EQ(g_info.si_addr, 16);
  CHECK_EQ(g_trap, 14);
  CHECK_EQ(g_error & 7, 6);  // a write from user mode to a page that is not there
  CHECK_EQ(g_cr2, 16);
  RAISES((void)*(volatile char*)(page + 4096 + 77), SIGSEGV, SEGV_MAPERR);
  CHECK_EQ(g_info.si_addr, page + 4096 + 77);
  RAISES(*(volatile char*)(page + 5) = 1, SIGSEGV, SEGV_ACCERR);
  CHECK_EQ(g_info.si_addr, page + 5);
  CHECK_EQ(*page, 0);
  RAISES(*(volatile char*)(page + 6) = 1, SIGSEGV, SEGV_ACCERR);
  CHECK_EQ(g_error & 7, 7);
  RAISES(((void (*)(void))page)(), SIGSEGV, SEGV_ACCERR);
  CHECK_EQ(g_info.si_addr, page);
  CHECK_EQ(g_rip, page);
  RAISES(((void (*)(void))24)(), SIGSEGV, SEGV_MAPERR);
  CHECK_EQ(g_info.si_addr, 24);
  OK(mprotect(page, 4096, PROT_NONE));
  RAISES((void)*(volatile char*)page, SIGSEGV, SEGV_ACCERR);

  // The kernel's half, and addresses that are none.
  RAISES((void)*(volatile char*)0xffffffff81000000UL, SIGSEGV, SEGV_MAPERR);
  RAISES(*(volatile char*)0xffff888000000000UL = 1, SIGSEGV, SEGV_MAPERR);
  RAISES((void)*(volatile char*)0x8000000000000000UL, SIGSEGV, SI_KERNEL);
  CHECK_EQ(g_info.si_addr, 0);

  // Arithmetic.
  volatile int zero = 0, one = 1;
  RAISES(one = one / zero, SIGFPE, FPE_INTDIV);
  CHECK_EQ(g_info.si_addr, g_rip);
  CHECK_EQ(g_trap, 0);
  volatile int lowest = INT32_MIN, minus = -1;
  RAISES(one = lowest / minus, SIGFPE, FPE_INTDIV);
  unsigned short control = 0x37b;  // division by zero unmasked
  RAISES(__asm__ volatile("fldcw %0; fldz; fld1; fdivp; fwait" ::"m"(control)), SIGFPE, FPE_FLTDIV);
  __asm__ volatile("fninit");

  // Instructions.
  RAISES(__asm__ volatile("ud2"), SIGILL, ILL_ILLOPN);
  CHECK_EQ(g_info.si_addr, g_rip);
  CHECK_EQ(*(uint16_t*)g_rip, 0x0b0f);
  RAISES(__asm__ volatile("int3"), SIGTRAP, SI_KERNEL);
  CHECK_EQ(*(uint8_t*)(g_rip - 1), 0xcc);
  RAISES(__asm__ volatile("hlt"), SIGSEGV, SI_KERNEL);
  CHECK_EQ(g_trap, 13);
  RAISES(__asm__ volatile("cli"), SIGSEGV, SI_KERNEL);
  RAISES(__asm__ volatile("mov %%cr3, %%rax" ::: "rax"), SIGSEGV, SI_KERNEL);
  RAISES(__asm__ volatile("wrmsr" ::"a"(0), "c"(0), "d"(0)), SIGSEGV, SI_KERNEL);
  RAISES(__asm__ volatile("outb %%al, $0x80" ::"a"(0)), SIGSEGV, SI_KERNEL);
  RAISES(__asm__ volatile("int $0x40"), SIGSEGV, SI_KERNEL);
  CHECK_EQ(g_trap, 13);
  CHECK_EQ(*(uint16_t*)g_rip, 0x40cd);
  RAISES(__asm__ volatile("int $14"), SIGSEGV, SI_KERNEL);
  RAISES(__asm__ volatile(".byte 0xcd, 3"), SIGTRAP, SI_KERNEL);
  CHECK_EQ(g_trap, 3);
  CHECK_EQ(*(uint16_t*)(g_rip - 2), 0x03cd);
  RAISES(__asm__ volatile("int $4"), SIGSEGV, SI_KERNEL);
  CHECK_EQ(g_trap, 4);
  CHECK_EQ(*(uint16_t*)(g_rip - 2), 0x04cd);
  RAISES(__asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; nop; nop" ::
                              : "memory", "cc"),
         SIGTRAP, TRAP_TRACE);

  // A blocked fault kills all the same, so does one in an ignoring program.
  WAIT_SIGNAL(FORK({
                sigset_t set;
                sigfillset(&set);
                OK(sigprocmask(SIG_BLOCK, &set, NULL));
                *(volatile int*)16 = 1;
              }),
              SIGSEGV);
  WAIT_SIGNAL(FORK(abi_handle(SIGILL, SIG_IGN, 0); __asm__ volatile("ud2")), SIGILL);
  return 0;
}
