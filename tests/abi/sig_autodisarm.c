// SS_AUTODISARM of sigaltstack(2): the handler runs with the stack disarmed, may leave it and use it anew.
#include <sys/ucontext.h>
#include <ucontext.h>

#include "abi.h"

#define AUTODISARM (1u << 31)
enum { kSize = 65536 };

static char* g_stack;
static volatile int g_depth, g_seen;
static volatile uintptr_t g_at[3];
static volatile stack_t g_during[3], g_in_frame;
static volatile long g_set_result;

static bool on(const char* stack, uintptr_t at) {
  return at >= (uintptr_t)stack && at < (uintptr_t)stack + kSize;
}

static void nested(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)info;
  stack_t now;
  int depth = g_depth++;
  OK(sigaltstack(NULL, &now));
  g_during[depth] = now;
  g_at[depth] = (uintptr_t)&now;
  if (depth == 0) {
    g_in_frame = ((ucontext_t*)context)->uc_stack;
    // Disarmed: the second signal would use the same stack from its top, did not the handler set another.
    static char other[kSize];
    stack_t set = {.ss_sp = other, .ss_size = sizeof(other), .ss_flags = (int)AUTODISARM};
    g_set_result = sigaltstack(&set, NULL);
    raise(SIGUSR2);
  }
  g_seen++;
}

static void plain(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)info, (void)context;
  stack_t now, set = {.ss_flags = SS_DISABLE};
  OK(sigaltstack(NULL, &now));
  g_during[2] = now;
  g_set_result = sigaltstack(&set, NULL) == -1 ? errno : 0;
}

int main(void) {
  g_stack = OK(mmap(NULL, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  stack_t now, set = {.ss_sp = g_stack, .ss_size = kSize, .ss_flags = (int)AUTODISARM};
  OK(sigaltstack(&set, NULL));
  OK(sigaltstack(NULL, &now));
  CHECK_EQ(now.ss_sp, g_stack);
  CHECK_EQ(now.ss_size, kSize);
  CHECK_EQ((unsigned)now.ss_flags, AUTODISARM);

  abi_handle_info(SIGUSR1, nested, SA_ONSTACK);
  abi_handle_info(SIGUSR2, nested, SA_ONSTACK);
  raise(SIGUSR1);
  CHECK_EQ(g_seen, 2);
  CHECK(on(g_stack, g_at[0]));
  CHECK(!on(g_stack, g_at[1]));
  // In the handler there is no stack, and so one can be set.
  CHECK_EQ(g_during[0].ss_flags, SS_DISABLE);
  CHECK_EQ(g_during[0].ss_size, 0);
  CHECK_EQ(g_during[0].ss_sp, NULL);
  CHECK_EQ(g_set_result, 0);
  CHECK_EQ(g_during[1].ss_flags, SS_DISABLE);
  // The frame keeps it, and the return arms it again.
  CHECK_EQ(g_in_frame.ss_sp, g_stack);
  CHECK_EQ(g_in_frame.ss_size, kSize);
  CHECK_EQ((unsigned)g_in_frame.ss_flags, AUTODISARM);
  OK(sigaltstack(NULL, &now));
  CHECK_EQ(now.ss_sp, g_stack);
  CHECK_EQ((unsigned)now.ss_flags, AUTODISARM);

  // Without it the handler is on the stack, says so and cannot change it.
  set.ss_flags = 0;
  OK(sigaltstack(&set, NULL));
  abi_handle_info(SIGUSR1, plain, SA_ONSTACK);
  raise(SIGUSR1);
  CHECK_EQ(g_during[2].ss_flags, SS_ONSTACK);
  CHECK_EQ(g_set_result, EPERM);

  // What is refused, and what is not looked at.
  set.ss_flags = 4;
  FAILS(sigaltstack(&set, NULL), EINVAL);
  set.ss_flags = (int)(AUTODISARM | 4);
  FAILS(sigaltstack(&set, NULL), EINVAL);
  set.ss_flags = 0, set.ss_size = 1000;
  FAILS(sigaltstack(&set, NULL), ENOMEM);
  set.ss_flags = SS_ONSTACK, set.ss_size = kSize;
  OK(sigaltstack(&set, NULL));
  FAILS(sigaltstack((void*)8, NULL), EFAULT);
  FAILS(sigaltstack(NULL, (void*)8), EFAULT);
  set.ss_flags = SS_DISABLE, set.ss_size = 1;
  OK(sigaltstack(&set, &now));
  CHECK_EQ(now.ss_sp, g_stack);
  OK(sigaltstack(NULL, &now));
  CHECK_EQ(now.ss_flags, SS_DISABLE);
  CHECK_EQ(now.ss_sp, NULL);

  // A thread starts without; a child of fork has its parent's; one that shares the memory has none.
  set = (stack_t){.ss_sp = g_stack, .ss_size = kSize, .ss_flags = (int)AUTODISARM};
  OK(sigaltstack(&set, NULL));
  IN_CHILD({
    OK(sigaltstack(NULL, &now));
    CHECK_EQ(now.ss_sp, g_stack);
    CHECK_EQ((unsigned)now.ss_flags, AUTODISARM);
  });
  return 0;
}
