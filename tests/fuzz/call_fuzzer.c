// A fuzzer of system calls that knows their arguments: calls with types, on what earlier calls made, by tasks
// that get in each other's way; the same calls for the same seed (see README.md).
//
//   call_fuzzer [--contain] [--user] [--seconds N] [--table] FIRST_SEED SEEDS CALLS
//
// For each seed, workers make CALLS calls in all; one that dies or hangs is replaced. Prints `seed S: N
// calls, M succeeded` for each; status 0 if all were made, 3 if a worker could not be ended. --seconds: as
// many seeds as fit.
// --table: at the end a line for each system call: how often made, how often with success, the commonest
// errors.
// --contain: on Linux itself, in namespaces of its own and without privileges. --user: as an ordinary user in
// a sandbox.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"
#include "worker.h"
#include "world.h"

enum { kCallsOfWorker = 6000, kLookMs = 4, kPokes = 60, kLastPokes = 5000 };

static unsigned long g_seconds;
static bool g_table;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

// Interrupts a task that makes no progress; after `kPokes` times it is killed. False: nothing helps.
static bool poke(struct Slot* slot, unsigned long* before, int* pokes) {
  static const int kSignals[] = {SIGUSR1, SIGALRM, SIGUSR2, 40, SIGCONT};
  int tid = atomic_load(&slot->tid);
  if (tid <= 1) return true;
  unsigned long calls = atomic_load(&slot->calls) + ((unsigned long)tid << 32);
  if (calls != *before) {
    *before = calls;
    *pokes = 0;
    return true;
  }
  ++*pokes;
  if (syscall(SYS_tkill, tid, kSignals[*pokes % 5]) != 0 && errno == ESRCH) atomic_store(&slot->tid, 0);
  if (*pokes == kPokes) {
    atomic_fetch_add(&g_shared->killed[(unsigned long)atomic_load(&slot->number) % kSyscalls], 1);
    kill(tid, SIGKILL);
  }
  return *pokes < kLastPokes;
}

static void tell_hang(void) {
  for (int i = 0; i < kSlots; i++) {
    struct Slot* slot = &g_shared->slots[i];
    if (atomic_load(&slot->tid) == 0) continue;
    printf("task %d after %lu calls: call %ld", atomic_load(&slot->tid), atomic_load(&slot->calls),
           atomic_load(&slot->number));
    for (int a = 0; a < kArguments; a++) printf(" %#lx", atomic_load(&slot->args[a]));
    printf("\n");
  }
  fflush(stdout);
}

// Waits for the worker's end; false when it cannot be ended.
static bool watch(pid_t pid) {
  static unsigned long before[kSlots];
  static int pokes[kSlots];
  memset(pokes, 0, sizeof(pokes));
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  unsigned long total = 0;
  for (int idle = 0; idle < kLastPokes; idle++) {
    struct timespec patience = {.tv_nsec = kLookMs * 1000000};
    sigtimedwait(&set, NULL, &patience);
    // Children of children come to us when those end.
    pid_t done;
    while ((done = waitpid(-1, NULL, WNOHANG | __WALL)) > 0 && done != pid) continue;
    if (done == pid || (done < 0 && errno == ECHILD)) return true;
    for (int i = 0; i < kSlots; i++) {
      if (!poke(&g_shared->slots[i], &before[i], &pokes[i])) return false;
    }
    unsigned long calls = atomic_load(&g_shared->total);
    if (calls != total) idle = 0;
    if (idle == 2 * kPokes) kill(pid, SIGKILL);
    total = calls;
  }
  return false;
}

// What a worker leaves behind ends with it.
static void end_all(pid_t pid) {
  kill(-pid, SIGKILL);
  if (getpid() == 1) kill(-1, SIGKILL);
  for (int i = 0; i < kSlots; i++) {
    int tid = atomic_load(&g_shared->slots[i].tid);
    if (tid > 1) kill(tid, SIGKILL);
  }
  double limit = now() + 30;
  while (now() < limit) {
    pid_t done = waitpid(-1, NULL, WNOHANG | __WALL);
    if (done < 0) break;
    if (done == 0) usleep(500);
  }
  memset(g_shared->slots, 0, sizeof(g_shared->slots));
}

