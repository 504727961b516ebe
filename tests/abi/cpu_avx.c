// Wide vector state (ymm, and zmm with masks where the CPU has them) over switches, signals, fork and
// blocking calls.
#include <cpuid.h>
#include <immintrin.h>
#include <sys/time.h>

#include "abi.h"

static atomic_bool g_stop;
static atomic_int g_ticks;
static bool g_avx, g_avx512;

__attribute__((target("avx"))) static void clear(int signal) {
  (void)signal;
  _mm256_zeroall();
  atomic_fetch_add(&g_ticks, 1);
}

static uint64_t xgetbv(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low | (uint64_t)high << 32;
}

// Loads a pattern, spins, calls the kernel, spins, compares.
__attribute__((target("avx"))) static void keep_avx(uint32_t seed) {
  uint32_t in[16][8], out[16][8];
  for (int i = 0; i < 128; i++) in[i / 8][i % 8] = seed + i;
  long result;
  __asm__ volatile(
      "vmovdqu 0(%[in]), %%ymm0\n vmovdqu 32(%[in]), %%ymm1\n vmovdqu 224(%[in]), %%ymm7\n"
      "vmovdqu 256(%[in]), %%ymm8\n vmovdqu 480(%[in]), %%ymm15\n"
      "mov $20000, %%ecx\n 1: dec %%ecx\n jnz 1b\n"
      "mov %[call], %%eax\n syscall\n"
      "mov $20000, %%ecx\n 1: dec %%ecx\n jnz 1b\n"
      "vmovdqu %%ymm0, 0(%[out])\n vmovdqu %%ymm1, 32(%[out])\n vmovdqu %%ymm7, 224(%[out])\n"
      "vmovdqu %%ymm8, 256(%[out])\n vmovdqu %%ymm15, 480(%[out])\n"
      : "=&a"(result)
      : [in] "r"(in), [out] "r"(out), [call] "i"(SYS_sched_yield)
      : "rcx", "r11", "xmm0", "xmm1", "xmm7", "xmm8", "xmm15", "memory");
  const int used[] = {0, 1, 7, 8, 15};
  for (int i = 0; i < 5; i++) CHECK_EQ(memcmp(in[used[i]], out[used[i]], 32), 0);
}

__attribute__((target("avx512f"))) static void keep_avx512(uint64_t seed) {
  uint64_t in[8], out[8], out31[8];
  uint32_t mask = 0;
  for (int i = 0; i < 8; i++) in[i] = seed * 3 + i;
  __asm__ volatile(
      "vmovdqu64 (%[in]), %%zmm3\n vmovdqu64 (%[in]), %%zmm31\n kmovw %[k], %%k3\n"
      "mov $20000, %%ecx\n 1: dec %%ecx\n jnz 1b\n"
      "mov %[call], %%eax\n syscall\n"
      "vmovdqu64 %%zmm3, (%[out])\n vmovdqu64 %%zmm31, (%[out31])\n kmovw %%k3, %[mask]\n"
      : [mask] "=&r"(mask)
      : [in] "r"(in), [out] "r"(out), [out31] "r"(out31), [k] "r"(0x5a5a), [call] "i"(SYS_sched_yield)
      : "rax", "rcx", "r11", "xmm3", "memory");
  CHECK_EQ(memcmp(in, out, 64), 0);
  CHECK_EQ(memcmp(in, out31, 64), 0);
  CHECK_EQ(mask, 0x5a5a);
}

static void* worker(void* arg) {
  for (uint32_t i = 0; !atomic_load(&g_stop) && i < 300; i++) {
    keep_avx((uint32_t)(uintptr_t)arg * 1000003 + i);
    if (g_avx512) keep_avx512((uintptr_t)arg * 7919 + i);
  }
  return NULL;
}

int main(void) {
  uint32_t a, b, c, d;
  CHECK(__get_cpuid(1, &a, &b, &c, &d));
  CHECK(d & bit_FXSAVE);
  CHECK(d & bit_SSE2);
  const bool os = c & bit_OSXSAVE;
  if (!os) return 0;
  // What the system enables is what CPUID offers.
  uint64_t enabled = xgetbv();
  CHECK_EQ(enabled & 3, 3);
  CHECK(__get_cpuid_count(13, 0, &a, &b, &c, &d));
  CHECK_EQ(enabled & ~(a | (uint64_t)d << 32), 0);
  CHECK(b <= 16384);
  g_avx = __builtin_cpu_supports("avx") && (enabled & 6) == 6;
  g_avx512 = __builtin_cpu_supports("avx512f") && (enabled & 0xe6) == 0xe6;
  if (__builtin_cpu_supports("avx")) CHECK(g_avx);
  if (!g_avx) return 0;

  abi_handle(SIGALRM, clear, SA_RESTART);
  OK(setitimer(ITIMER_REAL,
               &(struct itimerval){.it_interval = {.tv_usec = 3000}, .it_value = {.tv_usec = 3000}}, NULL));
  pthread_t threads[4];
  for (uintptr_t i = 0; i < 4; i++) ZERO(pthread_create(&threads[i], NULL, worker, (void*)(i + 1)));
  pid_t pid = FORK(worker((void*)9));
  for (int i = 0; i < 4; i++) ZERO(pthread_join(threads[i], NULL));
  WAIT_OK(pid);
  // While blocked, with others computing.
  atomic_store(&g_stop, false);
  pid = FORK(worker((void*)11));
  for (int i = 0; i < 5; i++) {
    uint32_t in[8] = {5, 4, 3, 2, 1, 0, 9, 8}, out[8];
    struct timespec time = {.tv_nsec = 2000000};
    __asm__ volatile("vmovdqu (%[in]), %%ymm9\n mov %[call], %%eax\n syscall\n vmovdqu %%ymm9, (%[out])"
                     :
                     : [in] "r"(in), [out] "r"(out), [call] "i"(SYS_nanosleep), "D"(&time), "S"(NULL)
                     : "rax", "rcx", "r11", "xmm9", "memory");
    CHECK_EQ(memcmp(in, out, 32), 0);
  }
  WAIT_OK(pid);
  return 0;
}
