// Robust lists: the lock of a thread or process that died is handed on with EOWNERDEAD: set_robust_list(2).
#include <linux/futex.h>
#include <stddef.h>

#include "abi.h"

static pthread_mutex_t* g_mutex;

static void* dies(void* arg) {
  ZERO(pthread_mutex_lock(g_mutex));
  return arg;
}

int main(void) {
  g_mutex = abi_shared(4096);
  pthread_mutexattr_t attr;
  ZERO(pthread_mutexattr_init(&attr));
  ZERO(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST));
  ZERO(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED));
  ZERO(pthread_mutex_init(g_mutex, &attr));

  pthread_t thread;
  ZERO(pthread_create(&thread, NULL, dies, NULL));
  ZERO(pthread_join(thread, NULL));
  CHECK_EQ(pthread_mutex_lock(g_mutex), EOWNERDEAD);
  ZERO(pthread_mutex_consistent(g_mutex));
  ZERO(pthread_mutex_unlock(g_mutex));
  ZERO(pthread_mutex_lock(g_mutex));
  ZERO(pthread_mutex_unlock(g_mutex));

  // One killed while another waits.
  atomic_int* word = (atomic_int*)((char*)g_mutex + 1024);
  pid_t owner = FORK({
    ZERO(pthread_mutex_lock(g_mutex));
    atomic_store(word, 1);
    for (;;) pause();
  });
  abi_await(word, 1);
  pid_t waiter = FORK({
    atomic_store(word, 2);
    CHECK_EQ(pthread_mutex_lock(g_mutex), EOWNERDEAD);
    ZERO(pthread_mutex_consistent(g_mutex));
    ZERO(pthread_mutex_unlock(g_mutex));
  });
  abi_await(word, 2);
  abi_await_state(waiter, 'S');
  OK(kill(owner, SIGKILL));
  WAIT_SIGNAL(owner, SIGKILL);
  WAIT_OK(waiter);

  // execve ends the owner's list as well.
  owner = FORK({
    ZERO(pthread_mutex_lock(g_mutex));
    char* args[] = {"true", NULL};
    OK(execv("/bin/true", args));
  });
  WAIT_OK(owner);
  CHECK_EQ(pthread_mutex_lock(g_mutex), EOWNERDEAD);
  ZERO(pthread_mutex_consistent(g_mutex));
  ZERO(pthread_mutex_unlock(g_mutex));

  // By hand: the word gets FUTEX_OWNER_DIED and one waiter is woken.
  struct Lock {
    struct robust_list list;
    atomic_int futex;
  }* lock = (struct Lock*)((char*)g_mutex + 2048);
  pid_t pid = FORK({
    static struct robust_list_head head;
    head.list.next = &lock->list;
    lock->list.next = &head.list;
    head.futex_offset = offsetof(struct Lock, futex);
    OK(syscall(SYS_set_robust_list, &head, sizeof(head)));
    struct robust_list_head* got;
    size_t size;
    OK(syscall(SYS_get_robust_list, 0, &got, &size));
    CHECK_EQ(got, &head);
    CHECK_EQ(size, sizeof(head));
    atomic_store(&lock->futex, abi_tid() | (int)FUTEX_WAITERS);
  });
  WAIT_OK(pid);
  CHECK_EQ((unsigned)atomic_load(&lock->futex), FUTEX_OWNER_DIED | FUTEX_WAITERS);
  // Lists that never end or lead nowhere harm nobody.
  pid = FORK({
    static struct robust_list_head head;
    head.list.next = &lock->list;
    lock->list.next = &lock->list;
    OK(syscall(SYS_set_robust_list, &head, sizeof(head)));
  });
  WAIT_OK(pid);
  IN_CHILD(OK(syscall(SYS_set_robust_list, (void*)8, sizeof(struct robust_list_head))));
  FAILS(syscall(SYS_set_robust_list, NULL, 5), EINVAL);
  FAILS(syscall(SYS_get_robust_list, 0x3fffffff, NULL, NULL), ESRCH);
  return 0;
}
