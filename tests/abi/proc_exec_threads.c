// execve(2) from a thread: the others end, the process keeps its pid, also when the caller is not the leader.
#include <dirent.h>

#include "abi.h"

static char* g_self;
static pid_t g_leader;
static atomic_int g_ready;

static void* waits(void* arg) {
  atomic_fetch_add(&g_ready, 1);
  for (;;) pause();
  return arg;
}

static void* spins(void* arg) {
  atomic_fetch_add(&g_ready, 1);
  for (volatile unsigned long i = 0;; i++) continue;
  return arg;
}

static void* execs(void* arg) {
  abi_await(&g_ready, 3);
  CHECK(abi_tid() != g_leader);
  char number[16];
  snprintf(number, sizeof(number), "%d", g_leader);
  char* args[] = {g_self, "after", number, NULL};
  OK(execv(g_self, args));
  return arg;
}

static int after(pid_t pid) {
  CHECK_EQ(getpid(), pid);
  CHECK_EQ(abi_tid(), pid);
  int threads = 0;
  DIR* dir = opendir("/proc/self/task");
  CHECK(dir != NULL);
  for (struct dirent* entry; (entry = readdir(dir));) threads += entry->d_name[0] != '.';
  CHECK_EQ(threads, 1);
  closedir(dir);
  return 21;
}

int main(int argc, char** argv) {
  if (argc > 2) return after(atoi(argv[2]));
  g_self = argv[0];
  for (int leader_execs = 0; leader_execs < 2; leader_execs++) {
    pid_t pid = FORK({
      g_leader = getpid();
      pthread_t thread;
      ZERO(pthread_create(&thread, NULL, waits, NULL));
      ZERO(pthread_create(&thread, NULL, spins, NULL));
      ZERO(pthread_create(&thread, NULL, waits, NULL));
      if (leader_execs) {
        char number[16];
        snprintf(number, sizeof(number), "%d", g_leader);
        char* args[] = {g_self, "after", number, NULL};
        abi_await(&g_ready, 3);
        OK(execv(g_self, args));
      }
      ZERO(pthread_create(&thread, NULL, execs, NULL));
      for (;;) pause();
    });
    WAIT_EXIT(pid, 21);
  }
  // A failed execve leaves the threads alone.
  pid_t pid = FORK({
    pthread_t thread;
    atomic_store(&g_ready, 0);
    ZERO(pthread_create(&thread, NULL, waits, NULL));
    abi_await(&g_ready, 1);
    FAILS(execv("/nonexistent", argv), ENOENT);
    CHECK_EQ(pthread_kill(thread, 0), 0);
  });
  WAIT_OK(pid);
  return 0;
}
