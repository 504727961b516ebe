// Stacks of threads end in a guard: an overflow kills, or is handled on another stack; and the next thread's
// memory below it stays whole.
#include <setjmp.h>

#include "abi.h"

static sigjmp_buf g_back;
static char* volatile g_fault;

static void on_fault(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)context;
  g_fault = info->si_addr;
  siglongjmp(g_back, 1);
}

__attribute__((noinline)) static int deep(int depth) {
  volatile char frame[2048];
  frame[0] = (char)depth;
  return depth > 1000000000 ? 0 : deep(depth + 1) + frame[0];
}

static void* overflows(void* arg) {
  static char alternate[65536];
  OK(sigaltstack(&(stack_t){.ss_sp = alternate, .ss_size = sizeof(alternate)}, NULL));
  pthread_attr_t attr;
  void* low;
  size_t size, guard;
  ZERO(pthread_getattr_np(pthread_self(), &attr));
  ZERO(pthread_attr_getstack(&attr, &low, &size));
  ZERO(pthread_attr_getguardsize(&attr, &guard));
  CHECK(guard >= 4096);
  if (sigsetjmp(g_back, 1) == 0) deep(0);
  CHECK(g_fault < (char*)low && g_fault >= (char*)low - guard);
  OK(sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL));
  return arg;
}

static void* dies(void* arg) {
  signal(SIGSEGV, SIG_DFL);
  deep(0);
  return arg;
}

int main(void) {
  abi_handle_info(SIGSEGV, on_fault, SA_ONSTACK);
  pthread_attr_t attr;
  ZERO(pthread_attr_init(&attr));
  ZERO(pthread_attr_setstacksize(&attr, 128 << 10));
  pthread_t thread;
  for (int i = 0; i < 3; i++) {
    ZERO(pthread_create(&thread, &attr, overflows, NULL));
    ZERO(pthread_join(thread, NULL));
  }
  WAIT_SIGNAL(FORK({
                ZERO(pthread_create(&thread, &attr, dies, NULL));
                for (;;) pause();
              }),
              SIGSEGV);
  // A stack of our own, with our own fence.
  char* area =
      OK(mmap(NULL, 64 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0));
  OK(mprotect(area, 4096, PROT_NONE));
  ZERO(pthread_attr_setstack(&attr, area + 4096, 60 << 10));
  WAIT_SIGNAL(FORK({
                ZERO(pthread_create(&thread, &attr, dies, NULL));
                for (;;) pause();
              }),
              SIGSEGV);
  return 0;
}
