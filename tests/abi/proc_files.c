// The smaller files of /proc and of /proc/PID: their form, and what can be known of their content.
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>

#include "abi.h"

static char text[65536];

static const char* get(const char* path) {
  abi_get(path, text, sizeof(text));
  return text;
}

static void put(const char* path, const char* value) {
  int fd = OK(open(path, O_WRONLY));
  CHECK_EQ(OK(write(fd, value, strlen(value))), (ssize_t)strlen(value));
  OK(close(fd));
}

static void refused(const char* path, const char* value, int error) {
  int fd = OK(open(path, O_WRONLY));
  FAILS(write(fd, value, strlen(value)), error);
  OK(close(fd));
}

static unsigned mode_of(const char* path) {
  struct stat st;
  OK(stat(path, &st));
  return st.st_mode & 07777;
}

static unsigned long long field(const char* path, const char* name) {
  const char* at = strstr(get(path), name);
  CHECK(at != NULL);
  return strtoull(at + strlen(name), NULL, 10);
}

static void io(void) {
  CHECK_EQ(mode_of("/proc/self/io"), 0400);
  unsigned long long rchar = field("/proc/thread-self/io", "rchar: "),
                     syscr = field("/proc/thread-self/io", "syscr: ");
  unsigned long long wchar = field("/proc/thread-self/io", "wchar: "),
                     syscw = field("/proc/thread-self/io", "syscw: ");
  char b[1000] = "";
  abi_put("file", "");
  int fd = OK(open("file", O_RDWR));
  for (int i = 0; i < 10; i++) CHECK_EQ(write(fd, b, 1000), 1000);
  CHECK_EQ(field("/proc/thread-self/io", "wchar: "), wchar + 10000);
  CHECK_EQ(field("/proc/thread-self/io", "syscw: "), syscw + 11);  // abi_put wrote nothing, in one call
  CHECK_EQ(pread(fd, b, 500, 0), 500);
  CHECK(field("/proc/thread-self/io", "rchar: ") >= rchar + 500);
  CHECK(field("/proc/thread-self/io", "syscr: ") > syscr);
  wchar = field("/proc/self/io", "wchar: ");
  IN_CHILD(CHECK_EQ(write(fd, b, 777), 777));
  CHECK_EQ(field("/proc/self/io", "wchar: "), wchar + 777);
  get("/proc/self/io");
  CHECK(strstr(text, "\nread_bytes: ") && strstr(text, "\nwrite_bytes: ") &&
        strstr(text, "\ncancelled_write_bytes: "));
  IN_CHILD(OK(setgid(1234)); OK(setuid(1234)); char path[40];
           snprintf(path, sizeof(path), "/proc/%d/io", getppid()); FAILS(open(path, O_RDONLY), EACCES));
  OK(close(fd));
}

static void values(void) {
  IN_CHILD(CHECK_EQ(mode_of("/proc/self/timerslack_ns"), 0666); put("/proc/self/timerslack_ns", "70000");
           CHECK_STR(get("/proc/self/timerslack_ns"), "70000\n"); CHECK_EQ(prctl(PR_GET_TIMERSLACK), 70000);
           CHECK_EQ(mode_of("/proc/self/oom_adj"), 0644); put("/proc/self/oom_adj", "15");
           CHECK_STR(get("/proc/self/oom_score_adj"), "1000\n"); CHECK_STR(get("/proc/self/oom_adj"), "15\n");
           put("/proc/self/oom_score_adj", "500"); CHECK_STR(get("/proc/self/oom_adj"), "8\n");
           refused("/proc/self/oom_adj", "16", EINVAL); refused("/proc/self/oom_score_adj", "1001", EINVAL);
           OK(setgid(1234)); OK(setuid(1234)); OK(prctl(PR_SET_DUMPABLE, 1));
           put("/proc/self/oom_score_adj", "900"); CHECK_STR(get("/proc/self/oom_score_adj"), "900\n"));
  CHECK_EQ(mode_of("/proc/self/loginuid"), 0644);
  get("/proc/self/loginuid");
  CHECK(text[0] >= '0' && text[0] <= '9' && !strchr(text, '\n'));
  CHECK_EQ(mode_of("/proc/self/sessionid"), 0444);
  CHECK(strncmp(get("/proc/self/projid_map"), "         0          0 4294967295", 31) == 0 || text[0] == 0);
  CHECK_EQ(mode_of("/proc/self/stack"), 0400);
  CHECK_EQ(mode_of("/proc/self/syscall"), 0400);
  CHECK_EQ(mode_of("/proc/self/mountstats"), 0400);
  get("/proc/self/mountstats");
  CHECK(strncmp(text, "device ", 7) == 0 && strstr(text, " mounted on / with fstype "));
  unsigned long long run, wait, slices;
  CHECK_EQ(sscanf(get("/proc/self/schedstat"), "%llu %llu %llu", &run, &wait, &slices), 3);
  char want[64];
  snprintf(want, sizeof(want), "proc_files (%d, #threads: 1)\n", getpid());
  CHECK(strncmp(get("/proc/self/sched"), want, strlen(want)) == 0);
  CHECK(strstr(text, "\nnr_switches ") && strstr(text, "\npolicy ") && strstr(text, "\nprio "));
}

