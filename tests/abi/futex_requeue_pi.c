// FUTEX_WAIT_REQUEUE_PI and FUTEX_CMP_REQUEUE_PI: waiters of a condition go on with a lock (futex(2)).
#include <limits.h>
#include <linux/futex.h>

#include "abi.h"

enum { kWaiters = 3 };

static unsigned *g_condition, *g_lock;
static atomic_int *g_done;

static long futex(unsigned* word, int op, unsigned value, unsigned long timeout, unsigned* word2, unsigned value3) {
  return syscall(SYS_futex, word, op, value, timeout, word2, value3);
}

static long wait_requeue(unsigned value, const struct timespec* until) {
  return futex(g_condition, FUTEX_WAIT_REQUEUE_PI, value, (unsigned long)until, g_lock, 0);
}
static long requeue(unsigned wake, unsigned long move, unsigned expected) {
  return futex(g_condition, FUTEX_CMP_REQUEUE_PI, wake, move, g_lock, expected);
}
static void lock(void) { OK(futex(g_lock, FUTEX_LOCK_PI, 0, 0, NULL, 0)); }
static void unlock(void) { OK(futex(g_lock, FUTEX_UNLOCK_PI, 0, 0, NULL, 0)); }

static void* waiter(void* arg) {
  *(atomic_int*)arg = abi_tid();
  OK(wait_requeue(*g_condition, NULL));
  // The lock is ours.
  CHECK_EQ(*g_lock & FUTEX_TID_MASK, abi_tid());
  atomic_fetch_add(g_done, 1);
  unlock();
  return NULL;
}

static pid_t start(pthread_t* thread) {
  atomic_int tid = 0;
  ZERO(pthread_create(thread, NULL, waiter, &tid));
  while (!tid) sched_yield();
  abi_await_state(tid, 'S');
  return tid;
}

static void refusals(void) {
  struct timespec past = {1, 0};
  *g_condition = 5;
  FAILS(wait_requeue(4, NULL), EAGAIN);
  FAILS(wait_requeue(5, &past), ETIMEDOUT);
  FAILS(futex(g_condition, FUTEX_WAIT_REQUEUE_PI | FUTEX_CLOCK_REALTIME, 5, (unsigned long)&past, g_lock, 0), ETIMEDOUT);
  FAILS(futex(g_condition, FUTEX_WAIT_REQUEUE_PI, 5, 0, g_condition, 0), EINVAL);
  FAILS(futex(g_condition, FUTEX_WAIT_REQUEUE_PI, 5, 0, (unsigned*)((char*)g_lock + 1), 0), EINVAL);
  FAILS(requeue(1, 0, 4), EAGAIN);
  FAILS(requeue(0, 0, 5), EINVAL);
  FAILS(requeue(2, 0, 5), EINVAL);
  FAILS(futex(g_condition, FUTEX_CMP_REQUEUE_PI, 1, 0, g_condition, 5), EINVAL);
  CHECK_EQ(requeue(1, INT_MAX, 5), 0);  // nobody waits
  CHECK_EQ(*g_lock, 0);
}

static void free_lock(void) {
  pthread_t thread;
  pid_t tid = start(&thread);
  // What is waited for so cannot be woken otherwise.
  unsigned other = 0;
  FAILS(futex(g_condition, FUTEX_WAKE, 1, 0, NULL, 0), EINVAL);
  FAILS(futex(g_condition, FUTEX_REQUEUE, 0, 1, &other, 0), EINVAL);
  FAILS(futex(g_condition, FUTEX_CMP_REQUEUE_PI, 1, 0, &other, *g_condition), EINVAL);
  *g_done = 0;
  CHECK_EQ(requeue(1, 0, *g_condition), 1);
  ZERO(pthread_join(thread, NULL));
  CHECK_EQ(*g_done, 1);
  CHECK_EQ(*g_lock & FUTEX_TID_MASK, 0);
  (void)tid;
}

