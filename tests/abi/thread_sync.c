// Mutexes, conditions, barriers, semaphores, read-write locks under contention.
#include <semaphore.h>

#include "abi.h"

enum { kThreads = 8, kRounds = 200 };
static pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t g_cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t g_rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t g_barrier;
static sem_t g_sem;
static pthread_once_t g_once = PTHREAD_ONCE_INIT;
static long g_sum, g_turn, g_once_count;
static atomic_int g_inside;

static void once(void) { g_once_count++; }

static void* worker(void* arg) {
  long self = (long)(uintptr_t)arg;
  pthread_once(&g_once, once);
  for (int i = 0; i < kRounds; i++) {
    ZERO(pthread_mutex_lock(&g_mutex));
    CHECK_EQ(atomic_fetch_add(&g_inside, 1), 0);
    g_sum++;
    atomic_fetch_sub(&g_inside, 1);
    ZERO(pthread_mutex_unlock(&g_mutex));
  }
  for (int i = 0; i < 5; i++) {
    int result = pthread_barrier_wait(&g_barrier);
    CHECK(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
    CHECK_EQ(g_sum, kThreads * kRounds);
  }
  // In turns.
  for (int i = 0; i < 5; i++) {
    ZERO(pthread_mutex_lock(&g_mutex));
    while (g_turn % kThreads != self) ZERO(pthread_cond_wait(&g_cond, &g_mutex));
    g_turn++;
    ZERO(pthread_cond_broadcast(&g_cond));
    ZERO(pthread_mutex_unlock(&g_mutex));
  }
  for (int i = 0; i < 20; i++) {
    OK(sem_wait(&g_sem));
    CHECK(atomic_fetch_add(&g_inside, 1) < 3);
    atomic_fetch_sub(&g_inside, 1);
    OK(sem_post(&g_sem));
  }
  for (int i = 0; i < 20; i++) {
    if (i % 5 == 0) {
      ZERO(pthread_rwlock_wrlock(&g_rwlock));
      g_sum++;
    } else {
      ZERO(pthread_rwlock_rdlock(&g_rwlock));
    }
    ZERO(pthread_rwlock_unlock(&g_rwlock));
  }
  return NULL;
}

int main(void) {
  ZERO(pthread_barrier_init(&g_barrier, NULL, kThreads));
  OK(sem_init(&g_sem, 0, 3));
  pthread_t threads[kThreads];
  for (uintptr_t i = 0; i < kThreads; i++) ZERO(pthread_create(&threads[i], NULL, worker, (void*)i));
  for (int i = 0; i < kThreads; i++) ZERO(pthread_join(threads[i], NULL));
  CHECK_EQ(g_sum, kThreads * kRounds + kThreads * 4);
  CHECK_EQ(g_turn, kThreads * 5);
  CHECK_EQ(g_once_count, 1);

  struct timespec soon;
  OK(clock_gettime(CLOCK_REALTIME, &soon));
  soon.tv_nsec += 10000000;
  if (soon.tv_nsec >= 1000000000) soon.tv_sec++, soon.tv_nsec -= 1000000000;
  ZERO(pthread_mutex_lock(&g_mutex));
  CHECK_EQ(pthread_cond_timedwait(&g_cond, &g_mutex, &soon), ETIMEDOUT);
  CHECK_EQ(pthread_mutex_trylock(&g_mutex), EBUSY);
  CHECK_EQ(pthread_mutex_timedlock(&g_mutex, &soon), ETIMEDOUT);
  CHECK_EQ(pthread_mutex_clocklock(&g_mutex, CLOCK_MONOTONIC, &(struct timespec){0}), ETIMEDOUT);
  // With priority inheritance: the kernel's own lock.
  pthread_mutexattr_t attr;
  ZERO(pthread_mutexattr_init(&attr));
  ZERO(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK));
  pthread_mutex_t checked;
  ZERO(pthread_mutex_init(&checked, &attr));
  ZERO(pthread_mutex_lock(&checked));
  CHECK_EQ(pthread_mutex_lock(&checked), EDEADLK);
  ZERO(pthread_mutex_unlock(&checked));
  CHECK_EQ(pthread_mutex_unlock(&checked), EPERM);
  return 0;
}
