// Threads run at the same time: with two CPUs allowed, two that only watch each other make progress together,
// and a change of mappings by one is seen by the other.
#include "abi.h"

static atomic_int g_turn;
static atomic_bool g_stop;

static void* ping(void* arg) {
  int self = (int)(uintptr_t)arg;
  for (int i = 0; i < 200; i++) {
    while (atomic_load(&g_turn) % 2 != self) continue;  // no call: only another CPU, or preemption, can help
    atomic_fetch_add(&g_turn, 1);
  }
  return NULL;
}

static void* count(void* arg) {
  volatile unsigned long* counter = arg;
  while (!atomic_load(&g_stop)) ++*counter;
  return NULL;
}

static char* volatile g_page;

static void* watch(void* arg) {
  // A page that flips between two contents: never anything else is seen.
  while (!atomic_load(&g_stop)) {
    char c = *(volatile char*)g_page;
    if (c != 'a' && c != 0) FAIL("saw %d", c);
  }
  return arg;
}

int main(void) {
  cpu_set_t set;
  OK(sched_getaffinity(0, sizeof(set), &set));
  pthread_t threads[4];
  if (CPU_COUNT(&set) >= 2) {
    for (uintptr_t i = 0; i < 2; i++) ZERO(pthread_create(&threads[i], NULL, ping, (void*)i));
    for (int i = 0; i < 2; i++) ZERO(pthread_join(threads[i], NULL));
    CHECK_EQ(atomic_load(&g_turn), 400);
  }
  // Four counters and a main thread: all get their share.
  static unsigned long counters[4][64];
  for (int i = 0; i < 4; i++) ZERO(pthread_create(&threads[i], NULL, count, counters[i]));
  for (int i = 0; i < 4; i++) {
    while (*(volatile unsigned long*)counters[i] < 100000) continue;
  }
  atomic_store(&g_stop, true);
  for (int i = 0; i < 4; i++) ZERO(pthread_join(threads[i], NULL));

  atomic_store(&g_stop, false);
  g_page = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  for (int i = 0; i < 2; i++) ZERO(pthread_create(&threads[i], NULL, watch, NULL));
  for (int i = 0; i < 100; i++) {
    *(volatile char*)g_page = 'a';
    OK(madvise(g_page, 4096, MADV_DONTNEED));
    CHECK_EQ(*(volatile char*)g_page, 0);
    OK(mprotect(g_page, 4096, PROT_READ));
    OK(mprotect(g_page, 4096, PROT_READ | PROT_WRITE));
    OK(mmap(g_page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
  }
  atomic_store(&g_stop, true);
  for (int i = 0; i < 2; i++) ZERO(pthread_join(threads[i], NULL));
  return 0;
}
