// sched_setaffinity(2), sched_getscheduler(2), sched_yield(2) and their kin.
#include "abi.h"

static void* spins(void* arg) {
  atomic_fetch_add((atomic_int*)arg, 1);
  while (atomic_load((atomic_int*)arg) > 0) continue;
  return NULL;
}

int main(void) {
  cpu_set_t all, one, now;
  OK(sched_getaffinity(0, sizeof(all), &all));
  FAILS(sched_getaffinity(-1, sizeof(all), &all), ESRCH);
  FAILS(sched_getparam(0, NULL), EINVAL);
  FAILS(sched_setparam(0, NULL), EINVAL);
  FAILS(sched_setscheduler(0, SCHED_OTHER, NULL), EINVAL);
  FAILS(sched_setaffinity(-1, sizeof(all), &all), ESRCH);
  int count = CPU_COUNT(&all);
  CHECK(count >= 1);
  CHECK_EQ(sysconf(_SC_NPROCESSORS_ONLN) >= count, 1);
  for (int cpu = 0, tried = 0; cpu < 1024 && tried < 3; cpu++) {
    if (!CPU_ISSET(cpu, &all)) continue;
    tried++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    OK(sched_setaffinity(0, sizeof(one), &one));
    OK(sched_getaffinity(0, sizeof(now), &now));
    CHECK(CPU_EQUAL(&one, &now));
    CHECK_EQ(sched_getcpu(), cpu);
    IN_CHILD(OK(sched_getaffinity(0, sizeof(now), &now)); CHECK(CPU_EQUAL(&one, &now)));
  }
  // All on one CPU: they still take turns.
  pthread_t threads[3];
  atomic_int word = 0;
  for (int i = 0; i < 3; i++) ZERO(pthread_create(&threads[i], NULL, spins, &word));
  abi_await(&word, 3);
  atomic_store(&word, -100);
  for (int i = 0; i < 3; i++) ZERO(pthread_join(threads[i], NULL));
  OK(sched_setaffinity(0, sizeof(all), &all));
  CPU_ZERO(&one);
  FAILS(sched_setaffinity(0, sizeof(one), &one), EINVAL);
  CPU_SET(1023, &one);
  FAILS(sched_setaffinity(0, sizeof(one), &one), EINVAL);
  FAILS(syscall(SYS_sched_getaffinity, 0, 1, &one), EINVAL);
  FAILS(syscall(SYS_sched_getaffinity, 0, 9, &one), EINVAL);
  CHECK(syscall(SYS_sched_getaffinity, 0, sizeof(one), &one) >= 8);
  FAILS(sched_getaffinity(0x3fffffff, sizeof(one), &one), ESRCH);

  CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
  struct sched_param param = {.sched_priority = 77};
  OK(sched_getparam(0, &param));
  CHECK_EQ(param.sched_priority, 0);
  OK(sched_setscheduler(0, SCHED_BATCH, &param));
  CHECK_EQ(sched_getscheduler(0), SCHED_BATCH);
  OK(sched_setscheduler(0, SCHED_OTHER, &param));
  FAILS(sched_setscheduler(0, 77, &param), EINVAL);
  param.sched_priority = 1;
  FAILS(sched_setscheduler(0, SCHED_OTHER, &param), EINVAL);
  FAILS(sched_getscheduler(0x3fffffff), ESRCH);
  FAILS(sched_getscheduler(-1), EINVAL);
  CHECK_EQ(sched_get_priority_max(SCHED_FIFO), 99);
  CHECK_EQ(sched_get_priority_min(SCHED_FIFO), 1);
  CHECK_EQ(sched_get_priority_max(SCHED_OTHER), 0);
  FAILS(sched_get_priority_max(77), EINVAL);
  struct timespec slice;
  OK(sched_rr_get_interval(0, &slice));
  OK(sched_yield());
  IN_CHILD({
    OK(setresuid(1000, 1000, 1000));
    FAILS(sched_setscheduler(0, SCHED_FIFO, &param), EPERM);
    FAILS(sched_setaffinity(1, sizeof(all), &all), EPERM);
  });
  return 0;
}
