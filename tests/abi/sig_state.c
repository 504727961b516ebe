// Registers and vector state survive signals; the handler sees them in its frame and may change them:
// sigreturn(2).
#include <cpuid.h>
#include <immintrin.h>
#include <sys/ucontext.h>

#include "abi.h"

static volatile int g_count;
static volatile bool g_change;

static void clobber(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)info;
  ucontext_t* uc = context;
  CHECK(uc->uc_mcontext.fpregs != NULL);
  __asm__ volatile(
      "pxor %%xmm0, %%xmm0; pcmpeqd %%xmm5, %%xmm5; pxor %%xmm15, %%xmm15; fninit; fldz; fldpi" ::
          : "xmm0", "xmm5", "xmm15");
  unsigned odd = 0x7f80;
  __asm__ volatile("ldmxcsr %0" ::"m"(odd));
  if (g_change) {
    CHECK_EQ(uc->uc_mcontext.gregs[REG_R12], 0x1212121212121212);
    uc->uc_mcontext.gregs[REG_R12] = 0x77;
    uc->uc_mcontext.gregs[REG_RAX] = 0x78;
    memset(&uc->uc_mcontext.fpregs->_xmm[3], 0x33, 16);
  }
  g_count++;
}

__attribute__((target("avx"))) static void clobber_avx(int signal) {
  (void)signal;
  _mm256_zeroall();
  g_count++;
}

// Sends SIGUSR1 to this thread by a bare system call, with known values in every register; false if one
// changed.
static int round_trip(void) {
  uint64_t in[4] = {0x0102030405060708, 0x1112131415161718, 0x2122232425262728, 0x3132333435363738},
           out[4] = {0};
  uint64_t rax, rbx, rsi, r8, r12, r15, flags;
  unsigned mxcsr;
  unsigned short control;
  __asm__ volatile(
      "movdqu %[in0], %%xmm0\n movdqu %[in1], %%xmm15\n"
      "mov $0x1313, %%rbx\n mov $0x8888, %%r8\n mov $0x9999, %%r9\n mov $0x1010, %%r10\n"
      "mov $0x1212121212121212, %%r12\n mov $0x1515, %%r15\n"
      "stc\n"
      "syscall\n"
      "pushfq\n pop %[flags]\n"
      "movdqu %%xmm0, %[out0]\n movdqu %%xmm15, %[out1]\n"
      "stmxcsr %[mxcsr]\n fnstcw %[control]\n"
      "mov %%rbx, %[rbx]\n mov %%r12, %[r12]\n mov %%r15, %[r15]\n mov %%r8, %[r8]\n"
      : "=a"(rax), [flags] "=m"(flags), [rbx] "=m"(rbx), [r12] "=m"(r12), [r15] "=m"(r15), [r8] "=m"(r8),
        "=S"(rsi), [out0] "=m"(out[0]), [out1] "=m"(out[2]), [mxcsr] "=m"(mxcsr), [control] "=m"(control)
      : "a"(SYS_tgkill), "D"(getpid()), "S"(abi_tid()), "d"(SIGUSR1), [in0] "m"(in[0]), [in1] "m"(in[2])
      : "rcx", "r11", "rbx", "r8", "r9", "r10", "r12", "r15", "xmm0", "xmm15", "memory", "cc");
  CHECK_EQ(rax, g_change ? 0x78 : 0);
  CHECK_EQ(r12, g_change ? 0x77 : 0x1212121212121212);
  CHECK_EQ(rbx, 0x1313);
  CHECK_EQ(r15, 0x1515);
  CHECK_EQ(r8, 0x8888);
  CHECK_EQ(rsi, abi_tid());
  CHECK(flags & 1);
  CHECK_EQ(memcmp(in, out, sizeof(in)), 0);
  CHECK_EQ(mxcsr & ~0x3fu, 0x1f80);
  CHECK_EQ(control, 0x37f);
  return 0;
}

__attribute__((target("avx"))) static void round_trip_avx(void) {
  uint32_t in[8] = {1, 2, 3, 4, 5, 6, 7, 8}, out[8] = {0};
  __asm__ volatile("vmovdqu (%1), %%ymm7\n syscall\n vmovdqu %%ymm7, (%0)\n"
                   :
                   : "r"(out), "r"(in), "a"(SYS_tgkill), "D"(getpid()), "S"(abi_tid()), "d"(SIGUSR1)
                   : "rcx", "r11", "xmm7", "memory");
  CHECK_EQ(memcmp(in, out, sizeof(in)), 0);
}

int main(void) {
  abi_handle_info(SIGUSR1, clobber, 0);
  round_trip();
  CHECK_EQ(g_count, 1);
  g_change = true;
  round_trip();
  CHECK_EQ(g_count, 2);
  g_change = false;

  // A vector register changed through the frame.
  abi_handle_info(SIGUSR1, clobber, 0);
  __m128i three;
  g_change = false;
  __asm__ volatile("pxor %%xmm3, %%xmm3\n syscall\n movdqa %%xmm3, %0"
                   : "=x"(three)
                   : "a"(SYS_tgkill), "D"(getpid()), "S"(abi_tid()), "d"(SIGUSR1)
                   : "rcx", "r11", "xmm3", "memory");
  CHECK_EQ(_mm_cvtsi128_si64(three), 0);

  if (__builtin_cpu_supports("avx")) {
    abi_handle(SIGUSR1, clobber_avx, 0);
    round_trip_avx();
    CHECK_EQ(g_count, 4);
  }
  // A sum in floating point goes on through many signals.
  abi_handle_info(SIGUSR1, clobber, 0);
  double sum = 0;
  for (int i = 1; i <= 200; i++) {
    sum += 1.0 / i;
    OK(raise(SIGUSR1));
  }
  CHECK(sum > 5.878030 && sum < 5.878032);
  return 0;
}
