// Waiting by threads: any may wait for any child, __WNOTHREAD for its own; children outlive the thread that
// made them.
#include "abi.h"

static atomic_int g_pid, g_done;

static void* makes(void* arg) {
  pid_t pid = FORK(abi_await((atomic_int*)arg, 1); _exit(7));
  atomic_store(&g_pid, pid);
  abi_await(&g_done, 1);
  return NULL;
}

static void* makes_and_goes(void* arg) {
  *(pid_t*)arg = FORK(for (;;) pause());
  return NULL;
}

static void* waits(void* arg) {
  int status = 0;
  pid_t pid = waitpid(-1, &status, 0);
  CHECK(pid > 0);
  atomic_fetch_or((atomic_int*)arg, 1 << WEXITSTATUS(status));
  return NULL;
}

int main(void) {
  atomic_int* word = abi_shared(4096);
  pthread_t thread;
  ZERO(pthread_create(&thread, NULL, makes, word));
  while (atomic_load(&g_pid) == 0) sched_yield();
  pid_t pid = atomic_load(&g_pid);
  CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
  FAILS(waitpid(pid, NULL, WNOHANG | __WNOTHREAD), ECHILD);  // not of this thread
  atomic_store(word, 1);
  WAIT_EXIT(pid, 7);
  atomic_store(&g_done, 1);
  ZERO(pthread_join(thread, NULL));

  // The process keeps the child of a thread that is gone.
  pid_t left = 0;
  ZERO(pthread_create(&thread, NULL, makes_and_goes, &left));
  ZERO(pthread_join(thread, NULL));
  CHECK_EQ(waitpid(left, NULL, WNOHANG), 0);
  OK(kill(left, SIGKILL));
  WAIT_SIGNAL(left, SIGKILL);

  // Four wait, four children: each gets one.
  pthread_t threads[4];
  atomic_store(word, 0);
  int fds[2];
  OK(pipe(fds));
  for (int i = 0; i < 4; i++) {
    FORK({
      char c;
      OK(close(fds[1]));
      CHECK_EQ(read(fds[0], &c, 1), 0);
      _exit(i);
    });
  }
  for (int i = 0; i < 4; i++) ZERO(pthread_create(&threads[i], NULL, waits, word));
  OK(close(fds[1]));
  for (int i = 0; i < 4; i++) ZERO(pthread_join(threads[i], NULL));
  CHECK_EQ(atomic_load(word), 15);

  FAILS(waitpid(-1, NULL, 0), ECHILD);
  return 0;
}
