// proc(5) of the system: meminfo, cpuinfo, stat, uptime, loadavg, mounts, filesystems, version, sys; and
// sysinfo(2).
#include <dirent.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "abi.h"

static char g_text[1 << 20];

static const char* get(const char* path) {
  CHECK(abi_get(path, g_text, sizeof(g_text)) > 0);
  return g_text;
}

static long number(const char* path) { return atol(get(path)); }

static long memory(const char* key) {
  const char* at = strstr(g_text, key);
  if (!at) FAIL("/proc/meminfo: no %s", key);
  return atol(at + strlen(key));
}

int main(void) {
  struct sysinfo info;
  OK(sysinfo(&info));
  FAILS(syscall(SYS_sysinfo, (void*)8), EFAULT);
  get("/proc/meminfo");
  long total = memory("MemTotal:"), unused = memory("MemFree:"), available = memory("MemAvailable:");
  CHECK(total > 0 && unused > 0 && unused <= total && available <= total);
  CHECK_EQ(total, (long)(info.totalram * info.mem_unit / 1024));
  memory("Cached:");
  memory("Buffers:");
  memory("SwapTotal:");

  // CPUs: as many as are online.
  int processors = 0;
  get("/proc/cpuinfo");
  for (const char* at = g_text; (at = strstr(at, "processor\t:")); at++) processors++;
  CHECK(processors >= 1);
  CHECK_EQ(processors, get_nprocs());
  CHECK(strstr(g_text, "model name\t:") && strstr(g_text, "flags\t\t:"));
  CHECK(strstr(g_text, " sse2 ") && strstr(g_text, " syscall "));
  int cpus = 0;
  get("/proc/stat");
  CHECK(strncmp(g_text, "cpu  ", 5) == 0);
  for (const char* at = g_text; (at = strstr(at, "\ncpu")); at++) cpus++;
  CHECK_EQ(cpus, processors);
  CHECK(strstr(g_text, "\nbtime ") && strstr(g_text, "\nctxt ") && strstr(g_text, "\nprocesses "));
  CHECK_EQ(sysconf(_SC_NPROCESSORS_ONLN), processors);

  double up, idle;
  CHECK_EQ(sscanf(get("/proc/uptime"), "%lf %lf", &up, &idle), 2);
  CHECK(up > 0);
  double seconds = abi_ns(CLOCK_BOOTTIME) / 1e9;
  CHECK(up <= seconds + 0.1 && up > seconds - 5);
  CHECK(info.uptime <= seconds + 1 && info.uptime > seconds - 5);
  double a, b, c;
  int running, all, last;
  CHECK_EQ(sscanf(get("/proc/loadavg"), "%lf %lf %lf %d/%d %d", &a, &b, &c, &running, &all, &last), 6);
  CHECK(running >= 1 && all >= running && last > 0);
  CHECK(info.procs >= 1);

  struct utsname name;
  OK(uname(&name));
  CHECK_STR(name.sysname, "Linux");
  CHECK_STR(name.machine, "x86_64");
  CHECK(atoi(name.release) >= 5);
  char host[65];
  OK(gethostname(host, sizeof(host)));
  CHECK_STR(host, name.nodename);
  FAILS(syscall(SYS_uname, (void*)8), EFAULT);
  CHECK(strncmp(get("/proc/version"), "Linux version ", 14) == 0);
  CHECK(strstr(g_text, name.release));
  get("/proc/sys/kernel/osrelease");
  g_text[strcspn(g_text, "\n")] = 0;
  CHECK_STR(g_text, name.release);
  CHECK_STR(get("/proc/sys/kernel/ostype"), "Linux\n");
  get("/proc/sys/kernel/hostname");
  g_text[strcspn(g_text, "\n")] = 0;
  CHECK_STR(g_text, name.nodename);
  CHECK(number("/proc/sys/kernel/pid_max") >= 32768);
  CHECK(number("/proc/sys/kernel/threads-max") > 0);
  CHECK(number("/proc/sys/kernel/cap_last_cap") >= 37);
  CHECK(number("/proc/sys/fs/file-max") > 0);
  CHECK_EQ(number("/proc/sys/fs/pipe-max-size"), 1048576);
  CHECK(number("/proc/sys/vm/overcommit_memory") >= 0);
  CHECK(number("/proc/sys/vm/max_map_count") >= 65530);
  CHECK_EQ(number("/proc/sys/kernel/ngroups_max"), 65536);
  CHECK_EQ(strlen(get("/proc/sys/kernel/random/boot_id")), 37);
  char uuid[64];
  strcpy(uuid, get("/proc/sys/kernel/random/uuid"));
  CHECK(strcmp(uuid, get("/proc/sys/kernel/random/uuid")) != 0);

  // Mounts: what the table says is there.
  get("/proc/mounts");
  CHECK(strstr(g_text, " / ") && strstr(g_text, " /proc proc "));
  get("/proc/self/mountinfo");
  bool root = false;
  for (char* line = strtok(g_text, "\n"); line; line = strtok(NULL, "\n")) {
    int id, parent;
    unsigned major, minor;
    char from[256], on[256], options[256];
    CHECK_EQ(sscanf(line, "%d %d %u:%u %255s %255s %255s", &id, &parent, &major, &minor, from, on, options),
             7);
    CHECK(strstr(line, " - ") != NULL);
    root |= !strcmp(on, "/");
  }
  CHECK(root);
  CHECK(strstr(get("/proc/filesystems"), "nodev\tproc\n") && strstr(g_text, "nodev\ttmpfs\n"));

  // Every directory of a number is a process; ours is among them.
  DIR* dir = opendir("/proc");
  bool self = false;
  for (struct dirent* entry; (entry = readdir(dir));) {
    if (atoi(entry->d_name) == getpid()) self = true;
  }
  CHECK(self);
  closedir(dir);
  struct stat st;
  OK(stat("/proc/1", &st));
  CHECK(S_ISDIR(st.st_mode));
  FAILS(open("/proc/new", O_CREAT | O_WRONLY, 0600), ENOENT);
  FAILS(rmdir("/proc/self/fd"), EPERM);
  return 0;
}
