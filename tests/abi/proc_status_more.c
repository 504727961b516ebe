// /proc/PID/status against what the process knows of itself: memory, signals, capabilities, descriptors,
// CPUs.
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "abi.h"

#define PAGE 4096ul
static char g_text[8192];

static const char* value_of(const char* name) {
  static char out[512];
  abi_get("/proc/self/status", g_text, sizeof(g_text));
  char want[64];
  snprintf(want, sizeof(want), "\n%s:\t", name);
  char* at = strstr(g_text, want);
  if (!at) FAIL("no line %s", name);
  at += strlen(want);
  snprintf(out, sizeof(out), "%.*s", (int)strcspn(at, "\n"), at);
  return out;
}

static long number(const char* name) { return strtol(value_of(name), NULL, 10); }
static uint64_t mask(const char* name) { return strtoull(value_of(name), NULL, 16); }

static void memory(void) {
  long size = number("VmSize"), data = number("VmData");
  char* p = OK(mmap(NULL, 2048 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  CHECK_EQ(number("VmSize") - size, 8192);
  CHECK_EQ(number("VmData") - data, 8192);
  CHECK(number("VmPeak") >= number("VmSize"));
  long before = number("VmRSS"), anon = number("RssAnon");
  memset(p, 1, 2048 * PAGE);
  CHECK(number("VmRSS") - before >= 8192 - 512);
  CHECK(number("RssAnon") - anon >= 8192 - 512);
  CHECK_EQ(number("VmRSS"), number("RssAnon") + number("RssFile") + number("RssShmem"));
  long peak = number("VmPeak"), high = number("VmHWM");
  OK(munmap(p, 2048 * PAGE));
  CHECK_EQ(number("VmSize"), size);
  CHECK(number("VmPeak") >= peak);
  CHECK(number("VmHWM") >= high - 512);
  CHECK(number("VmRSS") < high - 4096);
  // A mapping that cannot be written is no data.
  data = number("VmData");
  p = OK(mmap(NULL, 16 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  CHECK_EQ(number("VmData"), data);
  OK(mprotect(p, 16 * PAGE, PROT_READ | PROT_WRITE));
  CHECK_EQ(number("VmData") - data, 64);
  OK(mlock(p, 4 * PAGE));
  CHECK_EQ(number("VmLck"), 16);
  OK(munlock(p, 3 * PAGE));
  CHECK_EQ(number("VmLck"), 4);
  OK(munmap(p, 16 * PAGE));
  CHECK_EQ(number("VmLck"), 0);
  CHECK(number("VmStk") >= 8);
  CHECK(number("VmExe") >= 4);
  CHECK(number("VmPTE") >= 4);
  CHECK_EQ(number("VmSwap"), 0);
}

static void handler(int signal) { (void)signal; }

static void signals(void) {
  sigset_t set;
  CHECK_EQ(mask("SigBlk"), 0);
  CHECK_EQ(mask("SigPnd"), 0);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGRTMIN + 3);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  uint64_t want = 1ull << (SIGUSR1 - 1) | 1ull << (SIGRTMIN + 2);
  CHECK_EQ(mask("SigBlk"), want);
  OK(kill(getpid(), SIGUSR1));
  CHECK_EQ(mask("ShdPnd"), 1ull << (SIGUSR1 - 1));
  CHECK_EQ(mask("SigPnd"), 0);
  OK((int)syscall(SYS_tgkill, getpid(), getpid(), SIGRTMIN + 3));
  OK((int)syscall(SYS_tgkill, getpid(), getpid(), SIGRTMIN + 3));
  CHECK_EQ(mask("SigPnd"), 1ull << (SIGRTMIN + 2));
  long queued = number("SigQ");
  struct rlimit limit;
  OK(getrlimit(RLIMIT_SIGPENDING, &limit));
  CHECK(queued >= 2);
  CHECK_EQ(strtoull(strchr(value_of("SigQ"), '/') + 1, NULL, 10), limit.rlim_cur);
  abi_handle(SIGUSR2, handler, 0);
  signal(SIGHUP, SIG_IGN);
  CHECK_EQ(mask("SigCgt") >> (SIGUSR2 - 1) & 1, 1);
  CHECK_EQ(mask("SigIgn") >> (SIGHUP - 1) & 1, 1);
  signal(SIGHUP, SIG_DFL);
  CHECK_EQ(mask("SigIgn") >> (SIGHUP - 1) & 1, 0);
  signal(SIGUSR1, SIG_IGN);  // takes what is pending with it
  CHECK_EQ(mask("ShdPnd"), 0);
}

static void* idles(void* arg) {
  abi_await(arg, 1);
  return NULL;
}

static void identity(void) {
  char want[128];
  snprintf(want, sizeof(want), "%d", getpid());
  CHECK_STR(value_of("Pid"), want);
  CHECK_STR(value_of("Tgid"), want);
  CHECK_EQ(number("PPid"), getppid());
  CHECK_EQ(number("TracerPid"), 0);
  CHECK_EQ(number("Threads"), 1);
  atomic_int word = 0;
  pthread_t t[3];
  for (int i = 0; i < 3; i++) ZERO(pthread_create(&t[i], NULL, idles, &word));
  CHECK_EQ(number("Threads"), 4);
  atomic_store(&word, 1);
  for (int i = 0; i < 3; i++) ZERO(pthread_join(t[i], NULL));
  umask(0127);
  CHECK_STR(value_of("Umask"), "0127");
  CHECK_STR(value_of("State"), "R (running)");
  CHECK_EQ(number("NoNewPrivs"), 0);
  OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  CHECK_EQ(number("NoNewPrivs"), 1);
  OK(setgroups(3, (gid_t[]){7, 100, 5}));
  CHECK_STR(value_of("Groups"), "5 7 100 ");
  OK(setresgid(11, 12, 13));
  OK(setresuid(21, 22, 23));
  CHECK_STR(value_of("Uid"), "21\t22\t23\t22");
  CHECK_STR(value_of("Gid"), "11\t12\t13\t12");
  CHECK_EQ(mask("CapEff"), 0);
  CHECK_EQ(mask("CapPrm"), 0);
}

static void resources(void) {
  long room = number("FDSize");
  CHECK(room >= 64);
  int fd = OK(open("/dev/null", O_RDONLY));
  OK(dup2(fd, 300));
  CHECK(number("FDSize") >= 301);
  CHECK_EQ(number("FDSize") % 64, 0);
  cpu_set_t set;
  OK(sched_getaffinity(0, sizeof(set), &set));
  uint64_t want = 0;
  for (int i = 0; i < 32; i++) want |= (uint64_t) !!CPU_ISSET(i, &set) << i;
  const char* allowed = value_of("Cpus_allowed");
  const char* last = strrchr(allowed, ',');
  CHECK_EQ(strtoull(last ? last + 1 : allowed, NULL, 16), want);
  long switches = number("voluntary_ctxt_switches");
  for (int i = 0; i < 5; i++) nanosleep(&(struct timespec){0, 1000000}, NULL);
  CHECK(number("voluntary_ctxt_switches") >= switches + 5);
}

int main(void) {
  IN_CHILD(memory());
  IN_CHILD(signals());
  IN_CHILD(resources());
  IN_CHILD(identity());
  return 0;
}
