// membarrier(2): registrations, and the commands that serialise cores and give up restartable sequences.
#include <linux/membarrier.h>
#include <linux/rseq.h>
#include <stddef.h>

#include "abi.h"

enum { kGetRegistrations = 512, kSignature = 0x53053053, kSize = 32 };

static long membarrier(int command, unsigned flags, int cpu) {
  return syscall(SYS_membarrier, command, flags, cpu);
}

static void registrations(void) {
  long known = OK(membarrier(MEMBARRIER_CMD_QUERY, 0, 0));
  const long wanted = MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE |
                      MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ;
  CHECK_EQ(known & wanted, wanted);
  FAILS(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0), EPERM);
  FAILS(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0), EPERM);
  FAILS(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, MEMBARRIER_CMD_FLAG_CPU, 0), EPERM);
  FAILS(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 2, 0), EINVAL);
  FAILS(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, MEMBARRIER_CMD_FLAG_CPU, 0), EINVAL);
  FAILS(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, MEMBARRIER_CMD_FLAG_CPU, 0), EINVAL);
  FAILS(membarrier(MEMBARRIER_CMD_QUERY, 1, 0), EINVAL);
  if (known & kGetRegistrations) ZERO(membarrier(kGetRegistrations, 0, 0));
  OK(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
  OK(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
  // Each is by itself.
  FAILS(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), EPERM);
  FAILS(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0), EPERM);
  OK(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0));
  OK(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0));
  OK(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, MEMBARRIER_CMD_FLAG_CPU, 0));
  OK(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, MEMBARRIER_CMD_FLAG_CPU, 100000));
  const long mine =
      MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ;
  if (known & kGetRegistrations) CHECK_EQ(membarrier(kGetRegistrations, 0, 0), mine);
  int status;
  pid_t child = FORK({
    if (known & kGetRegistrations) CHECK_EQ(membarrier(kGetRegistrations, 0, 0), mine);
    OK(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0));
  });
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
}

static _Alignas(32) struct rseq g_area;
static atomic_int g_inside, g_leave, g_aborted;

extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned __rseq_size __attribute__((weak));

// Stays in a critical section until it is aborted.
static void sit(struct rseq* area) {
  __asm__ volatile(
      ".pushsection .data.rseq_cs, \"aw\"\n"
      ".balign 32\n"
      "7: .long 0, 0\n"
      ".quad 1f, 2f - 1f, 4f\n"
      ".popsection\n"
      "lea 7b(%%rip), %%rax\n"
      "mov %%rax, %c[cs](%[area])\n"
      "1:\n"
      "movl $1, (%[inside])\n"
      "3:\n"
      "pause\n"
      "cmpl $0, (%[leave])\n"
      "je 3b\n"
      "2:\n"
      "jmp 5f\n"
      ".byte 0x0f, 0xb9, 0x3d\n"
      ".long 0x53053053\n"
      "4:\n"
      "lock incl (%[aborted])\n"
      "5:\n"
      :
      : [area] "r"(area), [cs] "i"(offsetof(struct rseq, rseq_cs)), [inside] "r"(&g_inside), [leave] "r"(&g_leave),
        [aborted] "r"(&g_aborted)
      : "rax", "memory", "cc");
}

static void* sitter(void* arg) {
  (void)arg;
  if (&__rseq_size && __rseq_size > 0) {
    struct rseq* area = (struct rseq*)((char*)__builtin_thread_pointer() + __rseq_offset);
    OK(syscall(SYS_rseq, area, kSize, RSEQ_FLAG_UNREGISTER, kSignature));
  }
  OK(syscall(SYS_rseq, &g_area, kSize, 0, kSignature));
  while (!g_leave) sit(&g_area);
  OK(syscall(SYS_rseq, &g_area, kSize, RSEQ_FLAG_UNREGISTER, kSignature));
  return NULL;
}

// After the call nobody is in a sequence that it was in before.
static void sequences(void) {
  pthread_t thread;
  ZERO(pthread_create(&thread, NULL, sitter, NULL));
  for (int round = 0; round < 50; round++) {
    while (!g_inside) sched_yield();
    int before = g_aborted;
    g_inside = 0;
    if (round % 2)
      OK(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, MEMBARRIER_CMD_FLAG_CPU, (int)g_area.cpu_id));
    else
      OK(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0));
    // It says that it is inside at each start alone: so it has been thrown out.
    while (!g_inside) sched_yield();
    CHECK(g_aborted > before);
  }
  g_leave = 1;
  ZERO(pthread_join(thread, NULL));
}

int main(int argc, char** argv) {
  if (argc > 1) {  // after execve(2): nothing is left of it
    FAILS(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0), EPERM);
    FAILS(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0), EPERM);
    return 0;
  }
  registrations();
  int status;
  pid_t child = FORK({ execl("/proc/self/exe", argv[0], "again", NULL); });
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  if (OK(sysconf(_SC_NPROCESSORS_ONLN)) > 1) sequences();
  return 0;
}
