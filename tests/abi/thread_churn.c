// Threads that come and go while the process forks, maps, and is asked for its list.
#include <dirent.h>

#include "abi.h"

static atomic_bool g_stop;
static atomic_int g_alive;
static char* volatile g_area;

static void* brief(void* arg) {
  volatile char frame[1000];
  frame[0] = (char)(uintptr_t)arg;
  atomic_fetch_add(&g_alive, 1);
  char* p = malloc(10000);
  memset(p, frame[0], 10000);
  CHECK_EQ(p[9999], (char)(uintptr_t)arg);
  free(p);
  atomic_fetch_sub(&g_alive, 1);
  return arg;
}

static void* maker(void* arg) {
  for (uintptr_t i = 0; i < 15; i++) {
    pthread_t thread;
    ZERO(pthread_create(&thread, NULL, brief, (void*)i));
    void* result;
    ZERO(pthread_join(thread, &result));
    CHECK_EQ(result, i);
  }
  return arg;
}

static void* writer(void* arg) {
  uint64_t* words = (uint64_t*)g_area;
  for (uint64_t i = 1; !atomic_load(&g_stop); i++) {
    words[0] = i;
    words[512] = i;  // another page; a copy of both is at most one apart
  }
  return arg;
}

int main(void) {
  pthread_t makers[4], busy;
  for (int i = 0; i < 4; i++) ZERO(pthread_create(&makers[i], NULL, maker, NULL));
  for (int i = 0; i < 4; i++) ZERO(pthread_join(makers[i], NULL));
  CHECK_EQ(atomic_load(&g_alive), 0);

  // Forks see memory of one moment, whatever the threads do to it.
  g_area = OK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ZERO(pthread_create(&busy, NULL, writer, NULL));
  for (int i = 0; i < 60; i++) {
    IN_CHILD({
      uint64_t* words = (uint64_t*)g_area;
      uint64_t first = words[0];
      uint64_t second = words[512];
      CHECK(first == second || first == second + 1);
      for (int k = 0; k < 1000; k++) CHECK_EQ(*(volatile uint64_t*)words, first);
    });
  }
  atomic_store(&g_stop, true);
  ZERO(pthread_join(busy, NULL));

  // After all that there is one thread.
  int count;
  do {
    count = 0;
    DIR* dir = opendir("/proc/self/task");
    for (struct dirent* entry; (entry = readdir(dir));) count += entry->d_name[0] != '.';
    closedir(dir);
  } while (count != 1);
  // Sixteen at once, each with a stack and a mask of its own.
  pthread_t many[16];
  for (uintptr_t i = 0; i < 16; i++) ZERO(pthread_create(&many[i], NULL, brief, (void*)(i + 1)));
  for (uintptr_t i = 0; i < 16; i++) ZERO(pthread_join(many[i], NULL));
  return 0;
}
