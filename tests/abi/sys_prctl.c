// prctl(2), arch_prctl(2), personality(2), membarrier(2), rseq and other small calls.
#include <asm/prctl.h>
#include <linux/membarrier.h>
#include <sys/personality.h>
#include <sys/prctl.h>

#include "abi.h"

static void* names(void* arg) {
  OK(prctl(PR_SET_NAME, "worker"));
  *(atomic_int*)arg = abi_tid();
  while (*(atomic_int*)arg) sched_yield();
  return NULL;
}

int main(void) {
  char name[20] = "";
  OK(prctl(PR_SET_NAME, "a name that is too long"));
  OK(prctl(PR_GET_NAME, name));
  CHECK_STR(name, "a name that is ");
  FAILS(prctl(PR_SET_NAME, 8), EFAULT);
  pthread_t thread;
  atomic_int tid = 0;
  ZERO(pthread_create(&thread, NULL, names, &tid));
  while (tid == 0) sched_yield();
  char path[64], text[64];
  snprintf(path, sizeof(path), "/proc/self/task/%d/comm", tid);
  abi_get(path, text, sizeof(text));
  CHECK_STR(text, "worker\n");
  // A name is set by its file as well.
  int fd = OK(open(path, O_WRONLY));
  CHECK_EQ(write(fd, "renamed", 7), 7);
  abi_get(path, text, sizeof(text));
  CHECK_STR(text, "renamed\n");
  atomic_store(&tid, 0);
  ZERO(pthread_join(thread, NULL));
  OK(prctl(PR_GET_NAME, name));
  CHECK_STR(name, "a name that is ");
  FAILS(prctl(9999, 0, 0, 0, 0), EINVAL);

  int signal = 0;
  OK(prctl(PR_SET_PDEATHSIG, SIGUSR1));
  OK(prctl(PR_GET_PDEATHSIG, &signal));
  CHECK_EQ(signal, SIGUSR1);
  IN_CHILD(OK(prctl(PR_GET_PDEATHSIG, &signal)); CHECK_EQ(signal, 0));
  FAILS(prctl(PR_SET_PDEATHSIG, 100), EINVAL);
  OK(prctl(PR_SET_TIMERSLACK, 12345));
  CHECK_EQ(prctl(PR_GET_TIMERSLACK), 12345);
  OK(prctl(PR_SET_TIMERSLACK, 0));
  CHECK(prctl(PR_GET_TIMERSLACK) != 12345);
  CHECK(prctl(PR_GET_TSC, &signal) == 0);
  CHECK_EQ(signal, PR_TSC_ENABLE);

  // Segment bases.
  unsigned long base = 0, saved = 0;
  OK(syscall(SYS_arch_prctl, ARCH_GET_FS, &saved));
  CHECK_EQ(saved, *(unsigned long*)pthread_self());
  OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &base));
  unsigned long words[2] = {0x1234, 0x5678};
  OK(syscall(SYS_arch_prctl, ARCH_SET_GS, words));
  unsigned long got;
  __asm__ volatile("mov %%gs:8, %0" : "=r"(got));
  CHECK_EQ(got, 0x5678);
  for (int i = 0; i < 20; i++) sched_yield();
  OK(nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL));
  __asm__ volatile("mov %%gs:0, %0" : "=r"(got));
  CHECK_EQ(got, 0x1234);
  IN_CHILD(__asm__ volatile("mov %%gs:0, %0" : "=r"(got)); CHECK_EQ(got, 0x1234));
  OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &base));
  CHECK_EQ(base, words);
  FAILS(syscall(SYS_arch_prctl, ARCH_SET_FS, 1UL << 47), EPERM);
  FAILS(syscall(SYS_arch_prctl, ARCH_SET_GS, 0xffff800000000000UL), EPERM);
  FAILS(syscall(SYS_arch_prctl, ARCH_GET_FS, 8), EFAULT);
  FAILS(syscall(SYS_arch_prctl, 0x9999, 0), EINVAL);

  CHECK_EQ(personality(0xffffffff), PER_LINUX);
  IN_CHILD({
    CHECK_EQ(personality(ADDR_NO_RANDOMIZE), PER_LINUX);
    CHECK_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE);
    IN_CHILD(CHECK_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE));
  });

  int commands = OK(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0));
  CHECK(commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED);
  FAILS(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), EPERM);
  OK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
  OK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
  FAILS(syscall(SYS_membarrier, 0x40000000, 0, 0), EINVAL);
  CHECK_EQ(syscall(SYS_set_tid_address, &tid), abi_tid());
  FAILS(syscall(SYS_kcmp, -1, -1, 0, 0, 0), ESRCH);
  return 0;
}