static int run_worker(uint64_t part) {
  if (mkdir("w", 0777) != 0 || chmod("w", 0777) != 0) {
    perror("w");
    return 1;
  }
  pid_t pid = fork();
  if (pid < 0) {
    perror("fork");
    return 1;
  }
  if (pid == 0) {
    if (chdir("w") != 0) _exit(1);
    work(part);
  }
  if (!watch(pid)) {
    printf("seed %lu, worker %lu cannot be ended\n", (unsigned long)g_settings.seed, (unsigned long)part);
    tell_hang();
    return 3;
  }
  end_all(pid);
  clean_up("w");
  if (rmdir("w") != 0) {
    char aside[64];
    snprintf(aside, sizeof(aside), "left-%lu-%lu", (unsigned long)g_settings.seed, (unsigned long)part);
    if (rename("w", aside) != 0) perror("w");
  }
  return 0;
}

static unsigned long succeeded(void) {
  unsigned long sum = 0;
  for (int i = 0; i < kSyscalls; i++) sum += atomic_load(&g_shared->succeeded[i]);
  return sum;
}

static int run_seed(uint64_t seed, unsigned long calls) {
  unsigned long made = 0, good = 0, idle = 0;
  g_settings.seed = seed;
  for (uint64_t part = 0; made < calls; part++) {
    unsigned long begun = atomic_load(&g_shared->total), before = succeeded();
    g_settings.calls = calls - made < kCallsOfWorker ? calls - made : kCallsOfWorker;
    int status = run_worker(part);
    if (status != 0) return status;
    // A worker may have written over its numbers, or given their memory back.
    unsigned long now = atomic_load(&g_shared->total), after = succeeded();
    bool sound =
        now > begun && now - begun < 100 * kCallsOfWorker && after >= before && after - before <= now - begun;
    made += sound ? now - begun : now != begun;
    good += sound ? after - before : 0;
    idle = now == begun ? idle + 1 : 0;
    if (idle > 20) {
      printf("seed %lu: workers make no calls\n", (unsigned long)seed);
      return 1;
    }
  }
  printf("seed %lu: %lu calls, %lu succeeded\n", (unsigned long)seed, made, good);
  fflush(stdout);
  return 0;
}

static void print_errors(int number) {
  for (int turn = 0; turn < 4; turn++) {
    int most = 0;
    for (int i = 1; i < kErrors; i++) {
      if (atomic_load(&g_shared->errors[number][i]) > atomic_load(&g_shared->errors[number][most])) most = i;
    }
    unsigned count = atomic_load(&g_shared->errors[number][most]);
    if (count == 0) break;
    const char* name = strerrorname_np(most);
    printf(" %s %u", name ? name : "other", count);
    atomic_store(&g_shared->errors[number][most], 0);
  }
}

static void print_table(void) {
  for (int i = 0; i < kSyscalls; i++) {
    unsigned made = atomic_load(&g_shared->made[i]), good = atomic_load(&g_shared->succeeded[i]);
    if (made == 0) continue;
    printf("call %d: %u made, %u succeeded, %u killed:", i, made, good, atomic_load(&g_shared->killed[i]));
    print_errors(i);
    printf("\n");
  }
}

static void prepare(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, NULL);
  for (int i = 1; i < 65; i++) {
    if (i != SIGCHLD && i != SIGSEGV && i != SIGBUS) signal(i, SIG_IGN);
  }
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  g_shared = mmap(NULL, sizeof(*g_shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static int options(int argc, char** argv) {
  int at = 1;
  for (; at < argc && argv[at][0] == '-'; at++) {
    if (!strcmp(argv[at], "--contain")) g_settings.contained = g_settings.user = true;
    if (!strcmp(argv[at], "--user")) g_settings.user = true;
    if (!strcmp(argv[at], "--table")) g_table = true;
    if (!strcmp(argv[at], "--seconds") && at + 1 < argc) g_seconds = strtoul(argv[++at], NULL, 0);
  }
  return at;
}

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "--idle") == 0) return 0;
  int at = options(argc, argv);
  if (argc - at != 3) {
    fprintf(stderr,
            "usage: call_fuzzer [--contain] [--user] [--seconds N] [--table] FIRST_SEED SEEDS CALLS\n");
    return 2;
  }
  uint64_t first = strtoull(argv[at], NULL, 0), seeds = strtoull(argv[at + 1], NULL, 0);
  unsigned long calls = strtoul(argv[at + 2], NULL, 0);
  if (g_settings.contained) contain();
  char scratch[] = "/tmp/fuzz.XXXXXX";
  if (!mkdtemp(scratch) || chmod(scratch, 0755) != 0 || chdir(scratch) != 0) {
    perror(scratch);
    return 1;
  }
  prepare();
  double end = now() + (double)g_seconds;
  int status = 0;
  for (uint64_t seed = first; status == 0 && (g_seconds ? now() < end : seed < first + seeds); seed++) {
    status = run_seed(seed, calls);
  }
  if (g_table) print_table();
  return status;
}
