// Random system calls: every number, arguments with some sense in them mixed with wild ones, the same for the
// same seed.
//
//   random_syscalls [--contain] [--user] FIRST_SEED SEEDS CALLS
//
// For each seed, processes make CALLS calls in all; one that dies or hangs is replaced. Prints `seed S: N
// calls` for each and ends with status 0 if all were made: that is the whole demand, for the kernel below
// must bear everything. On Linux itself use --contain: namespaces of its own, a file system of its own, no
// user of the machine. --user: as an ordinary user in a sandbox (root otherwise).
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "random_world.h"
#include "syscall_shapes.h"

enum { kCallsOfWorker = 4000, kArena = 256 * 4096, kData = 16 * 4096, kPidMax = 0x3fffffff };

struct Shared {
  atomic_ulong calls;
  atomic_ulong last;  // number and arguments of the call under way, for those who look with a debugger
};

static struct Shared* g_shared;
static bool g_contained;
static __thread uint64_t g_state;
static char* g_arena;  // for calls that change mappings
static char* g_data;   // buffers; a page without access follows
static char* g_read_only;
static pid_t g_self, g_child;

static uint64_t draw(void) {
  g_state ^= g_state << 13;
  g_state ^= g_state >> 7;
  g_state ^= g_state << 17;
  return g_state;
}

static uint64_t below(uint64_t limit) { return draw() % limit; }
static bool chance(unsigned percent) { return below(100) < percent; }

static long odd_number(void) {
  static const long kOdd[] = {0,
                              1,
                              -1,
                              2,
                              7,
                              8,
                              64,
                              255,
                              256,
                              4095,
                              4096,
                              4097,
                              65536,
                              0x7fffffff,
                              0x80000000,
                              0xffffffff,
                              0x100000000,
                              0x7fffffffffff,
                              0x800000000000,
                              0x7ffffffffffff000,
                              INT64_MAX,
                              INT64_MIN};
  switch (below(4)) {
    case 0:
      return kOdd[below(sizeof(kOdd) / sizeof(kOdd[0]))];
    case 1:
      return (long)below(64);
    case 2:
      return 1L << below(64);
    default:
      return (long)draw();
  }
}

static long wild_pointer(void) {
  switch (below(8)) {
    case 0:
      return 0;
    case 1:
      return (long)g_read_only + (long)below(4096);
    case 2:
      return (long)(g_data + kData) - (long)below(16);  // over the edge
    case 3:
      return (long)(0xffff800000000000UL + (draw() & 0x7fffffffffff));
    case 4:
      return (long)(0x7ffffffff000UL - below(64));
    case 5:
      return (long)(draw() & 0x7fffffffffff);
    case 6:
      return (long)g_arena + (long)below(kArena);
    default:
      return odd_number();
  }
}

// A place for `size` bytes in the buffers, its content half random.
static char* buffer(size_t size) {
  char* at = chance(15) ? g_data + kData - size : g_data + below(kData - size - 8) / 8 * 8;
  uint64_t words = size / 8 < 32 ? size / 8 : 32;
  for (uint64_t i = 0; i < words; i++) {
    uint64_t value = chance(40)   ? 0
                     : chance(50) ? below(16)
                     : chance(30) ? (uint64_t)(g_data + below(kData))
                                  : draw();
    memcpy(at + i * 8, &value, 8);
  }
  return at;
}

static long pointer(size_t size) { return chance(88) ? (long)buffer(size) : wild_pointer(); }

static long path(void) {
  static const char* const kPaths[] = {"f",
                                       "d",
                                       "d/x",
                                       "d/y/z",
                                       "l",
                                       "loop",
                                       "fifo",
                                       ".",
                                       "..",
                                       "",
                                       "/",
                                       "d/",
                                       "f/x",
                                       "../../..",
                                       "new",
                                       "d/new",
                                       "/proc/self/maps",
                                       "/proc/self/fd/5",
                                       "/proc/self/mem",
                                       "/proc/self/status",
                                       "/proc/self/exe",
                                       "/proc/self/fd",
                                       "/proc/self/task",
                                       "/proc/meminfo",
                                       "/proc/self/root",
                                       "/proc/self/cwd/f",
                                       "/dev/null",
                                       "/dev/zero",
                                       "/dev/full",
                                       "/dev/urandom",
                                       "/dev/ptmx",
                                       "/dev/tty",
                                       "/dev/shm",
                                       "/tmp",
                                       "/sys",
                                       "/proc/sys/kernel/osrelease",
                                       "//",
                                       "./f/."};
  if (chance(6)) return wild_pointer();
  if (chance(4)) {
    // Long, or without an end.
    size_t size = 4090 + below(12);
    char* at = g_data + kData - size;
    memset(at, chance(50) ? '/' : 'a', size);
    if (chance(70)) at[size - 1] = 0;
    return (long)at;
  }
  const char* text = kPaths[below(sizeof(kPaths) / sizeof(kPaths[0]))];
  char* at = g_data + below(kData - 64);
  strcpy(at, text);
  return (long)at;
}