static void blocked(void) {
  int fds[2];
  OK(pipe(fds));
  pid_t child = FORK(char b; syscall(SYS_read, fds[0], &b, 1, 4, 5, 6));
  abi_await_state(child, 'S');
  char path[64], want[64];
  snprintf(path, sizeof(path), "/proc/%d/syscall", child);
  snprintf(want, sizeof(want), "0 0x%x 0x", fds[0]);
  CHECK(strncmp(get(path), want, strlen(want)) == 0);
  unsigned long long v[9];
  CHECK_EQ(sscanf(text, "%lld %llx %llx %llx %llx %llx %llx %llx %llx", (long long*)&v[0], &v[1], &v[2],
                  &v[3], &v[4], &v[5], &v[6], &v[7], &v[8]),
           9);
  CHECK_EQ(v[3], 1);
  CHECK_EQ(v[4], 4);
  CHECK_EQ(v[6], 6);
  CHECK(strncmp(get("/proc/self/syscall"), "0 0x", 4) == 0 || strcmp(text, "running\n") == 0);
  snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
  snprintf(want, sizeof(want), "%d ", child);
  CHECK_STR(get(path), want);
  OK(kill(child, SIGKILL));
  WAIT_SIGNAL(child, SIGKILL);
  CHECK_STR(get(path), "");
}

static void timers(void) {
  CHECK_STR(get("/proc/self/timers"), "");
  timer_t a, b;
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  e.sigev_value.sival_ptr = (void*)0x1234;
  OK(timer_create(CLOCK_MONOTONIC, &e, &a));
  e.sigev_notify = SIGEV_NONE;
  OK(timer_create(CLOCK_REALTIME, &e, &b));
  char want[300];
  get("/proc/self/timers");
  snprintf(want, sizeof(want), "signal: 10/0000000000001234\nnotify: signal/pid.%d\nClockID: 1\n", getpid());
  CHECK(strstr(text, "ID: 0\n") && strstr(text, want));
  snprintf(want, sizeof(want), "notify: none/pid.%d\nClockID: 0\n", getpid());
  CHECK(strstr(text, want));
  OK(timer_delete(a));
  OK(timer_delete(b));
}

static void locks(void) {
  abi_put("locked", "0123456789");
  int fd = OK(open("locked", O_RDWR));
  struct stat st;
  OK(fstat(fd, &st));
  char id[64], want[200];
  snprintf(id, sizeof(id), "%02x:%02x:%llu", major(st.st_dev), minor(st.st_dev),
           (unsigned long long)st.st_ino);
  struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 3};
  OK(fcntl(fd, F_SETLK, &l));
  snprintf(want, sizeof(want), ": POSIX  ADVISORY  WRITE %d %s 2 4\n", getpid(), id);
  CHECK(strstr(get("/proc/locks"), want));
  l.l_type = F_RDLCK;
  l.l_start = 5;
  l.l_len = 0;
  OK(fcntl(fd, F_SETLK, &l));
  snprintf(want, sizeof(want), ": POSIX  ADVISORY  READ %d %s 5 EOF\n", getpid(), id);
  CHECK(strstr(get("/proc/locks"), want));
  OK(flock(fd, LOCK_EX));
  snprintf(want, sizeof(want), ": FLOCK  ADVISORY  WRITE %d %s 0 EOF\n", getpid(), id);
  CHECK(strstr(get("/proc/locks"), want));
  OK(flock(fd, LOCK_UN));
  CHECK(!strstr(get("/proc/locks"), want));
  l.l_type = F_UNLCK;
  l.l_start = 0;
  OK(fcntl(fd, F_SETLK, &l));
  CHECK(!strstr(get("/proc/locks"), id));
  OK(close(fd));
}

static void of_the_system(void) {
  CHECK(strncmp(get("/proc/interrupts"), "           CPU0 ", 16) == 0);
  CHECK(strncmp(get("/proc/softirqs"), "                    CPU0 ", 25) == 0);
  CHECK(strstr(text, "\n          HI:") && strstr(text, "\n         RCU:"));
  CHECK(strncmp(get("/proc/cgroups"), "#subsys_name\thierarchy\tnum_cgroups\tenabled\n", 43) == 0);
  CHECK_STR(get("/proc/execdomains"), "0-0\tLinux           \t[kernel]\n");
  get("/proc/tty/drivers");
  CHECK(strstr(text, "/dev/tty             /dev/tty        5       0 system:/dev/tty\n"));
  CHECK(strstr(text, "pty_slave            /dev/pts      136 0-1048575 pty:slave\n"));
  CHECK(strstr(get("/proc/tty/ldiscs"), "n_tty       0\n"));
  CHECK(strncmp(get("/proc/net/dev"), "Inter-|   Receive ", 18) == 0);
  CHECK(strstr(get("/proc/self/status"), "\nHugetlbPages:\t"));
  OK(access("/proc/misc", R_OK));
  OK(access("/proc/consoles", R_OK));
}

static void processors(void) {
  long n = sysconf(_SC_NPROCESSORS_CONF);
  for (long i = 0; i < n; i++) {
    char path[128];
    snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%ld/topology/thread_siblings_list", i);
    get(path);
    // This one is among them.
    bool found = false;
    for (char* at = text; *at && *at != '\n';) {
      long from = strtol(at, &at, 10), to = from;
      if (*at == '-') to = strtol(at + 1, &at, 10);
      found |= i >= from && i <= to;
      if (*at == ',') at++;
    }
    CHECK(found);
    snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%ld/topology/thread_siblings", i);
    unsigned long mask = strtoul(get(path), NULL, 16);
    if (n <= 32) CHECK(mask >> i & 1);
    snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%ld/topology/core_id", i);
    CHECK(get(path)[0] >= '0');
  }
}

int main(void) {
  abi_scratch();
  io();
  values();
  blocked();
  timers();
  locks();
  of_the_system();
  processors();
  return 0;
}
