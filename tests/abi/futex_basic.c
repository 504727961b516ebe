// futex(2): wait, wake, requeue, wake_op, bitsets, timeouts, errors.
#include <linux/futex.h>

#include "abi.h"

static atomic_int g_word, g_other, g_woken;
static int g_flag = FUTEX_PRIVATE_FLAG;

static long futex(atomic_int* word, int op, int value, const void* timeout, atomic_int* word2, int value3) {
  return syscall(SYS_futex, word, op | g_flag, value, timeout, word2, value3);
}

static void* waiter(void* arg) {
  *(volatile pid_t*)arg = abi_tid();
  OK(futex(&g_word, FUTEX_WAIT, 0, NULL, NULL, 0));
  atomic_fetch_add(&g_woken, 1);
  return NULL;
}

static void* bit_waiter(void* arg) {
  volatile pid_t* tid = arg;
  int bits = *tid;
  *tid = abi_tid();
  OK(futex(&g_word, FUTEX_WAIT_BITSET, 0, NULL, NULL, bits));
  atomic_fetch_add(&g_woken, bits);
  return NULL;
}

static pthread_t g_threads[4];
static volatile pid_t g_tids[4];

static void start(int count, void* (*function)(void*)) {
  for (int i = 0; i < count; i++) {
    pid_t before = g_tids[i];
    ZERO(pthread_create(&g_threads[i], NULL, function, (void*)&g_tids[i]));
    while (g_tids[i] == before) sched_yield();
    abi_await_state(g_tids[i], 'S');
  }
  atomic_store(&g_woken, 0);
}

static void join(int count) {
  for (int i = 0; i < count; i++) {
    ZERO(pthread_join(g_threads[i], NULL));
    g_tids[i] = 0;
  }
}

static void timeouts(void) {
  struct timespec t = {.tv_nsec = 20000000}, bad = {.tv_nsec = -1};
  long long begin = abi_ns(CLOCK_MONOTONIC);
  FAILS(futex(&g_word, FUTEX_WAIT, 0, &t, NULL, 0), ETIMEDOUT);
  CHECK(abi_ns(CLOCK_MONOTONIC) - begin >= 20000000);
  FAILS(futex(&g_word, FUTEX_WAIT, 0, &bad, NULL, 0), EINVAL);
  FAILS(futex(&g_word, FUTEX_WAIT, 1, &t, NULL, 0), EAGAIN);
  // FUTEX_WAIT_BITSET takes a point in time, of either clock.
  OK(clock_gettime(CLOCK_MONOTONIC, &t));
  FAILS(futex(&g_word, FUTEX_WAIT_BITSET, 0, &t, NULL, FUTEX_BITSET_MATCH_ANY), ETIMEDOUT);
  t.tv_sec--;
  FAILS(futex(&g_word, FUTEX_WAIT_BITSET, 0, &t, NULL, FUTEX_BITSET_MATCH_ANY), ETIMEDOUT);
  OK(clock_gettime(CLOCK_REALTIME, &t));
  FAILS(futex(&g_word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &t, NULL, 1), ETIMEDOUT);
  FAILS(futex(&g_word, FUTEX_WAIT_BITSET, 0, &t, NULL, 0), EINVAL);
  FAILS(futex(&g_word, FUTEX_WAKE_BITSET, 0, NULL, NULL, 0), EINVAL);
}

static void wakes(void) {
  CHECK_EQ(futex(&g_word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
  start(3, waiter);
  CHECK_EQ(futex(&g_word, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
  abi_await(&g_woken, 1);
  CHECK_EQ(futex(&g_word, FUTEX_WAKE, 100, NULL, NULL, 0), 2);
  join(3);

  // Requeue: one woken, the others moved to the second word.
  start(4, waiter);
  FAILS(futex(&g_word, FUTEX_CMP_REQUEUE, 1, (void*)100, &g_other, 5), EAGAIN);
  CHECK_EQ(futex(&g_word, FUTEX_CMP_REQUEUE, 1, (void*)2, &g_other, 0), 3);  // one woken, two moved
  CHECK_EQ(futex(&g_other, FUTEX_WAKE, 100, NULL, NULL, 0), 2);
  CHECK_EQ(futex(&g_word, FUTEX_REQUEUE, 0, (void*)100, &g_other, 0), 1);
  CHECK_EQ(futex(&g_word, FUTEX_WAKE, 100, NULL, NULL, 0), 0);
  CHECK_EQ(futex(&g_other, FUTEX_WAKE, 100, NULL, NULL, 0), 1);
  join(4);

  // Bits select.
  g_tids[0] = 1;
  g_tids[1] = 2;
  g_tids[2] = 4;
  start(3, bit_waiter);
  CHECK_EQ(futex(&g_word, FUTEX_WAKE_BITSET, 100, NULL, NULL, 8), 0);
  CHECK_EQ(futex(&g_word, FUTEX_WAKE_BITSET, 100, NULL, NULL, 2), 1);
  abi_await(&g_woken, 2);
  CHECK_EQ(futex(&g_word, FUTEX_WAKE_BITSET, 100, NULL, NULL, 5), 2);
  join(3);
}

static void wake_ops(void) {
  start(2, waiter);
  atomic_store(&g_other, 10);
  int op = FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_GT, 100);
  CHECK_EQ(futex(&g_other, FUTEX_WAKE_OP, 1, (void*)1, &g_other, op), 0);
  CHECK_EQ(atomic_load(&g_other), 15);
  op = FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_EQ, 0);  // on the second word: it is 0, so wake there
  CHECK_EQ(futex(&g_other, FUTEX_WAKE_OP, 1, (void*)1, &g_word, op), 1);
  op = FUTEX_OP(FUTEX_OP_OR, 0, FUTEX_OP_CMP_NE, 0);
  CHECK_EQ(futex(&g_other, FUTEX_WAKE_OP, 1, (void*)1, &g_word, op), 0);
  op = FUTEX_OP((FUTEX_OP_XOR | FUTEX_OP_OPARG_SHIFT), 3, FUTEX_OP_CMP_EQ, 15);
  CHECK_EQ(futex(&g_word, FUTEX_WAKE_OP, 1, (void*)1, &g_other, op), 1);
  CHECK_EQ(atomic_load(&g_other), 7);
  atomic_store(&g_other, 0);
  join(2);
}

int main(void) {
  timeouts();
  wakes();
  wake_ops();
  g_flag = 0;
  timeouts();
  wakes();
  wake_ops();
  FAILS(futex((atomic_int*)((char*)&g_word + 1), FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
  FAILS(futex((atomic_int*)8, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
  FAILS(futex((atomic_int*)8, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);  // a shared one is looked up
  FAILS(futex(&g_word, 77, 0, NULL, NULL, 0), ENOSYS);
  FAILS(futex(&g_word, FUTEX_WAIT, 0, (void*)8, NULL, 0), EFAULT);
  return 0;
}
