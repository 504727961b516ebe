// futex_waitv(2): one of several; which, by what it fails, requeueing, many.
#include "abi.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
enum { k32 = 2, kPrivate = 128 };

struct choice {
  uint64_t value, address;
  uint32_t flags, reserved;
};
static uint32_t g_words[128];
static struct choice g_all[129];

static long waitv(struct choice* c, unsigned n, unsigned flags, struct timespec* timeout, int clock) {
  return syscall(SYS_futex_waitv, c, n, flags, timeout, clock);
}

static long wake(uint32_t* word, int count, bool shared) {
  return syscall(SYS_futex, word, shared ? 1 : 1 | kPrivate, count, NULL, NULL, 0);
}

static struct choice on(uint32_t* word, uint32_t value, bool shared) {
  return (struct choice){value, (uintptr_t)word, shared ? k32 : k32 | kPrivate, 0};
}

static void arguments(void) {
  struct choice c[2] = {on(&g_words[0], 0, false), on(&g_words[1], 0, false)};
  struct timespec past = {1, 0}, wrong = {0, 1000000000};
  FAILS(waitv(c, 0, 0, NULL, 0), EINVAL);
  FAILS(waitv(g_all, 129, 0, NULL, 0), EINVAL);
  FAILS(waitv(c, 2, 1, NULL, 0), EINVAL);
  FAILS(waitv(NULL, 2, 0, NULL, 0), EINVAL);
  FAILS(waitv((void*)8, 1, 0, &past, CLOCK_MONOTONIC), EFAULT);
  FAILS(waitv(c, 2, 0, &past, CLOCK_BOOTTIME), EINVAL);
  FAILS(waitv(c, 2, 0, &wrong, CLOCK_MONOTONIC), EINVAL);
  FAILS(waitv(c, 2, 0, (void*)8, CLOCK_MONOTONIC), EFAULT);
  FAILS(waitv(c, 2, 0, &past, CLOCK_MONOTONIC), ETIMEDOUT);
  FAILS(waitv(c, 2, 0, &past, CLOCK_REALTIME), ETIMEDOUT);
  struct timespec soon;
  OK(clock_gettime(CLOCK_MONOTONIC, &soon));
  soon.tv_nsec += 20000000;
  if (soon.tv_nsec >= 1000000000) soon.tv_nsec -= 1000000000, soon.tv_sec++;
  FAILS(waitv(c, 2, 0, &soon, CLOCK_MONOTONIC), ETIMEDOUT);
  struct timespec now;
  OK(clock_gettime(CLOCK_MONOTONIC, &now));
  CHECK(now.tv_sec > soon.tv_sec || (now.tv_sec == soon.tv_sec && now.tv_nsec >= soon.tv_nsec));
  c[1].value = 1;
  FAILS(waitv(c, 2, 0, NULL, 0), EAGAIN);
  CHECK_EQ(wake(&g_words[0], 10, false), 0);  // nobody is left behind
  c[1] = on(&g_words[1], 0, false), c[1].flags = kPrivate;
  FAILS(waitv(c, 2, 0, NULL, 0), EINVAL);
  c[1].flags = k32 | 0x40;
  FAILS(waitv(c, 2, 0, NULL, 0), EINVAL);
  c[1] = on(&g_words[1], 0, false), c[1].reserved = 1;
  FAILS(waitv(c, 2, 0, NULL, 0), EINVAL);
  c[1] = on((uint32_t*)((char*)g_words + 2), 0, false);
  FAILS(waitv(c, 2, 0, NULL, 0), EINVAL);
  c[1] = on((uint32_t*)4096, 0, false);
  FAILS(waitv(c, 2, 0, NULL, 0), EFAULT);
}

static atomic_int g_tid;
static long g_result;

static void* waits(void* count) {
  unsigned n = (unsigned)(uintptr_t)count;
  for (unsigned i = 0; i < n; i++) g_all[i] = on(&g_words[i], 0, false);
  atomic_store(&g_tid, abi_tid());
  g_result = waitv(g_all, n, 0, NULL, 0);
  return NULL;
}

static pthread_t start(unsigned count) {
  pthread_t t;
  atomic_store(&g_tid, 0);
  ZERO(pthread_create(&t, NULL, waits, (void*)(uintptr_t)count));
  while (!atomic_load(&g_tid)) sched_yield();
  abi_await_state(atomic_load(&g_tid), 'S');
  return t;
}

// Linux shows a task as asleep while it still puts itself on its words, one after the other.
static void wakes_one(uint32_t* word, int most) {
  long woken;
  while ((woken = wake(word, most, false)) == 0) sched_yield();
  CHECK_EQ(woken, 1);
}

static void which(void) {
  for (int i = 0; i < 128; i += 25) {
    pthread_t t = start(128);
    wakes_one(&g_words[i], 1);
    ZERO(pthread_join(t, NULL));
    CHECK_EQ(g_result, i);
    for (int other = 0; other < 128; other += 7) CHECK_EQ(wake(&g_words[other], 1, false), 0);
  }
  // The same word twice counts once for who wakes all that there are.
  pthread_t t = start(3);
  CHECK_EQ(wake(&g_words[77], 1, false), 0);
  wakes_one(&g_words[2], 5);
  ZERO(pthread_join(t, NULL));
  CHECK_EQ(g_result, 2);
  // Moved to another word it still answers by the place in its own list.
  t = start(3);
  long moved;
  while ((moved = syscall(SYS_futex, &g_words[1], 3 | kPrivate, 0, 1l, &g_words[100], 0)) == 0) sched_yield();
  CHECK_EQ(moved, 1);
  CHECK_EQ(wake(&g_words[1], 1, false), 0);
  CHECK_EQ(wake(&g_words[100], 1, false), 1);
  ZERO(pthread_join(t, NULL));
  CHECK_EQ(g_result, 1);
}

static void on_signal(int signal) { (void)signal; }

static void shared(void) {
  uint32_t* words = abi_shared(4096);
  abi_handle(SIGUSR1, on_signal, 0);
  pid_t pid = FORK({
    struct choice c[2] = {on(&words[0], 0, true), on(&words[500], 0, true)};
    FAILS(waitv(c, 2, 0, NULL, 0), EINTR);
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    ZERO(sigprocmask(SIG_BLOCK, &usr1, NULL));
    words[1] = 1;
    CHECK_EQ(waitv(c, 2, 0, NULL, 0), 1);
  });
  abi_await_state(pid, 'S');
  while (!((volatile uint32_t*)words)[1]) {
    OK(kill(pid, SIGUSR1));
    sched_yield();
  }
  while (wake(&words[500], 1, true) == 0) sched_yield();
  WAIT_OK(pid);
}

int main(void) {
  arguments();
  which();
  shared();
  return 0;
}
