// mprotect(2): splitting, merging, codes of the faults, writable and executable memory.
#include <setjmp.h>

#include "abi.h"

static sigjmp_buf g_back;
static volatile int g_code;
static char* volatile g_address;

static void handler(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)context;
  g_code = info->si_code;
  g_address = info->si_addr;
  siglongjmp(g_back, 1);
}

static int try_write(char* p) {
  g_code = 0;
  if (sigsetjmp(g_back, 1) == 0) *(volatile char*)p = 'w';
  if (g_code) CHECK_EQ(g_address, p);
  return g_code;
}

static int try_read(char* p) {
  g_code = 0;
  if (sigsetjmp(g_back, 1) == 0) (void)*(volatile char*)p;
  return g_code;
}

static int lines_of(const char* from, const char* to) {
  char text[65536];
  abi_get("/proc/self/maps", text, sizeof(text));
  int count = 0;
  for (char* line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
    unsigned long a, b;
    CHECK_EQ(sscanf(line, "%lx-%lx", &a, &b), 2);
    if (a < (unsigned long)to && b > (unsigned long)from) count++;
  }
  return count;
}

int main(void) {
  abi_handle_info(SIGSEGV, handler, 0);
  const int kRw = PROT_READ | PROT_WRITE;
  // Fences on both sides keep neighbours away.
  char* fence = OK(mmap(NULL, 12 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  char* p = fence + 4096;
  OK(mprotect(p, 10 * 4096, kRw));
  memset(p, 'x', 10 * 4096);
  CHECK_EQ(lines_of(p, p + 10 * 4096), 1);
  OK(mprotect(p + 3 * 4096, 4096, PROT_READ));
  CHECK_EQ(lines_of(p, p + 10 * 4096), 3);
  CHECK_EQ(try_write(p + 3 * 4096), SEGV_ACCERR);
  CHECK_EQ(try_read(p + 3 * 4096), 0);
  CHECK_EQ(try_write(p + 2 * 4096 + 4095), 0);
  CHECK_EQ(try_write(p + 4 * 4096), 0);
  OK(mprotect(p + 3 * 4096, 4096, PROT_NONE));
  CHECK_EQ(try_read(p + 3 * 4096 + 9), SEGV_ACCERR);
  OK(mprotect(p + 3 * 4096, 4096, kRw));
  CHECK_EQ(lines_of(p, p + 10 * 4096), 1);
  CHECK_EQ(p[3 * 4096], 'x');  // contents survive
  CHECK_EQ(try_write(p + 3 * 4096), 0);

  // Pages not touched yet take the protection as well.
  char* fresh = OK(mmap(NULL, 4 * 4096, kRw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  OK(mprotect(fresh + 4096, 4096, PROT_READ));
  CHECK_EQ(try_write(fresh + 4096), SEGV_ACCERR);
  CHECK_EQ(try_write(fresh), 0);
  OK(mprotect(fresh + 4096, 4096, kRw));
  CHECK_EQ(try_write(fresh + 4096), 0);

  // Over a hole: an error, with what lies before it changed.
  OK(munmap(p + 5 * 4096, 4096));
  FAILS(mprotect(p, 10 * 4096, PROT_READ), ENOMEM);
  CHECK_EQ(try_write(p), SEGV_ACCERR);
  CHECK_EQ(try_write(p + 6 * 4096), 0);
  CHECK_EQ(try_write(p + 5 * 4096), SEGV_MAPERR);
  FAILS(mprotect(p + 1, 4096, PROT_READ), EINVAL);
  FAILS(mprotect(p, 4096, 0x40000000), EINVAL);
  OK(mprotect(p, 0, PROT_READ));
  FAILS(mprotect((void*)0x10000, 4096, PROT_READ), ENOMEM);

  // Code written, run, rewritten, run.
  unsigned char* code = OK(mmap(NULL, 4096, kRw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  memcpy(code, "\xb8\x2a\x00\x00\x00\xc3", 6);  // mov $42, %eax; ret
  CHECK_EQ(try_read((char*)code), 0);
  OK(mprotect(code, 4096, PROT_READ | PROT_EXEC));
  CHECK_EQ(((int (*)(void))code)(), 42);
  CHECK_EQ(try_write((char*)code), SEGV_ACCERR);
  OK(mprotect(code, 4096, kRw | PROT_EXEC));
  code[1] = 43;
  CHECK_EQ(((int (*)(void))code)(), 43);
  OK(mprotect(code, 4096, kRw));
  g_code = 0;
  if (sigsetjmp(g_back, 1) == 0) ((int (*)(void))code)();
  CHECK_EQ(g_code, SEGV_ACCERR);

  // System calls honour it too.
  int fd = OK(open("/dev/zero", O_RDONLY));
  OK(mprotect(fresh, 4096, PROT_READ));
  FAILS(read(fd, fresh, 10), EFAULT);
  CHECK_EQ(read(fd, fresh + 4096, 10), 10);
  // A stack that grows downward, and PROT_GROWSDOWN.
  char* stack = OK(mmap(NULL, 4 * 4096, kRw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0));
  *(volatile char*)stack = 1;
  return 0;
}