static long descriptor(void) {
  if (chance(92)) return g_fds[below(g_fd_count)];
  return chance(60) ? (long)below(256) : odd_number();
}

// Never a process that is not ours.
static long process(void) {
  switch (below(5)) {
    case 0:
      return 0;
    case 1:
      return g_self;
    case 2:
      return kPidMax;
    case 3:
      return -kPidMax;
    default:
      return g_child > 1 ? g_child : g_self;
  }
}

static long vector(void) {
  struct iovec* vec = (struct iovec*)buffer(16 * sizeof(struct iovec));
  for (int i = 0; i < 16; i++) {
    size_t size = below(3000);
    vec[i].iov_base = (void*)(chance(92) ? (long)g_data + (long)below(kData - size) : wild_pointer());
    vec[i].iov_len = chance(95) ? size : (size_t)odd_number();
  }
  return (long)vec;
}

static long time_value(void) {
  if (chance(10)) return wild_pointer();
  long* words = (long*)buffer(32);
  words[0] = chance(80) ? 0 : odd_number();
  words[1] = chance(80) ? (long)below(2000000) : odd_number();
  words[2] = chance(80) ? 0 : odd_number();
  words[3] = chance(80) ? (long)below(2000000) : odd_number();
  return (long)words;
}

static long area(void) {
  if (chance(95)) return (long)g_arena + (long)below(kArena / 4096) * 4096 + (chance(3) ? 1 : 0);
  return wild_pointer() & (chance(50) ? ~4095L : -1L);
}

static long flags(uint64_t likely) {
  uint64_t value = chance(20) ? draw() : 0;
  for (int i = 0; i < 3; i++) value |= likely & 1UL << below(40);
  return (long)value;
}

static long argument(char shape) {
  switch (shape) {
    case 'f':
      return descriptor();
    case 'a':
      return chance(70) ? AT_FDCWD : descriptor();
    case 'p':
      return path();
    case 'b':
      return pointer(4096);
    case 'S':
      return pointer(256);
    case 'n':
      return chance(85) ? (long)below(4096) : odd_number();
    case 'v':
      return vector();
    case 'c':
      return chance(90) ? (long)below(16) : odd_number();
    case 't':
      return time_value();
    case 'k':
      return chance(90) ? 8 : odd_number();
    case 'A':
      return area();
    case 'L':
      return chance(90) ? (long)below(32) * 4096 : odd_number();
    case 'r':
      return chance(95) ? (long)below(8) : odd_number();
    case 'g':
      return flags(MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_NORESERVE |
                   MAP_POPULATE) |
             (chance(80) ? MAP_FIXED : 0) | (chance(60) ? MAP_PRIVATE | MAP_ANONYMOUS : 0);
    case 'o':
      return flags(O_WRONLY | O_RDWR | O_CREAT | O_EXCL | O_TRUNC | O_APPEND | O_NONBLOCK | O_DIRECTORY |
                   O_NOFOLLOW | O_CLOEXEC | O_PATH) |
             O_NONBLOCK;
    case 'm':
      return chance(80) ? (long)below(010000) : odd_number();
    case 's':
      return chance(90) ? (long)below(66) : odd_number();
    case 'P':
      return process();
    case 'w':
      return chance(80) ? (long)g_data + (long)below(64) * 4 : wild_pointer();
    case 'C':
      return chance(80) ? (long)below(12) : odd_number();
    case 'x':
      return flags(0xffff);
    case 'i':
      return chance(80) ? (long)below(32) : odd_number();
    case 'u':
      return chance(50) ? kUser : chance(50) ? -1 : (long)below(70000);
    default: {
      switch (below(4)) {
        case 0:
          return odd_number();
        case 1:
          return descriptor();
        default:
          return pointer(512);
      }
    }
  }
}

// A new task ends at once, whatever it shares and wherever its stack is.
static long create_task(long number, const long* a) {
  long result;
  register long r10 __asm__("r10") = a[3];
  register long r8 __asm__("r8") = a[4];
  __asm__ volatile(
      "syscall\n"
      "test %%rax, %%rax\n"
      "jnz 1f\n"
      "xor %%edi, %%edi\n"
      "mov $60, %%eax\n"
      "syscall\n"
      "1:\n"
      : "=a"(result)
      : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8)
      : "rcx", "r11", "memory");
  return result;
}

