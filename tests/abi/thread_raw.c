// Threads made by the bare system call, as runtimes without the C library do: TLS, stacks, the word that is
// cleared.
#include <asm/prctl.h>
#include <linux/futex.h>
#include <linux/sched.h>

#include "abi.h"

struct Block {
  struct Block* self;  // what %fs:0 points at
  long value;
  atomic_int tid, seen, go;
  char pad[64];
};

// The thread's code uses nothing of the library: it writes what it finds into its block and ends.
static void body(struct Block* block) __attribute__((used, noinline, optimize("no-stack-protector")));
static void body(struct Block* block) {
  struct Block* fs;
  __asm__ volatile("mov %%fs:0, %0" : "=r"(fs));
  while (!atomic_load(&block->go)) {
  }
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(SYS_gettid) : "rcx", "r11", "memory");
  block->value = fs == block ? result : -1;
  atomic_store(&block->seen, 1);
  __asm__ volatile("syscall" ::"a"(SYS_exit), "D"(0) : "rcx", "r11", "memory");
  __builtin_unreachable();
}

static long start(long flags, char* stack_top, atomic_int* tid_word, struct Block* block) {
  long result;
  register long r10 __asm__("r10") = (long)tid_word;
  register long r8 __asm__("r8") = (long)block;
  register struct Block* r12 __asm__("r12") = block;
  __asm__ volatile(
      "syscall\n"
      "test %%rax, %%rax\n"
      "jnz 1f\n"
      "xor %%ebp, %%ebp\n"
      "mov %%r12, %%rdi\n"
      "call body\n"
      "hlt\n"
      "1:\n"
      : "=a"(result)
      : "a"(SYS_clone), "D"(flags), "S"(stack_top), "d"(tid_word), "r"(r10), "r"(r8), "r"(r12)
      : "rcx", "r11", "memory");
  return result;
}

enum { kThreads = 8 };
static struct Block g_blocks[kThreads];
static char g_stacks[kThreads][16384] __attribute__((aligned(16)));

int main(void) {
  const long kFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                      CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
  for (int round = 0; round < 3; round++) {
    long tids[kThreads];
    for (int i = 0; i < kThreads; i++) {
      struct Block* block = &g_blocks[i];
      memset(block, 0, sizeof(*block));
      block->self = block;
      // PARENT_SETTID and CHILD_CLEARTID use the same word here.
      tids[i] = start(kFlags, g_stacks[i] + sizeof(g_stacks[i]), &block->tid, block);
      CHECK(tids[i] > 0);
      CHECK_EQ(atomic_load(&block->tid), tids[i]);
      for (int k = 0; k < i; k++) CHECK(tids[k] != tids[i]);
      char path[64];
      snprintf(path, sizeof(path), "/proc/self/task/%ld", tids[i]);
      CHECK(abi_exists(path));
    }
    for (int i = 0; i < kThreads; i++) atomic_store(&g_blocks[i].go, 1);
    for (int i = 0; i < kThreads; i++) {
      int tid;
      while ((tid = atomic_load(&g_blocks[i].tid)) != 0) {
        syscall(SYS_futex, &g_blocks[i].tid, FUTEX_WAIT, tid, NULL, NULL, 0);
      }
      CHECK_EQ(g_blocks[i].value, tids[i]);
      CHECK_EQ(atomic_load(&g_blocks[i].seen), 1);
    }
  }
  // They were no children.
  FAILS(waitpid(-1, NULL, __WALL), ECHILD);
  // A TLS base that is none is refused.
  FAILS(syscall(SYS_clone, CLONE_SETTLS | SIGCHLD, NULL, NULL, NULL, 0xffff800000000000UL), EPERM);
  // The number of threads goes back to one.
  char text[4096];
  do {
    abi_get("/proc/self/status", text, sizeof(text));
  } while (!strstr(text, "Threads:\t1\n"));
  return 0;
}
