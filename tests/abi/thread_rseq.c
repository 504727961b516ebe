// rseq(2): registration, the CPU's number, restartable sequences that are aborted.
#include <linux/rseq.h>
#include <stddef.h>

#include "abi.h"

enum { kSignature = 0x53053053, kSize = 32 };
static _Alignas(32) struct rseq g_area;
static volatile int g_handled;
static volatile unsigned long g_handler_cs;

static long rseq(void* area, unsigned size, int flags, unsigned signature) {
  return syscall(SYS_rseq, area, size, flags, signature);
}

// The library registered one for this thread, at an offset from the thread pointer.
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned __rseq_size __attribute__((weak));

static struct rseq* librarys(void) {
  return (struct rseq*)((char*)__builtin_thread_pointer() + __rseq_offset);
}

// Runs in a critical section until it is aborted, or `*stop` is not zero: then it leaves it properly. True:
// aborted.
static bool spin(struct rseq* area, volatile int* stop, unsigned* version, unsigned* cs_flags) {
  long aborted;
  __asm__ volatile(
      ".pushsection .data.rseq_cs, \"aw\"\n"
      ".balign 32\n"
      "7: .long 0, 0\n"
      ".quad 1f, 2f - 1f, 4f\n"
      ".popsection\n"
      "mov %[version], %%ecx\n"
      "lea 7b(%%rip), %%rax\n"
      "mov %%ecx, (%%rax)\n"
      "mov %[flags], %%ecx\n"
      "mov %%ecx, 4(%%rax)\n"
      "mov %%rax, %c[cs](%[area])\n"
      "1:\n"
      "cmpl $0, (%[stop])\n"
      "je 1b\n"
      "2:\n"
      "xor %%eax, %%eax\n"
      "jmp 5f\n"
      ".byte 0x0f, 0xb9, 0x3d\n"
      ".long 0x53053053\n"
      "4:\n"
      "mov $1, %%eax\n"
      "5:\n"
      : "=&a"(aborted)
      : [area] "r"(area), [stop] "r"(stop), [cs] "i"(offsetof(struct rseq, rseq_cs)), [version] "m"(*version),
        [flags] "m"(*cs_flags)
      : "rcx", "memory", "cc");
  return aborted;
}

static volatile int g_stop;
static unsigned g_zero, g_one = 1;

static void handler(int signal) {
  (void)signal;
  g_handler_cs = (unsigned long)g_area.rseq_cs;
  g_handled++;
}

static void registration(void) {
  // The one of the library goes first.
  if (&__rseq_size && __rseq_size > 0) {
    unsigned here = 0;
    struct rseq* area = librarys();
    CHECK((int)area->cpu_id >= 0);
    OK(syscall(SYS_getcpu, &here, NULL, NULL));
    FAILS(rseq(area, kSize, 0, kSignature), EBUSY);
    FAILS(rseq(area, kSize, 0, 1), EPERM);
    FAILS(rseq(area, 2 * kSize, 0, kSignature), EINVAL);
    FAILS(rseq(&g_area, kSize, 0, kSignature), EINVAL);
    FAILS(rseq(area, kSize, RSEQ_FLAG_UNREGISTER, 1), EPERM);
    FAILS(rseq(&g_area, kSize, RSEQ_FLAG_UNREGISTER, kSignature), EINVAL);
    FAILS(rseq(area, 16, RSEQ_FLAG_UNREGISTER, kSignature), EINVAL);
    FAILS(rseq(area, kSize, RSEQ_FLAG_UNREGISTER | 2, kSignature), EINVAL);
    OK(rseq(area, kSize, RSEQ_FLAG_UNREGISTER, kSignature));
    CHECK_EQ((int)area->cpu_id, RSEQ_CPU_ID_UNINITIALIZED);
    CHECK_EQ(area->cpu_id_start, 0);
  }
  FAILS(rseq(&g_area, kSize, RSEQ_FLAG_UNREGISTER, kSignature), EINVAL);
  FAILS(rseq(&g_area, kSize, 2, kSignature), EINVAL);
  FAILS(rseq(&g_area, kSize - 1, 0, kSignature), EINVAL);
  FAILS(rseq((char*)&g_area + 4, kSize, 0, kSignature), EINVAL);
  FAILS(rseq((void*)0xffff800000000000UL, kSize, 0, kSignature), EFAULT);
  g_area.cpu_id = (unsigned)RSEQ_CPU_ID_UNINITIALIZED;
  OK(rseq(&g_area, kSize, 0, kSignature));
  CHECK((int)g_area.cpu_id >= 0);
  CHECK_EQ(g_area.cpu_id_start, g_area.cpu_id);
}

// The number follows the task.
static void numbers(void) {
  cpu_set_t all, one;
  OK(sched_getaffinity(0, sizeof(all), &all));
  for (int round = 0; round < 3; round++)
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
      if (!CPU_ISSET(cpu, &all)) continue;
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
      OK(sched_setaffinity(0, sizeof(one), &one));
      CHECK_EQ(g_area.cpu_id, cpu);
      CHECK_EQ(g_area.cpu_id_start, cpu);
    }
  OK(sched_setaffinity(0, sizeof(all), &all));
}

