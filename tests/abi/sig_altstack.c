// sigaltstack(2): handlers on a stack of their own, a guard against overflow.
#include <setjmp.h>
#include <sys/resource.h>
#include <sys/ucontext.h>

#include "abi.h"

static char* g_stack;
static const size_t kSize = 65536;
static volatile int g_on, g_count, g_flags;
static sigjmp_buf g_back;
static volatile uintptr_t g_fault;

static bool on_stack(const void* p) { return (const char*)p >= g_stack && (const char*)p < g_stack + kSize; }

static void handler(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)info;
  int local;
  g_on = on_stack(&local);
  const ucontext_t* uc = context;
  CHECK_EQ(uc->uc_stack.ss_sp, g_stack);
  CHECK_EQ(uc->uc_stack.ss_size, kSize);
  stack_t now;
  OK(sigaltstack(NULL, &now));
  g_flags = now.ss_flags;
  if (g_on) FAILS(sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL), EPERM);
  g_count++;
}

static void on_overflow(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)context;
  int local;
  CHECK(on_stack(&local));
  g_fault = (uintptr_t)info->si_addr;
  siglongjmp(g_back, 1);
}

__attribute__((noinline)) static int overflow(int depth) {
  volatile char frame[4096];
  frame[0] = (char)depth;
  return depth > 100000000 ? 0 : overflow(depth + 1) + frame[0];
}

int main(void) {
  g_stack = malloc(kSize);
  stack_t stack = {.ss_sp = g_stack, .ss_size = kSize}, old;
  OK(sigaltstack(&stack, &old));
  CHECK_EQ(old.ss_flags, SS_DISABLE);
  OK(sigaltstack(NULL, &old));
  CHECK_EQ(old.ss_sp, g_stack);
  CHECK_EQ(old.ss_size, kSize);
  CHECK_EQ(old.ss_flags, 0);

  abi_handle_info(SIGUSR1, handler, 0);
  OK(raise(SIGUSR1));
  CHECK(!g_on);
  CHECK_EQ(g_flags, 0);
  abi_handle_info(SIGUSR1, handler, SA_ONSTACK);
  OK(raise(SIGUSR1));
  CHECK(g_on);
  CHECK_EQ(g_flags, SS_ONSTACK);
  CHECK_EQ(g_count, 2);

  // Bad arguments.
  FAILS(sigaltstack(&(stack_t){.ss_sp = g_stack, .ss_size = 1024}, NULL), ENOMEM);
  FAILS(sigaltstack(&(stack_t){.ss_sp = g_stack, .ss_size = kSize, .ss_flags = 55}, NULL), EINVAL);
  FAILS(sigaltstack((void*)8, NULL), EFAULT);

  // A stack overflow is survived there.
  struct rlimit limit = {.rlim_cur = 256 << 10, .rlim_max = RLIM_INFINITY};
  OK(getrlimit(RLIMIT_STACK, &limit));
  limit.rlim_cur = 256 << 10;
  OK(setrlimit(RLIMIT_STACK, &limit));
  abi_handle_info(SIGSEGV, on_overflow, SA_ONSTACK);
  if (sigsetjmp(g_back, 1) == 0) overflow(0);
  int local;
  CHECK(g_fault != 0);
  CHECK(g_fault < (uintptr_t)&local);
  CHECK((uintptr_t)&local - g_fault < (1 << 20));
  // Without one the process dies.
  pid_t pid = FORK({
    OK(sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL));
    overflow(0);
  });
  WAIT_SIGNAL(pid, SIGSEGV);

  // Inherited by a forked child, not by a thread.
  IN_CHILD(OK(sigaltstack(NULL, &old)); CHECK_EQ(old.ss_sp, g_stack));
  return 0;
}
