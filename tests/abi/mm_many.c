// Many mappings, split and joined at random, against a model of what must be there.
#include <setjmp.h>

#include "abi.h"

enum { kPages = 64, kSteps = 500 };
static char* g_base;
static int g_protection[kPages];  // -1: nothing there
static char g_value[kPages];
static sigjmp_buf g_back;
static volatile int g_code;

static void on_fault(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)context;
  g_code = info->si_code;
  siglongjmp(g_back, 1);
}

static unsigned g_seed = 12345;

static unsigned below(unsigned limit) {
  g_seed = g_seed * 1103515245 + 12345;
  return (g_seed >> 16) % limit;
}

// What a read and a write of the page must do.
static void check_page(int i) {
  volatile char* p = g_base + i * 4096 + below(4096);
  int want_read = g_protection[i] < 0 ? SEGV_MAPERR : g_protection[i] & PROT_READ ? 0 : SEGV_ACCERR;
  int want_write = g_protection[i] < 0 ? SEGV_MAPERR : g_protection[i] & PROT_WRITE ? 0 : SEGV_ACCERR;
  g_code = 0;
  char seen = 0;
  if (sigsetjmp(g_back, 1) == 0) seen = *(volatile char*)(g_base + i * 4096);
  CHECK_EQ(g_code, want_read);
  if (!want_read) CHECK_EQ(seen, g_value[i]);
  g_code = 0;
  if (sigsetjmp(g_back, 1) == 0) *p = p == g_base + i * 4096 ? g_value[i] : 1;
  CHECK_EQ(g_code, want_write);
}

int main(void) {
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  OK(sigaction(SIGSEGV, &action, NULL));
  g_base = OK(mmap(NULL, kPages * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  memset(g_protection, 0, sizeof(g_protection));
  const int protections[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC};
  for (int step = 0; step < kSteps; step++) {
    int first = below(kPages), count = 1 + below(kPages - first < 9 ? kPages - first : 9);
    int protection = protections[below(4)];
    char* at = g_base + first * 4096;
    switch (below(4)) {
      case 0:
        OK(mmap(at, count * 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
        for (int i = first; i < first + count; i++) g_protection[i] = protection, g_value[i] = 0;
        break;
      case 1:
        OK(munmap(at, count * 4096));
        for (int i = first; i < first + count; i++) g_protection[i] = -1;
        break;
      case 2: {
        int hole = first;
        while (hole < first + count && g_protection[hole] >= 0) hole++;
        int result = mprotect(at, count * 4096, protection);
        CHECK_EQ(result, hole == first + count ? 0 : -1);
        for (int i = first; i < hole; i++) g_protection[i] = protection;
        break;
      }
      case 3:
        for (int i = first; i < first + count; i++) {
          if (g_protection[i] < 0 || !(g_protection[i] & PROT_WRITE)) continue;
          g_value[i] = (char)(step % 100 + 1);
          g_base[i * 4096] = g_value[i];
        }
        break;
    }
    check_page(below(kPages));
  }
  for (int i = 0; i < kPages; i++) check_page(i);
  // The same in a child.
  IN_CHILD(for (int i = 0; i < kPages; i++) check_page(i));
  // Many small ones with holes between, all at once.
  char* area = OK(mmap(NULL, 800 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  for (int i = 0; i < 400; i++) OK(munmap(area + (2 * i + 1) * 4096, 4096));
  for (int i = 0; i < 400; i++) area[2 * i * 4096] = (char)i;
  for (int i = 0; i < 400; i++) CHECK_EQ(area[2 * i * 4096], (char)i);
  OK(munmap(area, 800 * 4096));
  return 0;
}
