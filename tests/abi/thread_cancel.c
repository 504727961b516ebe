// pthread_cancel at blocking calls and asynchronously; cleanup handlers run.
#include <poll.h>

#include "abi.h"

static int g_pipe[2];
static atomic_int g_cleaned;
static volatile pid_t g_tid;

static void cleanup(void* arg) { atomic_fetch_add((atomic_int*)arg, 1); }

static void* reads(void* arg) {
  char c;
  pthread_cleanup_push(cleanup, &g_cleaned);
  g_tid = abi_tid();
  read(g_pipe[0], &c, 1);
  pthread_cleanup_pop(0);
  return arg;
}

static void* sleeps(void* arg) {
  pthread_cleanup_push(cleanup, &g_cleaned);
  g_tid = abi_tid();
  nanosleep(&(struct timespec){.tv_sec = 1000}, NULL);
  pthread_cleanup_pop(0);
  return arg;
}

static void* polls(void* arg) {
  pthread_cleanup_push(cleanup, &g_cleaned);
  g_tid = abi_tid();
  poll(NULL, 0, -1);
  pthread_cleanup_pop(0);
  return arg;
}

static void* spins(void* arg) {
  int old;
  pthread_cleanup_push(cleanup, &g_cleaned);
  ZERO(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old));
  g_tid = abi_tid();
  for (volatile unsigned long i = 0;; i++) continue;
  pthread_cleanup_pop(0);
  return arg;
}

static pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;

static void unlock(void* arg) {
  // Held again when a wait is cancelled.
  ZERO(pthread_mutex_unlock(&g_mutex));
  cleanup(arg);
}

static void* waits_for_condition(void* arg) {
  static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
  ZERO(pthread_mutex_lock(&g_mutex));
  pthread_cleanup_push(unlock, &g_cleaned);
  g_tid = abi_tid();
  for (;;) pthread_cond_wait(&cond, &g_mutex);
  pthread_cleanup_pop(0);
  return arg;
}

static void try(void* (*function)(void*), bool blocks) {
  pthread_t thread;
  g_tid = 0;
  atomic_store(&g_cleaned, 0);
  ZERO(pthread_create(&thread, NULL, function, NULL));
  while (g_tid == 0) sched_yield();
  if (blocks) abi_await_state(g_tid, 'S');
  ZERO(pthread_cancel(thread));
  void* result;
  ZERO(pthread_join(thread, &result));
  CHECK_EQ(result, PTHREAD_CANCELED);
  CHECK_EQ(atomic_load(&g_cleaned), 1);
}

static void* refuses(void* arg) {
  ZERO(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL));
  atomic_store((atomic_int*)arg, 1);
  abi_await((atomic_int*)arg, 2);
  CHECK_EQ(write(g_pipe[1], "x", 1), 1);  // would be a cancellation point
  return arg;
}

int main(void) {
  OK(pipe(g_pipe));
  for (int round = 0; round < 3; round++) {
    try(reads, true);
    try(sleeps, true);
    try(polls, true);
    try(waits_for_condition, true);
    try(spins, false);
  }
  atomic_int word = 0;
  pthread_t thread;
  ZERO(pthread_create(&thread, NULL, refuses, &word));
  abi_await(&word, 1);
  ZERO(pthread_cancel(thread));
  atomic_store(&word, 2);
  void* result;
  ZERO(pthread_join(thread, &result));
  CHECK_EQ(result, &word);
  return 0;
}
