// Threads and processes that touch the same fresh pages at once: each page appears once, nothing is lost.
#include "abi.h"

enum { kPages = 200, kThreads = 4 };
static atomic_int* g_page;
static pthread_barrier_t g_barrier;

static void* toucher(void* arg) {
  (void)arg;
  pthread_barrier_wait(&g_barrier);
  for (int i = 0; i < kPages; i++) atomic_fetch_add(&g_page[i * 1024], 1);
  return NULL;
}

static void* reader(void* arg) {
  (void)arg;
  pthread_barrier_wait(&g_barrier);
  for (int i = 0; i < kPages; i++) CHECK(atomic_load(&g_page[i * 1024]) <= kThreads);
  return NULL;
}

static void round_of(int flags, int fd) {
  g_page = OK(mmap(NULL, kPages * 4096, PROT_READ | PROT_WRITE, flags, fd, 0));
  pthread_t threads[kThreads + 1];
  ZERO(pthread_barrier_init(&g_barrier, NULL, kThreads + 1));
  for (uintptr_t i = 0; i < kThreads; i++) ZERO(pthread_create(&threads[i], NULL, toucher, (void*)i));
  ZERO(pthread_create(&threads[kThreads], NULL, reader, NULL));
  for (int i = 0; i <= kThreads; i++) ZERO(pthread_join(threads[i], NULL));
  for (int i = 0; i < kPages; i++) CHECK_EQ(atomic_load(&g_page[i * 1024]), kThreads);
  OK(munmap(g_page, kPages * 4096));
}

// After a fork: threads of the parent write pages that are shared with a child until copied.
static void copies(void) {
  g_page = OK(mmap(NULL, kPages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  for (int i = 0; i < kPages; i++) atomic_store(&g_page[i * 1024], 0);
  int fds[2];
  OK(pipe(fds));
  pid_t pid = FORK({
    char c;
    OK(close(fds[1]));
    CHECK_EQ(read(fds[0], &c, 1), 0);
    for (int i = 0; i < kPages; i++) CHECK_EQ(atomic_load(&g_page[i * 1024]), 0);
  });
  pthread_t threads[kThreads + 1];
  ZERO(pthread_barrier_init(&g_barrier, NULL, kThreads + 1));
  for (uintptr_t i = 0; i < kThreads; i++) ZERO(pthread_create(&threads[i], NULL, toucher, (void*)i));
  ZERO(pthread_create(&threads[kThreads], NULL, reader, NULL));
  for (int i = 0; i <= kThreads; i++) ZERO(pthread_join(threads[i], NULL));
  for (int i = 0; i < kPages; i++) CHECK_EQ(atomic_load(&g_page[i * 1024]), kThreads);
  OK(close(fds[1]));
  WAIT_OK(pid);
}

int main(void) {
  abi_scratch();
  round_of(MAP_PRIVATE | MAP_ANONYMOUS, -1);
  round_of(MAP_SHARED | MAP_ANONYMOUS, -1);
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
  OK(ftruncate(fd, kPages * 4096));
  round_of(MAP_PRIVATE, fd);
  round_of(MAP_SHARED, fd);
  int value;
  CHECK_EQ(pread(fd, &value, 4, 4096L * 17), 4);
  CHECK_EQ(value, kThreads);
  copies();
  // Processes on shared memory.
  atomic_int* shared = abi_shared(kPages * 4096);
  pid_t children[4];
  for (int c = 0; c < 4; c++) {
    children[c] = FORK(for (int i = 0; i < kPages; i++) atomic_fetch_add(&shared[i * 1024 + c], 1 + c));
  }
  for (int c = 0; c < 4; c++) WAIT_OK(children[c]);
  for (int i = 0; i < kPages; i++) {
    for (int c = 0; c < 4; c++) CHECK_EQ(atomic_load(&shared[i * 1024 + c]), 1 + c);
  }
  return 0;
}
