// Signals in programs with threads: who gets them, masks of each, faults of one: signal(7),
// pthread_sigmask(3).
#include "abi.h"

static atomic_int g_got, g_state[4];
static volatile pid_t g_tids[4];

static void note(int signal) {
  (void)signal;
  atomic_store(&g_got, abi_tid());
}

static void* waits(void* arg) {
  int self = (int)(uintptr_t)arg;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  // Only the third leaves it open.
  ZERO(pthread_sigmask(self == 2 ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL));
  g_tids[self] = abi_tid();
  atomic_store(&g_state[self], 1);
  abi_await(&g_state[self], 2);
  return NULL;
}

static void* takes(void* arg) {
  (void)arg;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  int signal = 0;
  ZERO(sigwait(&set, &signal));
  CHECK_EQ(signal, SIGUSR2);
  atomic_fetch_add(&g_got, 1);
  return NULL;
}

static __thread volatile uintptr_t g_fault;
static __thread sigset_t g_unused;

static void on_fault(int signal, siginfo_t* info, void* context) {
  (void)signal;
  ucontext_t* uc = context;
  g_fault = (uintptr_t)info->si_addr;
  uc->uc_mcontext.gregs[REG_RIP] += 2;  // over the two bytes of `mov %al, (%rdx)`
}

static void* faults(void* arg) {
  for (int i = 0; i < 100; i++) {
    uintptr_t address = (uintptr_t)arg * 0x1000 + i;
    g_fault = 0;
    __asm__ volatile("mov %%al, (%%rdx)" ::"a"(0), "d"(address) : "memory");
    CHECK_EQ(g_fault, address);
  }
  return NULL;
}

int main(void) {
  (void)g_unused;
  sigset_t set, pending;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGUSR2);
  ZERO(pthread_sigmask(SIG_BLOCK, &set, NULL));
  abi_handle(SIGUSR1, note, 0);
  pthread_t threads[4];
  for (uintptr_t i = 0; i < 3; i++) {
    ZERO(pthread_create(&threads[i], NULL, waits, (void*)i));
    abi_await(&g_state[i], 1);
  }
  // For the process: one who does not block it.
  OK(kill(getpid(), SIGUSR1));
  while (atomic_load(&g_got) == 0) sched_yield();
  CHECK_EQ(atomic_load(&g_got), g_tids[2]);
  // For a thread that blocks it: it stays there, and others do not see it.
  atomic_store(&g_got, 0);
  OK(syscall(SYS_tgkill, getpid(), g_tids[0], SIGUSR1));
  OK(sigpending(&pending));
  CHECK(!sigismember(&pending, SIGUSR1));
  char path[64], text[4096];
  snprintf(path, sizeof(path), "/proc/self/task/%d/status", g_tids[0]);
  abi_get(path, text, sizeof(text));
  CHECK(strstr(text, "SigPnd:\t0000000000000200") != NULL);
  for (int i = 0; i < 3; i++) atomic_store(&g_state[i], 2);
  for (int i = 0; i < 3; i++) ZERO(pthread_join(threads[i], NULL));
  CHECK_EQ(atomic_load(&g_got), 0);

  // Blocked by all: pending for the process, taken by any of those who wait for it.
  for (int i = 0; i < 3; i++) ZERO(pthread_create(&threads[i], NULL, takes, NULL));
  for (int i = 1; i <= 3; i++) {
    OK(kill(getpid(), SIGUSR2));
    abi_await(&g_got, i);
  }
  for (int i = 0; i < 3; i++) ZERO(pthread_join(threads[i], NULL));

  // Faults belong to the thread that made them.
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  OK(sigaction(SIGSEGV, &action, NULL));
  for (uintptr_t i = 0; i < 4; i++) ZERO(pthread_create(&threads[i], NULL, faults, (void*)(i + 1)));
  for (int i = 0; i < 4; i++) ZERO(pthread_join(threads[i], NULL));

  // A new thread has the mask of its maker and nothing pending.
  OK(raise(SIGUSR1));
  OK(sigpending(&pending));
  CHECK(sigismember(&pending, SIGUSR1));
  CHECK_EQ(pthread_kill(pthread_self(), 99), EINVAL);
  return 0;
}
