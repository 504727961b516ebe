// What a program finds in its registers and on its stack at the first instruction, per the psABI. No libc
// here.
#include <asm/unistd.h>

static long call3(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
}

static void say(const char* text) {
  long size = 0;
  while (text[size]) size++;
  call3(__NR_write, 2, (long)text, size);
}

#define REQUIRE(cond)                                 \
  do {                                                \
    if (!(cond)) {                                    \
      say("start_raw.c: does not hold: " #cond "\n"); \
      call3(__NR_exit_group, 1, 0, 0);                \
    }                                                 \
  } while (0)

__attribute__((used)) static void check(unsigned long* stack, unsigned long rdx, unsigned long flags) {
  REQUIRE((unsigned long)stack % 16 == 0);
  REQUIRE(rdx == 0);
  REQUIRE((flags & 0x400) == 0);  // the direction flag
  REQUIRE((flags & 0x40100) == 0);
  unsigned long argc = stack[0];
  REQUIRE(argc >= 1);
  char** argv = (char**)(stack + 1);
  REQUIRE(argv[argc] == 0);
  char** envp = argv + argc + 1;
  unsigned long* p = (unsigned long*)envp;
  while (*p) p++;
  p++;
  // Strings lie above the vectors, one after another.
  unsigned long pages = 0, seen = 0, random = 0;
  unsigned long* vector_start = stack;
  for (; p[0]; p += 2) {
    seen++;
    if (p[0] == 6) pages = p[1];
    if (p[0] == 25) random = p[1];
  }
  REQUIRE(seen > 10);
  REQUIRE(pages == 4096);
  REQUIRE(random > (unsigned long)p);
  REQUIRE((unsigned long)argv[0] > (unsigned long)p);
  for (unsigned long i = 1; i < argc; i++) REQUIRE(argv[i] > argv[i - 1]);
  for (char** e = envp; e[0] && e[1]; e++) REQUIRE(e[1] > e[0]);
  REQUIRE(vector_start < p);

  // x87 and SSE control words as a new program has them.
  unsigned short fpu;
  unsigned mxcsr;
  __asm__ volatile("fnstcw %0" : "=m"(fpu));
  __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
  REQUIRE(fpu == 0x37f);
  REQUIRE((mxcsr & ~0x3fu) == 0x1f80);

  // The break starts empty, on a page of its own after the program.
  long start = call3(__NR_brk, 0, 0, 0);
  REQUIRE(start != 0);
  REQUIRE(call3(__NR_brk, start + 4096, 0, 0) == start + 4096);
  *(volatile char*)start = 1;
  REQUIRE(call3(__NR_brk, 1, 0, 0) == start + 4096);  // a bad value changes nothing
  call3(__NR_exit_group, 0, 0, 0);
}

__asm__(
    ".globl _start\n"
    "_start:\n"
    "  mov %rsp, %rdi\n"
    "  mov %rdx, %rsi\n"
    "  pushfq\n"
    "  pop %rdx\n"
    "  and $-16, %rsp\n"
    "  xor %ebp, %ebp\n"
    "  call check\n"
    "  hlt\n");
