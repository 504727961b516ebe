// POSIX threads on our clone and futex: identities, locals, join, detach, exit of the leader, ends by
// exit_group.
#include <dirent.h>

#include "abi.h"

static __thread int g_local = 3;
static atomic_int g_count;
static pthread_key_t g_key;

static void destructor(void* value) { atomic_fetch_add(&g_count, (int)(uintptr_t)value); }

static void* worker(void* arg) {
  CHECK_EQ(g_local, 3);
  g_local = (int)(uintptr_t)arg;
  CHECK_EQ(getpid() == abi_tid(), 0);
  ZERO(pthread_setspecific(g_key, (void*)1));
  for (int i = 0; i < 3; i++) sched_yield();
  CHECK_EQ(g_local, (int)(uintptr_t)arg);
  return (void*)((uintptr_t)arg * 2);
}

static void* exits_group(void* arg) {
  (void)arg;
  exit(9);
}

static void* waits(void* arg) {
  for (;;) pause();
  return arg;
}

static void* kills(void* arg) {
  (void)arg;
  *(volatile int*)16 = 1;
  return NULL;
}

static void* last(void* arg) {
  // The leader is a zombie by now, the process lives on.
  abi_await_state(getpid(), 'Z');
  OK(kill(getpid(), 0));
  _exit((int)(uintptr_t)arg);
}

static void* ends_silently(void* arg) {
  abi_await_state(getpid(), 'Z');
  syscall(SYS_exit, 8);
  return arg;
}

int main(void) {
  ZERO(pthread_key_create(&g_key, destructor));
  pthread_t threads[16];
  for (uintptr_t i = 0; i < 16; i++) ZERO(pthread_create(&threads[i], NULL, worker, (void*)(i + 10)));
  for (uintptr_t i = 0; i < 16; i++) {
    void* result;
    ZERO(pthread_join(threads[i], &result));
    CHECK_EQ(result, (i + 10) * 2);
  }
  CHECK_EQ(atomic_load(&g_count), 16);
  CHECK_EQ(g_local, 3);

  WAIT_EXIT(FORK({
              ZERO(pthread_create(threads, NULL, waits, NULL));
              ZERO(pthread_create(threads, NULL, exits_group, NULL));
              for (;;) pause();
            }),
            9);
  WAIT_SIGNAL(FORK({
                ZERO(pthread_create(threads, NULL, waits, NULL));
                ZERO(pthread_create(threads, NULL, kills, NULL));
                for (;;) pause();
              }),
              SIGSEGV);
  WAIT_EXIT(FORK({
              ZERO(pthread_create(threads, NULL, last, (void*)6));
              pthread_exit(NULL);
            }),
            6);
  WAIT_EXIT(FORK({
              ZERO(pthread_create(threads, NULL, ends_silently, NULL));
              syscall(SYS_exit, 7);
            }),
            8);  // the last one's status counts

  // A stack of one's own, a small one, a detached thread.
  pthread_attr_t attr;
  ZERO(pthread_attr_init(&attr));
  ZERO(pthread_attr_setstacksize(&attr, 65536));
  ZERO(pthread_create(threads, &attr, worker, (void*)1));
  ZERO(pthread_join(threads[0], NULL));
  atomic_store(&g_count, 0);
  ZERO(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED));
  ZERO(pthread_create(threads, &attr, worker, (void*)1));
  abi_await(&g_count, 1);

  // fork in a program with threads has one.
  ZERO(pthread_create(threads, NULL, waits, NULL));
  IN_CHILD({
    int count = 0;
    DIR* dir = opendir("/proc/self/task");
    for (struct dirent* entry; (entry = readdir(dir));) count += entry->d_name[0] != '.';
    CHECK_EQ(count, 1);
    CHECK_EQ(abi_tid(), getpid());
  });
  return 0;
}