static void* competitor(void* arg) {
  while (!*(atomic_int*)arg) sched_yield();
  return NULL;
}

static void aborts(void) {
  // Not disturbed, it ends; what is left in rseq_cs does no harm outside.
  g_stop = 1;
  spin(&g_area, &g_stop, &g_zero, &g_zero);
  for (int i = 0; i < 20; i++) sched_yield();
  g_stop = 0;

  // A signal: the handler runs with the section over, and returns behind it.
  abi_handle(SIGALRM, handler, 0);
  struct itimerspec soon = {.it_value.tv_nsec = 2000000};
  timer_t timer;
  OK(timer_create(CLOCK_MONOTONIC, NULL, &timer));
  g_handled = 0;
  while (g_handled == 0) {
    OK(timer_settime(timer, 0, &soon, NULL));
    CHECK(spin(&g_area, &g_stop, &g_zero, &g_zero));
  }
  CHECK_EQ(g_handler_cs, 0);
  CHECK_EQ(g_area.rseq_cs, 0);

  // Being preempted aborts as well: two of us on one CPU.
  cpu_set_t all, one;
  OK(sched_getaffinity(0, sizeof(all), &all));
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET(cpu, &all)) {
      CPU_SET(cpu, &one);
      break;
    }
  OK(sched_setaffinity(0, sizeof(one), &one));
  atomic_int leave = 0;
  pthread_t thread;
  ZERO(pthread_create(&thread, NULL, competitor, &leave));
  CHECK(spin(&g_area, &g_stop, &g_zero, &g_zero));
  CHECK_EQ(g_area.rseq_cs, 0);
  atomic_store(&leave, 1);
  ZERO(pthread_join(thread, NULL));
  OK(sched_setaffinity(0, sizeof(all), &all));
}

static void* own_area(void* arg) {
  (void)arg;
  static _Alignas(32) struct rseq area;
  // The library has seen that this process does without, and nothing of ours was inherited.
  OK(rseq(&area, kSize, 0, kSignature));
  CHECK((int)area.cpu_id >= 0);
  return NULL;
}

// The statements are to die of SIGSEGV.
#define DIES(...) WAIT_SIGNAL(FORK(__VA_ARGS__; sched_yield(); for (;;) sched_yield()), SIGSEGV)

int main(void) {
  registration();
  numbers();
  aborts();
  // A forked child has it too; a thread has none of ours.
  IN_CHILD({
    FAILS(rseq(&g_area, kSize, 0, kSignature), EBUSY);
    g_area.cpu_id = 999999;
    sched_yield();
    cpu_set_t set;
    OK(sched_getaffinity(0, sizeof(set), &set));
    OK(nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL));
    CHECK(g_area.cpu_id != 999999);
    OK(rseq(&g_area, kSize, RSEQ_FLAG_UNREGISTER, kSignature));
    CHECK_EQ((int)g_area.cpu_id, RSEQ_CPU_ID_UNINITIALIZED);
  });
  pthread_t thread;
  ZERO(pthread_create(&thread, NULL, own_area, NULL));
  ZERO(pthread_join(thread, NULL));

  // Descriptors that are no good.
  const struct timespec moment = {.tv_nsec = 1000000};
  static _Alignas(32) struct rseq_cs bad;
  DIES(g_area.rseq_cs = 8; nanosleep(&moment, NULL));
  DIES(g_area.rseq_cs = 1UL << 62; nanosleep(&moment, NULL));
  DIES(bad.version = 1; g_area.rseq_cs = (unsigned long)&bad; nanosleep(&moment, NULL));
  // The abort handler inside of the section, or without the signature before it.
  DIES(bad.start_ip = 4096; bad.post_commit_offset = 16; bad.abort_ip = 4100;
       g_area.rseq_cs = (unsigned long)&bad; nanosleep(&moment, NULL));
  DIES(bad.start_ip = 4096; bad.post_commit_offset = 16; bad.abort_ip = (unsigned long)&g_area + 8;
       g_area.rseq_cs = (unsigned long)&bad; nanosleep(&moment, NULL));
  // The area itself is gone.
  DIES(OK(rseq(&g_area, kSize, RSEQ_FLAG_UNREGISTER, kSignature));
       void* gone = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
       OK(rseq(gone, kSize, 0, kSignature)); OK(munmap(gone, 4096)); nanosleep(&moment, NULL));
  DIES(abi_handle(SIGALRM, handler, 0); alarm(0); struct itimerspec soon = {.it_value.tv_nsec = 2000000};
       timer_t timer; OK(timer_create(CLOCK_MONOTONIC, NULL, &timer));
       OK(timer_settime(timer, 0, &soon, NULL)); spin(&g_area, &g_stop, &g_one, &g_zero));

  OK(rseq(&g_area, kSize, RSEQ_FLAG_UNREGISTER, kSignature));
  CHECK_EQ((int)g_area.cpu_id, RSEQ_CPU_ID_UNINITIALIZED);
  return 0;
}
