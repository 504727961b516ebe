// CPU time of threads and processes: each thread's clock counts its own work, the process's the sum.
#include <sys/resource.h>
#include <sys/time.h>

#include "abi.h"

static atomic_int g_ticks;
static atomic_bool g_stop;

static void tick(int signal) {
  (void)signal;
  atomic_fetch_add(&g_ticks, 1);
}

static void burn(long long ns) {
  long long end = abi_ns(CLOCK_THREAD_CPUTIME_ID) + ns;
  while (abi_ns(CLOCK_THREAD_CPUTIME_ID) < end) {
    for (volatile int i = 0; i < 50000; i++) continue;
  }
}

static void* works(void* arg) {
  long long begin = abi_ns(CLOCK_THREAD_CPUTIME_ID);
  CHECK(begin < 50000000);  // starts from nothing
  burn(40000000);
  struct rusage usage;
  OK(getrusage(RUSAGE_THREAD, &usage));
  CHECK(usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec >= 20000);
  return arg;
}

static void* ticks(void* arg) {
  while (atomic_load(&g_ticks) < 3) burn(1000000);
  return arg;
}

static void* idles(void* arg) {
  clockid_t clock;
  ZERO(pthread_getcpuclockid(*(pthread_t*)arg, &clock));
  long long theirs = abi_ns(clock);
  CHECK(theirs >= 0);
  while (!atomic_load(&g_stop)) OK(nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL));
  CHECK(abi_ns(CLOCK_THREAD_CPUTIME_ID) < 100000000);
  return NULL;
}

int main(void) {
  long long begin = abi_ns(CLOCK_PROCESS_CPUTIME_ID);
  pthread_t threads[3], idle, self = pthread_self();
  ZERO(pthread_create(&idle, NULL, idles, &self));
  for (int i = 0; i < 3; i++) ZERO(pthread_create(&threads[i], NULL, works, NULL));
  for (int i = 0; i < 3; i++) ZERO(pthread_join(threads[i], NULL));
  CHECK(abi_ns(CLOCK_PROCESS_CPUTIME_ID) - begin >= 3 * 40000000LL);  // threads that ended count
  // The profile timer runs with all threads together.
  abi_handle(SIGPROF, tick, SA_RESTART);
  struct itimerval every = {.it_interval = {.tv_usec = 10000}, .it_value = {.tv_usec = 10000}};
  OK(setitimer(ITIMER_PROF, &every, NULL));
  for (int i = 0; i < 2; i++) ZERO(pthread_create(&threads[i], NULL, ticks, NULL));
  for (int i = 0; i < 2; i++) ZERO(pthread_join(threads[i], NULL));
  OK(setitimer(ITIMER_PROF, &(struct itimerval){0}, NULL));
  atomic_store(&g_stop, true);
  ZERO(pthread_join(idle, NULL));
  // Sleeping costs nothing.
  OK(setitimer(ITIMER_PROF, &every, NULL));
  int before = atomic_load(&g_ticks);
  struct timespec rest = {.tv_nsec = 100000000};
  while (nanosleep(&rest, &rest) != 0) continue;
  CHECK(atomic_load(&g_ticks) - before <= 5);
  return 0;
}
