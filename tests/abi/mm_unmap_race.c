// A page taken away while another thread reads it: the reader sees its old content or a fault, never what the
// memory is used for next, in this process or another.
#include <setjmp.h>

#include "abi.h"

static const uint64_t kOwn = 0x1111111111111111, kSecret = 0x7ec7e77ec7e77ec7;
static uint64_t* volatile g_page;
static atomic_bool g_stop;
static atomic_int g_faults, g_reads;
static __thread sigjmp_buf g_back;

static void on_fault(int signal) {
  (void)signal;
  siglongjmp(g_back, 1);
}

static void* reads(void* arg) {
  (void)arg;
  while (!atomic_load(&g_stop)) {
    if (sigsetjmp(g_back, 1) != 0) {
      atomic_fetch_add(&g_faults, 1);
      sched_yield();
      continue;
    }
    for (int i = 0; i < 2000; i++) {
      uint64_t seen = *(volatile uint64_t*)g_page;
      if (seen != kOwn && seen != 0) FAIL("saw %lx", seen);
    }
    atomic_fetch_add(&g_reads, 1);
  }
  return NULL;
}

int main(void) {
  struct sigaction action = {.sa_handler = on_fault};
  OK(sigaction(SIGSEGV, &action, NULL));
  const int kRw = PROT_READ | PROT_WRITE, kAnon = MAP_PRIVATE | MAP_ANONYMOUS;
  g_page = OK(mmap(NULL, 4096, kRw, kAnon, -1, 0));
  *g_page = kOwn;
  int ready[2], go[2];
  OK(pipe(ready));
  OK(pipe(go));
  // Another process that keeps taking fresh memory and fills it with secrets.
  pid_t pid = FORK({
    char c;
    while (OK(read(go[0], &c, 1)) == 1 && c == 'g') {
      uint64_t* p = OK(mmap(NULL, 16 * 4096, kRw, kAnon, -1, 0));
      for (int i = 0; i < 16; i++) {
        CHECK_EQ(p[i * 512], 0);
        p[i * 512] = kSecret;
      }
      CHECK_EQ(write(ready[1], "r", 1), 1);
      OK(munmap(p, 16 * 4096));
    }
  });
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) ZERO(pthread_create(&threads[i], NULL, reads, NULL));
  for (int round = 0; round < 24; round++) {
    char c;
    switch (round % 4) {
      case 0:
        OK(munmap(g_page, 4096));
        break;
      case 1:
        OK(madvise(g_page, 4096, MADV_DONTNEED));
        break;
      case 2:
        OK(mprotect(g_page, 4096, PROT_NONE));
        break;
      case 3: {
        void* away = OK(mmap(NULL, 4096, PROT_NONE, kAnon, -1, 0));
        OK(mremap(g_page, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, away));
        *(volatile uint64_t*)away = kSecret;
        break;
      }
    }
    // Its memory may go anywhere now.
    CHECK_EQ(write(go[1], "g", 1), 1);
    uint64_t* mine = OK(mmap(NULL, 16 * 4096, kRw, kAnon, -1, 0));
    for (int i = 0; i < 16; i++) {
      CHECK_EQ(mine[i * 512], 0);
      mine[i * 512] = kSecret;
    }
    CHECK_EQ(read(ready[0], &c, 1), 1);
    OK(munmap(mine, 16 * 4096));
    OK(mmap(g_page, 4096, kRw, kAnon | MAP_FIXED, -1, 0));
    *g_page = kOwn;
    for (int before = atomic_load(&g_reads); atomic_load(&g_reads) == before;) sched_yield();
  }
  atomic_store(&g_stop, true);
  for (int i = 0; i < 2; i++) ZERO(pthread_join(threads[i], NULL));
  CHECK(atomic_load(&g_reads) > 0);
  CHECK_EQ(write(go[1], "e", 1), 1);
  WAIT_OK(pid);
  return 0;
}
