// Two threads take turns, each sleeping on a futex while it is the other's.
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "bench.h"

static atomic_int turn;  // 0: main, 1: the other; 2: the end

static void wait_while(int value) {
  while (atomic_load(&turn) == value) syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void pass_to(int whom) {
  atomic_store(&turn, whom);
  syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *other(void *unused) {
  for (;;) {
    wait_while(0);
    if (atomic_load(&turn) == 2) return unused;
    pass_to(0);
  }
}

static void run(long ops) {
  for (long i = 0; i < ops; i++) {
    pass_to(1);
    wait_while(1);
  }
}

int main(int argc, char **argv) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, other, NULL) != 0) die("pthread_create");
  int result = bench(argc, argv, "futex", run);
  pass_to(2);
  pthread_join(thread, NULL);
  return result;
}
