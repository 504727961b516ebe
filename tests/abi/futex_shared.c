// Futexes between processes: the same word at two addresses, in files and anonymous memory.
#include <linux/futex.h>

#include "abi.h"

static long futex(atomic_int* word, int op, int value) {
  return syscall(SYS_futex, word, op, value, NULL, NULL, 0);
}

static void meet(atomic_int* mine, atomic_int* childs) {
  atomic_store(mine, 0);
  pid_t pid = FORK({
    atomic_store(childs + 1, 1);
    while (atomic_load(childs) == 0) {
      if (futex(childs, FUTEX_WAIT, 0) == -1) CHECK(errno == EAGAIN);
    }
  });
  abi_await(mine + 1, 1);
  abi_await_state(pid, 'S');
  CHECK_EQ(futex(mine, FUTEX_WAKE_PRIVATE, 1), 0);  // another kind of key
  atomic_store(mine, 1);
  CHECK_EQ(futex(mine, FUTEX_WAKE, 1), 1);
  WAIT_OK(pid);
  atomic_store(mine + 1, 0);
}

int main(void) {
  abi_scratch();
  atomic_int* anonymous = abi_shared(4096);
  meet(anonymous, anonymous);
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
  OK(ftruncate(fd, 8192));
  char* a = OK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  char* b = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096));
  meet((atomic_int*)(a + 4096 + 64), (atomic_int*)(b + 64));

  // A private copy of memory is another word after fork.
  atomic_int* own = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  atomic_store(own, 0);
  pid_t pid = FORK({
    atomic_store(anonymous + 1, 2);
    futex(own, FUTEX_WAIT, 0);
  });
  abi_await(anonymous + 1, 2);
  abi_await_state(pid, 'S');
  CHECK_EQ(futex(own, FUTEX_WAKE, 100), 0);
  OK(kill(pid, SIGKILL));
  WAIT_SIGNAL(pid, SIGKILL);

  // Process-shared locks of the library.
  struct Shared {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int turn, sum;
  }* shared = abi_shared(4096);
  pthread_mutexattr_t mutex_attr;
  pthread_condattr_t cond_attr;
  ZERO(pthread_mutexattr_init(&mutex_attr));
  ZERO(pthread_mutexattr_setpshared(&mutex_attr, PTHREAD_PROCESS_SHARED));
  ZERO(pthread_condattr_init(&cond_attr));
  ZERO(pthread_condattr_setpshared(&cond_attr, PTHREAD_PROCESS_SHARED));
  ZERO(pthread_mutex_init(&shared->mutex, &mutex_attr));
  ZERO(pthread_cond_init(&shared->cond, &cond_attr));
  pid_t children[3];
  for (int i = 0; i < 3; i++) {
    children[i] = FORK(for (int round = 0; round < 30; round++) {
      ZERO(pthread_mutex_lock(&shared->mutex));
      while (shared->turn % 3 != i) ZERO(pthread_cond_wait(&shared->cond, &shared->mutex));
      shared->turn++;
      shared->sum += i;
      ZERO(pthread_cond_broadcast(&shared->cond));
      ZERO(pthread_mutex_unlock(&shared->mutex));
    });
  }
  for (int i = 0; i < 3; i++) WAIT_OK(children[i]);
  CHECK_EQ(shared->turn, 90);
  CHECK_EQ(shared->sum, 90);
  return 0;
}