static void on_signal(int signal) { (void)signal; }

// What calls may have changed and what keeps a worker from hanging: signals open, a timer that interrupts.
static void refresh(void) {
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGALRM, &action, NULL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  struct itimerval every = {{0, 2000}, {0, 2000}};
  setitimer(ITIMER_REAL, &every, NULL);
}

// Most signals that a worker sends itself should not be its end.
static void catch_signals(void) {
  struct sigaction action = {.sa_handler = on_signal};
  for (int signal = 1; signal < 65; signal++) {
    if (signal != SIGSEGV && signal != SIGBUS && signal != SIGILL && signal != SIGFPE)
      sigaction(signal, &action, NULL);
  }
}

static void make_memory(void) {
  const int kAnon = MAP_PRIVATE | MAP_ANONYMOUS;
  g_data = mmap(NULL, kData + 4096, PROT_READ | PROT_WRITE, kAnon, -1, 0);
  mprotect(g_data + kData, 4096, PROT_NONE);
  g_arena = mmap(NULL, kArena, PROT_READ | PROT_WRITE, kAnon, -1, 0);
  g_read_only = mmap(NULL, 4096, PROT_READ, kAnon, -1, 0);
}

static bool excluded(long number) {
  static const short kAlways[] = {SYS_exit,       SYS_exit_group,      SYS_reboot,
                                  SYS_kexec_load, SYS_kexec_file_load, SYS_pause};
  // Not on the machine that we stand on ourselves.
  static const short kContained[] = {
      SYS_sync,        SYS_bpf,    SYS_perf_event_open, SYS_io_uring_setup, SYS_userfaultfd, SYS_add_key,
      SYS_request_key, SYS_keyctl, SYS_unshare,         SYS_setns,          SYS_mount,       SYS_umount2,
      SYS_pivot_root,  SYS_swapon, SYS_swapoff,         SYS_acct,           SYS_syslog};
  for (size_t i = 0; i < sizeof(kAlways) / sizeof(kAlways[0]); i++) {
    if (kAlways[i] == number) return true;
  }
  for (size_t i = 0; g_contained && i < sizeof(kContained) / sizeof(kContained[0]); i++) {
    if (kContained[i] == number) return true;
  }
  return false;
}

static void tame(long number, long* a) {
  if (number == SYS_ptrace && a[0] == 0) a[0] = 1;  // not traced by our watcher
  if (number == SYS_kill || number == SYS_tkill || number == SYS_rt_sigqueueinfo) {
    if ((a[1] == SIGKILL || a[1] == SIGSTOP) && a[0] != g_child && !chance(3)) a[1] = SIGUSR1;
  }
  if (number == SYS_tgkill && (a[2] == SIGKILL || a[2] == SIGSTOP) && !chance(3)) a[2] = SIGUSR1;
  if ((number == SYS_rt_sigprocmask || number == SYS_rt_sigaction) && !chance(10)) a[1] = 0;
  if (number == SYS_clone && g_contained) a[0] &= ~0x7e020080L;  // no namespaces
  if (number == SYS_fcntl && (a[1] == F_SETOWN || a[1] == F_SETOWN_EX)) a[1] = F_GETOWN;
  if (number == SYS_ioctl && chance(70)) a[1] = 0x5400 + (long)below(0x60);
  if (number == SYS_clone3 && g_contained && a[0] > 4096) a[1] = 64 * (a[1] % 4);
}

static void one_call(void) {
  long number;
  const char* shape = "??????";
  if (chance(95)) {
    const struct SyscallShape* known =
        &kSyscallShapes[below(sizeof(kSyscallShapes) / sizeof(kSyscallShapes[0]))];
    number = known->number;
    shape = known->shape;
  } else {
    number = chance(95) ? (long)below(470) : odd_number();
  }
  bool blocks = number == SYS_rt_sigsuspend || number == SYS_rt_sigreturn;
  if (excluded(number) || (blocks && !chance(3))) return;
  long a[6];
  size_t count = strlen(shape);
  for (size_t i = 0; i < 6; i++) a[i] = i < count ? argument(shape[i]) : odd_number();
  tame(number, a);
  atomic_store(&g_shared->last, (unsigned long)number);
  long result;
  if (number == SYS_clone || number == SYS_clone3 || number == SYS_fork || number == SYS_vfork) {
    if (g_contained && number == SYS_clone3) return;
    result = create_task(number, a);
    if (result > 1) g_child = (pid_t)result;
  } else {
    result = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  }
  if (shape[0] == 'f' && number == SYS_close) return;
  if (result > 2 &&
      (strchr(shape, 'o') || number == SYS_dup || number == SYS_eventfd2 || number == SYS_socket)) {
    keep_fd(result, below(32));
  }
}

