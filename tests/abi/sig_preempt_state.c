// Vector state of tasks that share CPUs, take timer signals and are preempted: nothing leaks or gets lost.
#include <sys/time.h>

#include "abi.h"

static atomic_int g_ticks;
static atomic_bool g_stop;

static void tick(int signal) {
  (void)signal;
  __asm__ volatile("pcmpeqd %%xmm1, %%xmm1; pcmpeqd %%xmm9, %%xmm9" ::: "xmm1", "xmm9");
  atomic_fetch_add(&g_ticks, 1);
}

// Keeps a pattern in registers for a while; says whether it is still there.
static int keep(uint64_t seed) {
  uint64_t a, b, c;
  double x;
  __asm__ volatile(
      "movq %[seed], %%xmm1\n movq %[seed], %%xmm9\n movq %[seed], %%xmm14\n fldpi\n"
      "mov $100000, %%ecx\n"
      "1: dec %%ecx\n jnz 1b\n"
      "movq %%xmm1, %[a]\n movq %%xmm9, %[b]\n movq %%xmm14, %[c]\n fstpl %[x]\n"
      : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [x] "=m"(x)
      : [seed] "r"(seed)
      : "rcx", "xmm1", "xmm9", "xmm14", "st", "cc");
  return a == seed && b == seed && c == seed && x > 3.14159 && x < 3.1416;
}

static void* worker(void* arg) {
  uint64_t seed = (uintptr_t)arg * 0x9e3779b97f4a7c15UL;
  for (uint64_t i = 0; !atomic_load(&g_stop); i++) {
    if (!keep(seed + i)) FAIL("worker %lu: its registers changed in round %lu", (unsigned long)arg, i);
  }
  return NULL;
}

int main(void) {
  // More workers than CPUs, in two processes.
  pid_t other = FORK({
    pthread_t thread;
    ZERO(pthread_create(&thread, NULL, worker, (void*)91));
    ZERO(pthread_create(&thread, NULL, worker, (void*)92));
    worker((void*)93);
  });
  abi_handle(SIGALRM, tick, SA_RESTART);
  struct itimerval every = {.it_interval = {.tv_usec = 2000}, .it_value = {.tv_usec = 2000}};
  pthread_t threads[4];
  for (uintptr_t i = 0; i < 4; i++) ZERO(pthread_create(&threads[i], NULL, worker, (void*)(i + 1)));
  OK(setitimer(ITIMER_REAL, &every, NULL));
  while (atomic_load(&g_ticks) < 100) {
    if (!keep(0x1234)) FAIL("main: its registers changed");
  }
  atomic_store(&g_stop, true);
  for (int i = 0; i < 4; i++) ZERO(pthread_join(threads[i], NULL));
  OK(setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL));
  OK(kill(other, SIGKILL));
  WAIT_SIGNAL(other, SIGKILL);
  return 0;
}
