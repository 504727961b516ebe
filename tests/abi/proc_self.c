// proc(5) of the process itself: maps, status, stat, cmdline, environ, exe, cwd, fd, task, comm.
#include <dirent.h>
#include <sys/prctl.h>

#include "abi.h"

static char g_text[262144];

static const char* value_of(const char* key) {
  static char value[256];
  char* at = g_text;
  while (at && strncmp(at, key, strlen(key)) != 0) {
    at = strchr(at, '\n');
    if (at) at++;
  }
  if (!at) FAIL("%s: no such line", key);
  at += strlen(key);
  at += strspn(at, ": \t");
  snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\n"), at);
  return value;
}

static void check_maps(void) {
  char* p = OK(mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  OK(mprotect(p + 4096, 4096, PROT_NONE));
  int fd = OK(open("/proc/self/exe", O_RDONLY));
  char* file = OK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096));
  abi_get("/proc/self/maps", g_text, sizeof(g_text));
  char exe[256] = "";
  CHECK(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
  bool heap = false, stack = false, vdso = false, hole = false, mapped = false;
  unsigned long last = 0;
  for (char* line = strtok(g_text, "\n"); line; line = strtok(NULL, "\n")) {
    unsigned long from, to, offset, inode;
    unsigned major, minor;
    char perms[8], path[300] = "";
    CHECK(sscanf(line, "%lx-%lx %7s %lx %x:%x %lu %299[^\n]", &from, &to, perms, &offset, &major, &minor,
                 &inode, path) >= 7);
    CHECK(from < to && from >= last);
    last = to;
    const char* name = path + strspn(path, " ");
    heap |= !strcmp(name, "[heap]");
    stack |= !strcmp(name, "[stack]") && (unsigned long)&from >= from && (unsigned long)&from < to;
    vdso |= !strcmp(name, "[vdso]");
    if (from == (unsigned long)p + 4096) hole = !strcmp(perms, "---p") && to == from + 4096;
    if (from == (unsigned long)file) {
      struct stat st;
      OK(fstat(fd, &st));
      mapped = !strcmp(perms, "r--s") && offset == 4096 && inode == st.st_ino && !strcmp(name, exe);
    }
  }
  CHECK(stack && vdso && hole && mapped);
  free(malloc(10));
  (void)heap;
}

int main(int argc, char** argv) {
  if (argc == 1) {
    char* args[] = {argv[0], "two words", "", "last", NULL};
    char* env[] = {"FIRST=1", "SECOND=", NULL};
    OK(execve(argv[0], args, env));
  }
  ssize_t n = abi_get("/proc/self/cmdline", g_text, sizeof(g_text));
  CHECK_EQ(n, strlen(argv[0]) + 1 + 10 + 1 + 5);
  CHECK_EQ(memcmp(g_text + strlen(argv[0]) + 1, "two words\0\0last\0", 16), 0);
  n = abi_get("/proc/self/environ", g_text, sizeof(g_text));
  CHECK_EQ(n, 16);
  CHECK_EQ(memcmp(g_text, "FIRST=1\0SECOND=\0", 16), 0);
  abi_get("/proc/self/comm", g_text, sizeof(g_text));
  CHECK_STR(g_text, "proc_self\n");
  check_maps();

  abi_scratch();
  char link[256] = "", cwd[256];
  CHECK(readlink("/proc/self/cwd", link, sizeof(link) - 1) > 0);
  CHECK_STR(link, getcwd(cwd, sizeof(cwd)));
  memset(link, 0, sizeof(link));
  CHECK_EQ(readlink("/proc/self/root", link, sizeof(link) - 1), 1);
  CHECK_STR(link, "/");
  memset(link, 0, sizeof(link));
  CHECK(readlink("/proc/self", link, sizeof(link) - 1) > 0);
  CHECK_EQ(atoi(link), getpid());
  memset(link, 0, sizeof(link));
  CHECK(readlink("/proc/thread-self", link, sizeof(link) - 1) > 0);
  snprintf(cwd, sizeof(cwd), "%d/task/%d", getpid(), abi_tid());
  CHECK_STR(link, cwd);

  // status
  OK(setresgid(11, 12, 13));
  OK(setresuid(0, 5, 6));
  OK(prctl(PR_SET_DUMPABLE, 1));
  OK(seteuid(0));
  OK(prctl(PR_SET_DUMPABLE, 1));
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  OK(raise(SIGUSR1));
  abi_handle(SIGUSR2, SIG_IGN, 0);
  abi_handle(SIGTERM, (void (*)(int))(uintptr_t)abort, 0);
  abi_get("/proc/self/status", g_text, sizeof(g_text));
  CHECK_STR(value_of("Name"), "proc_self");
  CHECK_STR(value_of("State"), "R (running)");
  CHECK_EQ(atoi(value_of("Tgid")), getpid());
  CHECK_EQ(atoi(value_of("Pid")), abi_tid());
  CHECK_EQ(atoi(value_of("PPid")), getppid());
  CHECK_EQ(atoi(value_of("Threads")), 1);
  CHECK_STR(value_of("Uid"), "0\t0\t6\t0");
  CHECK_STR(value_of("Gid"), "11\t12\t13\t12");
  CHECK_STR(value_of("SigBlk"), "0000000000000200");
  CHECK_STR(value_of("SigPnd"), "0000000000000200");
  CHECK_STR(value_of("SigIgn"), "0000000000000800");
  CHECK_STR(value_of("SigCgt"), "0000000000004000");
  CHECK_STR(value_of("Umask"), "0022");
  CHECK(atoi(value_of("VmRSS")) > 0);
  CHECK(atoi(value_of("VmSize")) >= atoi(value_of("VmRSS")));
  CHECK(value_of("CapEff")[0] != 0);
  CHECK_STR(value_of("NoNewPrivs"), "0");

  // stat
  OK(prctl(PR_SET_NAME, "odd ) name"));
  abi_get("/proc/self/stat", g_text, sizeof(g_text));
  char state;
  int pid, ppid, pgrp, session;
  char* paren = strrchr(g_text, ')');
  CHECK_EQ(sscanf(g_text, "%d (odd", &pid), 1);
  CHECK_EQ(sscanf(paren, ") %c %d %d %d", &state, &ppid, &pgrp, &session), 4);
  CHECK_EQ(pid, getpid());
  CHECK_EQ(state, 'R');
  CHECK_EQ(ppid, getppid());
  CHECK_EQ(pgrp, getpgrp());
  CHECK_EQ(session, getsid(0));
  int fields = 2;
  for (char* at = paren; (at = strchr(at, ' ')); at++) fields++;
  CHECK_EQ(fields, 52);
  abi_get("/proc/self/statm", g_text, sizeof(g_text));
  long size, resident;
  CHECK_EQ(sscanf(g_text, "%ld %ld", &size, &resident), 2);
  CHECK(size >= resident && resident > 0);
  FAILS(open("/proc/self/nothing", O_RDONLY), ENOENT);
  FAILS(open("/proc/self/stat", O_CREAT | O_EXCL | O_WRONLY, 0600), EEXIST);
  FAILS(mkdir("/proc/self/x", 0700), ENOENT);
  return 0;
}