static unsigned long g_seed, g_share;

static void start_numbers(uint64_t seed) {
  g_state = seed * 0x9e3779b97f4a7c15UL + 0x1234567;
  for (int i = 0; i < 8; i++) draw();
}

static void make_calls(unsigned long calls) {
  for (unsigned long i = 0; i < calls; i++) {
    if (i % 64 == 0) refresh();
    one_call();
    atomic_fetch_add(&g_shared->calls, 1);
    if (i % 256 == 255) {
      while (waitpid(-1, NULL, WNOHANG | __WALL) > 0) continue;
    }
  }
}

static void* thread(void* arg) {
  start_numbers(g_seed + 77777 * (uintptr_t)arg);
  make_calls(g_share);
  return NULL;
}

// Every third worker is three threads that get in each other's way.
static void worker(uint64_t seed, unsigned long calls, bool user) {
  start_numbers(seed);
  setsid();
  set_limits(user);
  g_self = getpid();
  catch_signals();
  make_memory();
  make_fds();
  if (seed % 3 != 2) {
    make_calls(calls);
    _exit(0);
  }
  pthread_t threads[2];
  g_seed = seed;
  g_share = calls / 3;
  for (uintptr_t i = 0; i < 2; i++) {
    if (pthread_create(&threads[i], NULL, thread, (void*)(i + 1)) != 0) _exit(0);
  }
  make_calls(calls - 2 * g_share);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  _exit(0);
}

// Waits for the worker; one that makes no call for a while is killed.
static void watch(pid_t pid) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  unsigned long before = ~0UL;
  for (;;) {
    struct timespec patience = {.tv_nsec = 80000000};
    sigtimedwait(&set, NULL, &patience);
    int status;
    pid_t done = waitpid(pid, &status, WNOHANG);
    if (done == pid || (done < 0 && errno == ECHILD)) break;
    unsigned long now = atomic_load(&g_shared->calls);
    if (now == before) kill(pid, SIGKILL);
    before = now;
  }
  kill(-pid, SIGKILL);  // what it left in its session
  while (waitpid(-1, NULL, WNOHANG | __WALL) > 0) continue;
}

static int run_seed(uint64_t seed, unsigned long calls, bool user) {
  unsigned long made = 0;
  for (uint64_t part = 0; made < calls; part++) {
    unsigned long share = calls - made < kCallsOfWorker ? calls - made : kCallsOfWorker;
    atomic_store(&g_shared->calls, 0);
    char name[64];
    snprintf(name, sizeof(name), "w%lu", (unsigned long)part % 4);
    mkdir(name, 0777);
    chmod(name, 0777);
    pid_t pid = fork();
    if (pid < 0) {
      perror("fork");
      return 1;
    }
    if (pid == 0) {
      if (chdir(name) != 0) _exit(0);
      worker(seed * 1000003 + part, share, user);
    }
    watch(pid);
    unsigned long now = atomic_load(&g_shared->calls);
    made += now > 0 && now <= share ? now : 1;
  }
  printf("seed %lu: %lu calls\n", (unsigned long)seed, made);
  fflush(stdout);
  return 0;
}

int main(int argc, char** argv) {
  bool user = false;
  int at = 1;
  for (; at < argc && argv[at][0] == '-'; at++) {
    if (!strcmp(argv[at], "--contain")) g_contained = user = true;
    if (!strcmp(argv[at], "--user")) user = true;
  }
  if (argc - at != 3) {
    fprintf(stderr, "usage: random_syscalls [--contain] [--user] FIRST_SEED SEEDS CALLS\n");
    return 2;
  }
  uint64_t first = strtoull(argv[at], NULL, 0), seeds = strtoull(argv[at + 1], NULL, 0);
  unsigned long calls = strtoul(argv[at + 2], NULL, 0);
  if (g_contained) contain();
  char scratch[] = "/tmp/random.XXXXXX";
  if (!mkdtemp(scratch) || chmod(scratch, 0755) != 0 || chdir(scratch) != 0) {
    perror(scratch);
    return 1;
  }
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, NULL);
  const int ignored[] = {SIGHUP,  SIGINT,  SIGTERM, SIGUSR1, SIGUSR2, SIGIO,
                         SIGALRM, SIGPIPE, SIGTTOU, SIGTTIN, SIGTSTP};
  for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) signal(ignored[i], SIG_IGN);
  g_shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (uint64_t seed = first; seed < first + seeds; seed++) {
    if (run_seed(seed, calls, user) != 0) return 1;
  }
  return 0;
}
