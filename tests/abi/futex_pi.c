// Locks of the kernel with priority inheritance, waiting on several at once, and timed library locks:
// futex(2).
#include <linux/futex.h>

#include "abi.h"

static atomic_int g_word;
static volatile pid_t g_tid;

static long futex(atomic_int* word, int op, int value, const struct timespec* timeout) {
  return syscall(SYS_futex, word, op, value, timeout, NULL, 0);
}

static void* locks(void* arg) {
  g_tid = abi_tid();
  OK(futex(&g_word, FUTEX_LOCK_PI_PRIVATE, 0, NULL));
  CHECK_EQ(atomic_load(&g_word) & FUTEX_TID_MASK, abi_tid());
  OK(futex(&g_word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL));
  return arg;
}

static void* holds(void* arg) {
  pthread_mutex_t* mutex = arg;
  ZERO(pthread_mutex_lock(mutex));
  g_tid = abi_tid();
  while (g_tid) sched_yield();
  ZERO(pthread_mutex_unlock(mutex));
  return NULL;
}

int main(void) {
  pthread_t thread;
  OK(futex(&g_word, FUTEX_LOCK_PI_PRIVATE, 0, NULL));
  CHECK_EQ(atomic_load(&g_word), abi_tid());
  FAILS(futex(&g_word, FUTEX_LOCK_PI_PRIVATE, 0, NULL), EDEADLK);
  FAILS(futex(&g_word, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL), EDEADLK);
  ZERO(pthread_create(&thread, NULL, locks, NULL));
  while (g_tid == 0) sched_yield();
  abi_await_state(g_tid, 'S');
  CHECK(atomic_load(&g_word) & (int)FUTEX_WAITERS);
  OK(futex(&g_word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL));
  ZERO(pthread_join(thread, NULL));
  CHECK_EQ(atomic_load(&g_word), 0);
  atomic_store(&g_word, 0x3fffffff);
  FAILS(futex(&g_word, FUTEX_LOCK_PI_PRIVATE, 0, NULL), ESRCH);
  atomic_store(&g_word, 1);
  FAILS(futex(&g_word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL), EPERM);
  atomic_store(&g_word, 0);
  OK(futex(&g_word, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL));
  OK(futex(&g_word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL));

  // The library's.
  pthread_mutexattr_t attr;
  pthread_mutex_t mutex;
  ZERO(pthread_mutexattr_init(&attr));
  ZERO(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT));
  ZERO(pthread_mutex_init(&mutex, &attr));
  g_tid = 0;
  ZERO(pthread_create(&thread, NULL, holds, &mutex));
  while (g_tid == 0) sched_yield();
  struct timespec soon;
  OK(clock_gettime(CLOCK_REALTIME, &soon));
  soon.tv_nsec += 20000000;
  if (soon.tv_nsec >= 1000000000) soon.tv_sec++, soon.tv_nsec -= 1000000000;
  CHECK_EQ(pthread_mutex_trylock(&mutex), EBUSY);
  CHECK_EQ(pthread_mutex_timedlock(&mutex, &soon), ETIMEDOUT);
  g_tid = 0;
  ZERO(pthread_mutex_lock(&mutex));
  ZERO(pthread_mutex_unlock(&mutex));
  ZERO(pthread_join(thread, NULL));
  // Contended by several.
  static pthread_mutex_t* shared;
  shared = &mutex;
  pid_t pid = FORK({
    ZERO(pthread_mutex_init(shared, &attr));
    for (int i = 0; i < 100; i++) {
      ZERO(pthread_mutex_lock(shared));
      ZERO(pthread_mutex_unlock(shared));
    }
  });
  WAIT_OK(pid);
  return 0;
}
