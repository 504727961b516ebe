// What user code may not execute, and how it is told: SIGSEGV, SIGILL, SIGTRAP, SIGFPE; flags that popf
// leaves alone.
#include <setjmp.h>
#include <ucontext.h>

#include "abi.h"

static sigjmp_buf g_back;
static volatile int g_signal, g_code;
static volatile uintptr_t g_address;

static void handler(int signal, siginfo_t* info, void* context) {
  g_signal = signal, g_code = info->si_code, g_address = (uintptr_t)info->si_addr;
  ((ucontext_t*)context)->uc_mcontext.gregs[REG_EFL] &= ~0x40100l;
  __asm__ volatile("pushfq; andq $~0x40100, (%%rsp); popfq" ::: "memory", "cc");
  siglongjmp(g_back, 1);
}

#define RAISES(code, signal, si)                                  \
  do {                                                            \
    g_signal = 0;                                                 \
    if (sigsetjmp(g_back, 1) == 0) {                              \
      __asm__ volatile(code ::"a"(0), "c"(0), "d"(0) : "memory"); \
      FAIL("%s: no signal", code);                                \
    }                                                             \
    CHECK_EQ(g_signal, signal);                                   \
    CHECK_EQ(g_code, si);                                         \
  } while (0)
#define FORBIDDEN(code)               \
  do {                                \
    RAISES(code, SIGSEGV, SI_KERNEL); \
    CHECK_EQ(g_address, 0);           \
  } while (0)

static void privileged(void) {
  FORBIDDEN("hlt");
  FORBIDDEN("cli");
  FORBIDDEN("sti");
  FORBIDDEN("in $0x80, %%al");
  FORBIDDEN("out %%al, $0x80");
  FORBIDDEN("mov %%cr0, %%rax");
  FORBIDDEN("mov %%rax, %%cr3");
  FORBIDDEN("mov %%cr4, %%rax");
  FORBIDDEN("mov %%rax, %%dr7");
  FORBIDDEN("mov %%dr0, %%rax");
  FORBIDDEN("clts");
  FORBIDDEN("invd");
  FORBIDDEN("wbinvd");
  FORBIDDEN("invlpg (%%rsp)");
  FORBIDDEN("lgdt -16(%%rsp)");
  FORBIDDEN("lidt -16(%%rsp)");
  FORBIDDEN("lldt %%ax");
  FORBIDDEN("ltr %%ax");
  FORBIDDEN("lmsw %%ax");
  FORBIDDEN("rdmsr");
  FORBIDDEN("wrmsr");
  FORBIDDEN("swapgs");
  FORBIDDEN("int $0x20");
  FORBIDDEN("int $0xff");
  FORBIDDEN("mov $0x10, %%eax; mov %%eax, %%ds");  // the kernel's segment
  FORBIDDEN("mov $0x1234, %%eax; mov %%eax, %%fs");
}

static void invalid(void) {
  RAISES("ud2", SIGILL, ILL_ILLOPN);
  CHECK(g_address != 0);
  RAISES(".byte 0x0f, 0xb9, 0xc0", SIGILL, ILL_ILLOPN);  // ud1
  RAISES(".byte 0x06", SIGILL, ILL_ILLOPN);              // push %es: not in 64-bit code
  RAISES(".byte 0xce", SIGILL, ILL_ILLOPN);              // into
  RAISES(".byte 0xf0, 0x90", SIGILL, ILL_ILLOPN);        // lock nop
  RAISES("int3", SIGTRAP, SI_KERNEL);
  // More bytes than an instruction has.
  RAISES(".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x90", SIGSEGV,
         SI_KERNEL);
  RAISES("mov $0x8000000000000000, %%rax; mov (%%rax), %%rax", SIGSEGV, SI_KERNEL);  // not canonical
  RAISES("xor %%eax, %%eax; div %%eax", SIGFPE, FPE_INTDIV);
  RAISES("mov $0x80000000, %%eax; mov $-1, %%ecx; cltd; idiv %%ecx", SIGFPE, FPE_INTDIV);
}

static unsigned long flags(void) {
  unsigned long f;
  __asm__ volatile("pushfq; popq %0" : "=r"(f));
  return f;
}

static void flag_bits(void) {
  unsigned long before = flags();
  CHECK(before & 0x200);  // interrupts are on
  CHECK_EQ(before & 0x3000, 0);
  // IF and the I/O privilege level stay as they are, without a word; ID and NT can be changed.
  __asm__ volatile("pushq %0; popfq" ::"r"((before & ~0x200ul) | 0x3000 | 0x200000) : "cc");
  unsigned long now = flags();
  CHECK_EQ(now & 0x3200, 0x200);
  CHECK(now & 0x200000);
  __asm__ volatile("pushq %0; popfq" ::"r"(before & ~0x200000ul) : "cc");
  CHECK_EQ(flags() & 0x200000, 0);
  // Over a system call the direction flag and alignment checks stay what they were.
  unsigned long after;
  __asm__ volatile("std; syscall; pushfq; popq %%rdx; cld"
                   : "=d"(after)
                   : "a"(SYS_getppid)
                   : "rcx", "r11", "memory");
  CHECK(after & 0x400);
  __asm__ volatile(
      "pushfq; orq $0x40000, (%%rsp); popfq; syscall; pushfq; popq %%rdx; pushfq; andq $~0x40000, (%%rsp); "
      "popfq"
      : "=d"(after)
      : "a"(SYS_getppid)
      : "rcx", "r11", "memory", "cc");
  CHECK(after & 0x40000);
}

int main(void) {
  for (int i = 0; i < 4; i++)
    abi_handle_info((int[]){SIGSEGV, SIGILL, SIGTRAP, SIGFPE}[i], handler, SA_NODEFER);
  privileged();
  invalid();
  flag_bits();
  return 0;
}
