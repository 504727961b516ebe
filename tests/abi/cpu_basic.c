// The processor as a program sees it: cpuid, rdtsc, segment bases, flags, registers over system calls.
#include <cpuid.h>
#include <sys/auxv.h>
#include <x86intrin.h>

#include "abi.h"

// A system call with known values in all registers; the kernel changes rax, rcx and r11 alone.
__attribute__((naked, noinline)) static long call_and_look(__attribute__((unused)) long number,
                                                           __attribute__((unused)) uint64_t* out) {
  __asm__(
      "push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
      "mov %rdi, %rax\n mov %rsi, %r15\n"
      "mov $0x101, %ebx\n mov $0x102, %ebp\n mov $0x103, %r12d\n mov $0x104, %r13d\n mov $0x105, %r14d\n"
      "mov $0x106, %esi\n mov $0x107, %edx\n mov $0x108, %r8d\n mov $0x109, %r9d\n mov $0x10a, %r10d\n"
      "mov $0x10b, %edi\n"
      "syscall\n"
      "mov %rbx, 0(%r15)\n mov %rbp, 8(%r15)\n mov %r12, 16(%r15)\n mov %r13, 24(%r15)\n"
      "mov %r14, 32(%r15)\n mov %rsi, 40(%r15)\n mov %rdx, 48(%r15)\n mov %r8, 56(%r15)\n"
      "mov %r9, 64(%r15)\n mov %r10, 72(%r15)\n mov %rdi, 80(%r15)\n"
      "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
      "ret\n");
}

static void segments(void) {
  // With AT_HWCAP2 bit 1 a program moves its bases by itself.
  if (!(getauxval(AT_HWCAP2) & 2)) return;
  static uint64_t words[2] = {0xaaaa, 0xbbbb};
  uint64_t base, value;
  __asm__ volatile("wrgsbase %0" ::"r"(words));
  for (int i = 0; i < 50; i++) {
    sched_yield();
    __asm__ volatile("mov %%gs:8, %0" : "=r"(value));
    CHECK_EQ(value, 0xbbbb);
  }
  pid_t pid = FORK(__asm__ volatile("mov %%gs:0, %0" : "=r"(value)); CHECK_EQ(value, 0xaaaa));
  WAIT_OK(pid);
  __asm__ volatile("rdgsbase %0" : "=r"(base));
  CHECK_EQ(base, words);
  __asm__ volatile("rdfsbase %0" : "=r"(base));
  CHECK_EQ(base, *(uint64_t*)pthread_self());
}

int main(void) {
  uint32_t a, b, c, d;
  CHECK(__get_cpuid(0, &a, &b, &c, &d));
  CHECK(a >= 7);
  char vendor[13] = "";
  memcpy(vendor, &b, 4);
  memcpy(vendor + 4, &d, 4);
  memcpy(vendor + 8, &c, 4);
  CHECK(!strcmp(vendor, "GenuineIntel") || !strcmp(vendor, "AuthenticAMD"));
  CHECK(__get_cpuid(1, &a, &b, &c, &d));
  CHECK(__get_cpuid(0x80000001, &a, &b, &c, &d));
  CHECK(d & 1 << 29);  // long mode
  CHECK(d & 1 << 20);  // no-execute

  uint64_t out[11];
  const long calls[] = {SYS_getppid, SYS_sched_yield, SYS_gettid, 100000};
  for (int i = 0; i < 4; i++) {
    memset(out, 0, sizeof(out));
    long result = call_and_look(calls[i], out);
    if (calls[i] == 100000) CHECK_EQ(result, -ENOSYS);
    if (calls[i] == SYS_getppid) CHECK_EQ(result, getppid());
    for (int k = 0; k < 11; k++) CHECK_EQ(out[k], 0x101 + k);
  }
  segments();

  // Time stamps go forward, on every CPU.
  uint64_t last = __rdtsc();
  for (int i = 0; i < 10000; i++) {
    uint64_t now = __rdtsc();
    CHECK(now >= last);
    last = now;
  }
  cpu_set_t all, one;
  OK(sched_getaffinity(0, sizeof(all), &all));
  for (int round = 0; round < 3; round++) {
    for (int cpu = 0; cpu < 4; cpu++) {
      if (!CPU_ISSET(cpu, &all)) continue;
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
      OK(sched_setaffinity(0, sizeof(one), &one));
      uint64_t now = __rdtsc();
      CHECK(now > last);
      last = now;
    }
  }
  OK(sched_setaffinity(0, sizeof(all), &all));
  return 0;
}
