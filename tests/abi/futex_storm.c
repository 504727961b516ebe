// No wake-up is lost: many threads hand tokens round by bare futexes, with time limits that race against the
// wakes.
#include <linux/futex.h>

#include "abi.h"

enum { kThreads = 8, kTokens = 60 };
static atomic_int g_slots[kThreads], g_timeouts;

static long futex(atomic_int* word, int op, int value, const struct timespec* timeout) {
  return syscall(SYS_futex, word, op, value, timeout, NULL, 0);
}

// Takes a token from its slot and puts it into the next one.
static void* passes(void* arg) {
  int self = (int)(uintptr_t)arg;
  for (int i = 0; i < kTokens; i++) {
    while (atomic_load(&g_slots[self]) == 0) {
      struct timespec limit = {.tv_nsec = 50000 + (i % 7) * 100000};
      if (futex(&g_slots[self], FUTEX_WAIT_PRIVATE, 0, self % 2 ? &limit : NULL) == -1) {
        CHECK(errno == EAGAIN || errno == ETIMEDOUT);
        if (errno == ETIMEDOUT) atomic_fetch_add(&g_timeouts, 1);
      }
    }
    atomic_fetch_sub(&g_slots[self], 1);
    int next = (self + 1) % kThreads;
    atomic_fetch_add(&g_slots[next], 1);
    OK(futex(&g_slots[next], FUTEX_WAKE_PRIVATE, 1, NULL));
  }
  return NULL;
}

static pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t g_full = PTHREAD_COND_INITIALIZER, g_empty = PTHREAD_COND_INITIALIZER;
static int g_queue[4], g_count, g_produced, g_consumed;
static long g_sum;

static void* produces(void* arg) {
  for (;;) {
    ZERO(pthread_mutex_lock(&g_mutex));
    while (g_count == 4) ZERO(pthread_cond_wait(&g_empty, &g_mutex));
    if (g_produced == 300) {
      ZERO(pthread_mutex_unlock(&g_mutex));
      return arg;
    }
    g_queue[g_count++] = ++g_produced;
    ZERO(pthread_cond_signal(&g_full));
    ZERO(pthread_mutex_unlock(&g_mutex));
  }
}

static void* consumes(void* arg) {
  for (;;) {
    ZERO(pthread_mutex_lock(&g_mutex));
    while (g_count == 0 && g_consumed < 300) {
      struct timespec until;
      OK(clock_gettime(CLOCK_REALTIME, &until));
      until.tv_nsec += 2000000;
      if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
      int result = pthread_cond_timedwait(&g_full, &g_mutex, &until);
      CHECK(result == 0 || result == ETIMEDOUT);
    }
    if (g_count == 0) {
      ZERO(pthread_mutex_unlock(&g_mutex));
      return arg;
    }
    g_sum += g_queue[--g_count];
    g_consumed++;
    ZERO(pthread_cond_signal(&g_empty));
    ZERO(pthread_mutex_unlock(&g_mutex));
  }
}

int main(void) {
  pthread_t threads[kThreads];
  atomic_store(&g_slots[0], 1);
  for (uintptr_t i = 0; i < kThreads; i++) ZERO(pthread_create(&threads[i], NULL, passes, (void*)i));
  for (int i = 0; i < kThreads; i++) ZERO(pthread_join(threads[i], NULL));
  int left = 0;
  for (int i = 0; i < kThreads; i++) left += atomic_load(&g_slots[i]);
  CHECK_EQ(left, 1);
  for (uintptr_t i = 0; i < 6; i++)
    ZERO(pthread_create(&threads[i], NULL, i < 3 ? produces : consumes, NULL));
  for (int i = 0; i < 6; i++) ZERO(pthread_join(threads[i], NULL));
  CHECK_EQ(g_consumed, 300);
  CHECK_EQ(g_sum, 300 * 301 / 2);
  return 0;
}
