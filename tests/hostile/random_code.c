// Runs random machine code with random registers, segments, flags and vector state in children that die of
// it: whatever user code does to its CPU is its own affair. Usage: random_code [SEED [CHILDREN]]; prints how
// the children ended. Not for a machine that is still needed: the code makes system calls too.
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t state;

static uint64_t next(void) {  // splitmix64
  uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

// Instructions that touch what a kernel shares with its user code, or that only a kernel may use.
static const struct {
  uint8_t length, bytes[9];
} kSpecial[] = {
    {1, {0xcc}},                          // int3
    {1, {0xf1}},                          // icebp
    {2, {0xcd, 0x80}},                    // int $0x80
    {2, {0xcd, 0x02}},                    // int $2
    {2, {0xcd, 0x04}},                    // int $4
    {2, {0xcd, 0x0e}},                    // int $14
    {2, {0xcd, 0x12}},                    // int $18
    {2, {0xcd, 0x20}},                    // int $32
    {2, {0x0f, 0x05}},                    // syscall
    {2, {0x0f, 0x34}},                    // sysenter
    {3, {0x48, 0x0f, 0x07}},              // sysretq
    {2, {0x48, 0xcf}},                    // iretq
    {2, {0x48, 0xcb}},                    // lretq
    {1, {0x9d}},                          // popfq
    {2, {0x50, 0x9d}},                    // push %rax; popfq
    {3, {0x0f, 0x01, 0xf8}},              // swapgs
    {3, {0x0f, 0x01, 0xca}},              // clac
    {3, {0x0f, 0x01, 0xcb}},              // stac
    {3, {0x0f, 0x01, 0xd0}},              // xgetbv
    {3, {0x0f, 0x01, 0xd1}},              // xsetbv
    {3, {0x0f, 0x01, 0xc1}},              // vmcall
    {3, {0x0f, 0x01, 0xd9}},              // vmmcall
    {3, {0x0f, 0x01, 0xd8}},              // vmrun
    {3, {0x0f, 0x01, 0xdf}},              // invlpga
    {5, {0xf3, 0x48, 0x0f, 0xae, 0xd8}},  // wrgsbase %rax
    {5, {0xf3, 0x48, 0x0f, 0xae, 0xd0}},  // wrfsbase %rax
    {5, {0xf3, 0x48, 0x0f, 0xae, 0xc8}},  // rdgsbase %rax
    {2, {0x8e, 0xd8}},                    // mov %eax,%ds
    {2, {0x8e, 0xc0}},                    // mov %eax,%es
    {2, {0x8e, 0xe0}},                    // mov %eax,%fs
    {2, {0x8e, 0xe8}},                    // mov %eax,%gs
    {2, {0x8e, 0xd0}},                    // mov %eax,%ss
    {4, {0x8e, 0xd0, 0x0f, 0x05}},        // mov %eax,%ss; syscall
    {3, {0x8e, 0xd0, 0xcc}},              // mov %eax,%ss; int3
    {3, {0x0f, 0x22, 0xd8}},              // mov %rax,%cr3
    {3, {0x0f, 0x20, 0xc0}},              // mov %cr0,%rax
    {3, {0x0f, 0x23, 0xf8}},              // mov %rax,%db7
    {2, {0x0f, 0x30}},                    // wrmsr
    {2, {0x0f, 0x32}},                    // rdmsr
    {2, {0x0f, 0x33}},                    // rdpmc
    {2, {0x0f, 0x31}},                    // rdtsc
    {3, {0x0f, 0x01, 0xf9}},              // rdtscp
    {2, {0x0f, 0xa2}},                    // cpuid
    {3, {0x0f, 0x01, 0x38}},              // invlpg (%rax)
    {3, {0x0f, 0x01, 0x10}},              // lgdt (%rax)
    {3, {0x0f, 0x01, 0x18}},              // lidt (%rax)
    {3, {0x0f, 0x01, 0x00}},              // sgdt (%rax)
    {3, {0x0f, 0x00, 0xd8}},              // ltr %ax
    {3, {0x0f, 0x00, 0xd0}},              // lldt %ax
    {3, {0x0f, 0x00, 0xc8}},              // str %eax
    {3, {0x0f, 0x01, 0xe0}},              // smsw %eax
    {1, {0xf4}},                          // hlt
    {1, {0xfa}},                          // cli
    {1, {0xfb}},                          // sti
    {2, {0xe6, 0x40}},                    // out %al,$0x40
    {2, {0xe6, 0x80}},                    // out %al,$0x80
    {1, {0xee}},                          // out %al,(%dx)
    {1, {0x6e}},                          // outsb
    {4, {0x0f, 0xae, 0x28, 0x90}},        // xrstor (%rax)
    {4, {0x0f, 0xae, 0x20, 0x90}},        // xsave (%rax)
    {4, {0x0f, 0xae, 0x08, 0x90}},        // fxrstor (%rax)
    {3, {0x0f, 0xae, 0x10}},              // ldmxcsr (%rax)
    {2, {0xdd, 0x20}},                    // frstor (%rax)
    {2, {0xff, 0xe0}},                    // jmp *%rax
    {2, {0xff, 0x28}},                    // ljmp *(%rax)
    {4, {0x48, 0x8b, 0x00, 0x90}},        // mov (%rax),%rax
    {3, {0x48, 0x89, 0x00}},              // mov %rax,(%rax)
    {3, {0x48, 0x89, 0xc4}},              // mov %rax,%rsp
    {2, {0xeb, 0xfe}},                    // jmp .
    {2, {0x0f, 0x0b}},                    // ud2
    {2, {0x0f, 0x08}},                    // invd
    {2, {0x0f, 0x09}},                    // wbinvd
    {3, {0x0f, 0x01, 0xc8}},              // monitor
    {3, {0x0f, 0x01, 0xc9}},              // mwait
};

static uint64_t interesting(uint64_t code) {
  switch (next() % 12) {
    case 0:
      return next();
    case 1:
      return next() % 512;
    case 2:
      return code + next() % 4096;
    case 3:
      return 0xffffffff80000000 + (next() % 16 << 12);
    case 4:
      return 0xffff800000000000 + next() % 0x2000;
    case 5:
      return 0xffff888000000000 + (next() & 0xffffff);
    case 6:
      return 0x7fffffffe000 + next() % 0x4000;
    case 7:
      return ~(uint64_t)0 << next() % 64;
    case 8:
      return ((next() & 0x254fd5) | 2);
    case 9:
      return (uint64_t[]){0x10, 0x18, 0x23, 0x2b, 0x33, 0x40, 0x43, 0}[next() % 8];
    case 10:
      return 0xffffffffff600000;
    default:
      return code + 2048;
  }
}

static void fill(uint8_t* code, size_t size) {
  for (size_t i = 0; i + 16 < size;) {
    if (next() % 3 == 0) {
      code[i++] = (uint8_t)next();
    } else if (next() % 3 == 0) {  // mov $imm64,%rax
      uint64_t value = interesting((uint64_t)code);
      code[i] = 0x48, code[i + 1] = 0xb8;
      memcpy(code + i + 2, &value, 8);
      i += 10;
    } else {
      size_t k = next() % (sizeof kSpecial / sizeof kSpecial[0]);
      memcpy(code + i, kSpecial[k].bytes, kSpecial[k].length);
      i += kSpecial[k].length;
    }
  }
}

static void child(uint64_t seed) {
  state = seed;
  uint8_t* code = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (code == MAP_FAILED) _exit(1);
  fill(code, 2048);
  for (size_t i = 2048; i < 8192; i += 8) {
    uint64_t value = interesting((uint64_t)code);
    memcpy(code + i, &value, 8);
  }
  struct itimerval limit = {{0, 0}, {0, 50000}};
  setitimer(ITIMER_REAL, &limit, NULL);
  static uint64_t r[16];
  for (int i = 0; i < 16; ++i) r[i] = interesting((uint64_t)code);
  r[7] = next() % 4 ? (uint64_t)code + 4096 : r[7];
  r[6] = (r[6] & 0x254dd5) & (next() % 8 ? ~(uint64_t)0x100 : ~(uint64_t)0);
  __asm__ volatile(
      "movq %1, %%r15\n\t"
      "pushq 48(%0)\n\tpopfq\n\t"
      "movq 56(%0), %%rsp\n\t"
      "movq (%0), %%rax\n\tmovq 8(%0), %%rbx\n\tmovq 16(%0), %%rcx\n\tmovq 24(%0), %%rdx\n\t"
      "movq 32(%0), %%rsi\n\tmovq 40(%0), %%rbp\n\tmovq 64(%0), %%r8\n\tmovq 72(%0), %%r9\n\t"
      "movq 80(%0), %%r10\n\tmovq 88(%0), %%r11\n\tmovq 96(%0), %%r12\n\tmovq 104(%0), %%r13\n\tmovq "
      "112(%0), %%r14\n\t"
      "movq 120(%0), %%rdi\n\t"
      "jmp *%%r15" ::"D"(r),
      "r"(code)
      : "memory");
  _exit(0);
}

int main(int argc, char** argv) {
  uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
  long children = argc > 2 ? atol(argv[2]) : 1000;
  long ends[66] = {0};
  setpgid(0, 0);
  for (long i = 0; i < children; ++i) {
    pid_t pid = fork();
    if (pid < 0) return 1;
    if (pid == 0) child(seed * 1000003 + (uint64_t)i);
    int status;
    while (waitpid(pid, &status, 0) != pid) {
    }
    ++ends[WIFSIGNALED(status) ? WTERMSIG(status) % 65 : 65];
  }
  for (int s = 1; s < 65; ++s)
    if (ends[s]) printf("%s %ld\n", sigabbrev_np(s), ends[s]);
  printf("exited %ld\n%ld children\n", ends[65], children);
  return 0;
}
