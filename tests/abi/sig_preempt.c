// Threads interrupted in the middle of computing by signals sent to them, as a runtime with its own scheduler
// does: on a signal stack, with the registers looked at, while others map and unmap.
#include "abi.h"

enum { kWorkers = 3, kRounds = 60 };
static volatile pid_t g_tids[kWorkers];
static atomic_int g_hits[kWorkers];
static atomic_bool g_stop;
static __thread int g_self;
static __thread char* g_stack;

static void preempt(int signal, siginfo_t* info, void* context) {
  CHECK_EQ(signal, SIGURG);
  CHECK_EQ(info->si_code, SI_TKILL);
  int local;
  CHECK((char*)&local >= g_stack && (char*)&local < g_stack + 65536);
  const ucontext_t* uc = context;
  CHECK(uc->uc_mcontext.gregs[REG_RIP] != 0);
  CHECK(uc->uc_stack.ss_sp == g_stack);
  atomic_fetch_add(&g_hits[g_self], 1);
}

static void* computes(void* arg) {
  g_self = (int)(uintptr_t)arg;
  g_stack = malloc(65536);
  OK(sigaltstack(&(stack_t){.ss_sp = g_stack, .ss_size = 65536}, NULL));
  g_tids[g_self] = abi_tid();
  // A checksum that any lost register would spoil.
  uint64_t a = 1, b = 2, c = 3, d = 4;
  double x = 1;
  unsigned long rounds = 0;
  while (!atomic_load(&g_stop)) {
    for (int i = 0; i < 10000; i++) {
      a = a * 6364136223846793005UL + 1, b = b * 6364136223846793005UL + 1;
      c = c * 6364136223846793005UL + 1, d = d * 6364136223846793005UL + 1;
      x += 1;
    }
    rounds++;
  }
  uint64_t check = 1;
  for (unsigned long i = 0; i < rounds * 10000; i++) check = check * 6364136223846793005UL + 1;
  CHECK_EQ(a, check);
  CHECK(x == 1 + (double)rounds * 10000);
  CHECK(b != c && c != d);
  OK(sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL));
  return NULL;
}

int main(void) {
  abi_handle_info(SIGURG, preempt, SA_ONSTACK | SA_RESTART);
  pthread_t threads[kWorkers];
  for (uintptr_t i = 0; i < kWorkers; i++) ZERO(pthread_create(&threads[i], NULL, computes, (void*)i));
  for (int i = 0; i < kWorkers; i++) {
    while (g_tids[i] == 0) sched_yield();
  }
  for (int round = 0; round < kRounds; round++) {
    char* p = OK(mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    memset(p, 1, 65536);
    int which = round % kWorkers, before = atomic_load(&g_hits[which]);
    OK(syscall(SYS_tgkill, getpid(), g_tids[which], SIGURG));
    while (atomic_load(&g_hits[which]) == before) sched_yield();
    OK(munmap(p, 65536));
  }
  atomic_store(&g_stop, true);
  for (int i = 0; i < kWorkers; i++) ZERO(pthread_join(threads[i], NULL));
  return 0;
}
