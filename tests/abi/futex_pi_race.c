// A lock with priority inheritance (futex(2)) that is let go just when somebody queues for it: he gets it. In
// each round nobody else comes by who would hand it on.
#include <linux/futex.h>

#include "abi.h"

enum { kRounds = 20000, kMostDelay = 400, kSeconds = 4 };

static _Atomic uint32_t g_lock;
static _Atomic int g_round, g_done, g_rounds = kRounds;

static long futex(int op) { return syscall(SYS_futex, &g_lock, op | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0); }

static void await(_Atomic int* what, int value) {
  for (int spins = 0; *what < value; spins++)
    if (spins > 10000) sched_yield();
}

static void* queue_up(void* unused) {
  (void)unused;
  const uint32_t me = (uint32_t)gettid();
  for (int i = 1; i <= g_rounds; i++) {
    await(&g_round, i);
    OK(futex(FUTEX_LOCK_PI));
    CHECK_EQ(g_lock & FUTEX_TID_MASK, me);
    OK(futex(FUTEX_UNLOCK_PI));
    CHECK_EQ(g_lock, 0);
    g_done = i;
  }
  return NULL;
}

int main(void) {
  pthread_t thread;
  ZERO(pthread_create(&thread, NULL, queue_up, NULL));
  // As many rounds as there is time for.
  struct timespec now, start;
  OK(clock_gettime(CLOCK_MONOTONIC, &start));
  for (int i = 1; i <= g_rounds; i++) {
    OK(futex(FUTEX_LOCK_PI));
    OK(clock_gettime(CLOCK_MONOTONIC, &now));
    if (now.tv_sec - start.tv_sec >= kSeconds) g_rounds = i;
    g_round = i;
    for (volatile int delay = i % kMostDelay; delay > 0; delay--) {
    }
    OK(futex(FUTEX_UNLOCK_PI));
    await(&g_done, i);
  }
  ZERO(pthread_join(thread, NULL));
  return 0;
}