static void held_lock(void) {
  pthread_t threads[kWaiters];
  *g_done = 0;
  for (int i = 0; i < kWaiters; i++) start(&threads[i]);
  lock();
  CHECK_EQ(*g_lock, abi_tid());
  CHECK_EQ(requeue(1, 1, *g_condition), 2);  // one is left
  CHECK_EQ(*g_lock, abi_tid() | FUTEX_WAITERS);
  CHECK_EQ(*g_done, 0);
  unlock();
  while (*g_done < 2) sched_yield();
  CHECK_EQ(requeue(1, INT_MAX, *g_condition), 1);
  for (int i = 0; i < kWaiters; i++) ZERO(pthread_join(threads[i], NULL));
  CHECK_EQ(*g_done, kWaiters);
}

static void on_alarm(int signal) { (void)signal; }

static void* interrupted(void* arg) {
  *(atomic_int*)arg = abi_tid();
  // Before it is moved the call is made again, whatever the handler's flags; afterwards it cannot be.
  FAILS(wait_requeue(*g_condition, NULL), EAGAIN);
  return NULL;
}

static void signals(void) {
  abi_handle(SIGUSR1, on_alarm, 0);
  atomic_int tid = 0;
  pthread_t thread;
  ZERO(pthread_create(&thread, NULL, interrupted, &tid));
  while (!tid) sched_yield();
  abi_await_state(tid, 'S');
  ZERO(pthread_kill(thread, SIGUSR1));
  for (int i = 0; i < 50; i++) sched_yield();
  abi_await_state(tid, 'S');
  lock();
  CHECK_EQ(requeue(1, 0, *g_condition), 1);
  ZERO(pthread_kill(thread, SIGUSR1));
  ZERO(pthread_join(thread, NULL));
  unlock();
}

static void* late(void* arg) {
  struct timespec until;
  *(atomic_int*)arg = abi_tid();
  OK(clock_gettime(CLOCK_MONOTONIC, &until));
  until.tv_sec += 1;
  FAILS(wait_requeue(*g_condition, &until), ETIMEDOUT);
  return NULL;
}

static void timeouts(void) {
  atomic_int tid = 0;
  pthread_t thread;
  ZERO(pthread_create(&thread, NULL, late, &tid));
  while (!tid) sched_yield();
  abi_await_state(tid, 'S');
  lock();
  CHECK_EQ(requeue(1, 0, *g_condition), 1);
  ZERO(pthread_join(thread, NULL));  // time is up while it waits for the lock
  unlock();
  CHECK_EQ(*g_lock & FUTEX_TID_MASK, 0);
}

// Between processes, and again and again.
static void processes(void) {
  enum { kRounds = 300 };
  pid_t children[kWaiters];
  *g_done = 0;
  *g_condition = 0;
  for (int i = 0; i < kWaiters; i++)
    children[i] = FORK({
      for (int round = 0; round < kRounds; round++) {
        lock();
        unsigned seen = *g_condition;
        atomic_fetch_add(g_done, 1);
        unlock();
        errno = 0;
        if (wait_requeue(seen, NULL) == 0) {
          CHECK_EQ(*g_lock & FUTEX_TID_MASK, abi_tid());
          unlock();
        } else {
          CHECK_EQ(errno, EAGAIN);
        }
      }
    });
  for (int round = 0; round < kRounds; round++) {
    while (*g_done < (round + 1) * kWaiters) {
      // Whoever is not there yet sees another value.
      sched_yield();
    }
    lock();
    __atomic_fetch_add(g_condition, 1, __ATOMIC_SEQ_CST);
    OK(requeue(1, INT_MAX, *g_condition));
    unlock();
  }
  for (int i = 0; i < kWaiters; i++) {
    int status;
    // One that queued between the change and the move saw the new value, and asks no more.
    CHECK_EQ(waitpid(children[i], &status, 0), children[i]);
    CHECK_EQ(status, 0);
  }
}

int main(void) {
  unsigned* words = abi_shared(4096);
  g_condition = words, g_lock = words + 16, g_done = (atomic_int*)(words + 32);
  refusals();
  free_lock();
  held_lock();
  signals();
  timeouts();
  processes();
  return 0;
}
