// A process that writes over its arguments: /proc/PID/cmdline, comm and environ show what it made of them.
#include <sys/prctl.h>

#include "abi.h"

extern char** environ;

static char g_text[8192];

static ssize_t cmdline(pid_t pid) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
  return abi_get(path, g_text, sizeof(g_text));
}

static void retitle(char** argv) {
  // argv and the environment lie behind one another.
  char* start = argv[0];
  size_t args = 0;
  for (int i = 0; argv[i]; i++) args += strlen(argv[i]) + 1;
  CHECK_EQ(cmdline(getpid()), args);
  CHECK_EQ(memcmp(g_text, start, args), 0);

  // Shorter than before, with the end in place: shown with all its bytes.
  char saved[512];
  CHECK(args < sizeof(saved));
  memcpy(saved, start, args);
  memset(start, 0, args);
  strcpy(start, "short");
  CHECK_EQ(cmdline(getpid()), args);
  CHECK_STR(g_text, "short");

  // The byte at the end is not zero any more: it goes on into the environment, to the first zero and with it.
  char* env = environ[0];
  if (env == start + args) {
    size_t room = 0;
    for (int i = 0; environ[i]; i++) room += strlen(environ[i]) + 1;
    CHECK(room > 40);
    char before[64];
    memcpy(before, env, sizeof(before));
    memset(start, 'T', args);
    memcpy(env, "-and-more", 10);
    CHECK_EQ(cmdline(getpid()), args + 10);
    CHECK_EQ(g_text[0], 'T');
    CHECK_EQ(memcmp(g_text + args, "-and-more", 10), 0);
    memcpy(env, before, sizeof(before));
  }
  memcpy(start, saved, args);
  CHECK_EQ(cmdline(getpid()), args);
  CHECK_EQ(memcmp(g_text, saved, args), 0);

  // Others see it as well, and it is inherited by a fork.
  IN_CHILD({
    CHECK_EQ(cmdline(getppid()), args);
    CHECK_EQ(cmdline(getpid()), args);
    start[0] = '!';
    cmdline(getpid());
    CHECK_EQ(g_text[0], '!');
    cmdline(getppid());
    CHECK_EQ(g_text[0], saved[0]);
  });
}

static void names(void) {
  char path[64], text[64];
  OK(prctl(PR_SET_NAME, "a name that is too long"));
  abi_get("/proc/self/comm", text, sizeof(text));
  CHECK_STR(text, "a name that is \n");
  int fd = OK(open("/proc/self/comm", O_RDWR));
  CHECK_EQ(write(fd, "by file", 7), 7);
  OK(prctl(PR_GET_NAME, text));
  CHECK_STR(text, "by file");
  OK(close(fd));
  abi_get("/proc/self/status", g_text, sizeof(g_text));
  CHECK_EQ(strncmp(g_text, "Name:\tby file\n", 14), 0);
  // A name with what would break lines is shown escaped there, and plainly in comm and stat.
  OK(prctl(PR_SET_NAME, "a\nb\\c)d"));
  abi_get("/proc/self/status", g_text, sizeof(g_text));
  CHECK_EQ(strncmp(g_text, "Name:\ta\\nb\\\\c)d\n", 16), 0);
  abi_get("/proc/self/comm", text, sizeof(text));
  CHECK_STR(text, "a\nb\\c)d\n");
  abi_get("/proc/self/stat", g_text, sizeof(g_text));
  snprintf(path, sizeof(path), "%d (a\nb\\c)d) R ", getpid());
  CHECK_EQ(strncmp(g_text, path, strlen(path)), 0);
  // Of another process it cannot be written.
  pid_t pid = FORK(pause());
  snprintf(path, sizeof(path), "/proc/%d/comm", pid);
  fd = OK(open(path, O_WRONLY));
  FAILS(write(fd, "x", 1), EINVAL);
  OK(kill(pid, SIGKILL));
  WAIT_SIGNAL(pid, SIGKILL);
}

static void environment(void) {
  ssize_t n = abi_get("/proc/self/environ", g_text, sizeof(g_text));
  CHECK(n > 0);
  bool seen = false;
  for (char* at = g_text; at < g_text + n; at += strlen(at) + 1) seen |= strcmp(at, "MARK=of the exec") == 0;
  CHECK(seen);
  // What setenv(3) adds lies elsewhere.
  OK(setenv("NEWER", "x", 1));
  n = abi_get("/proc/self/environ", g_text, sizeof(g_text));
  for (char* at = g_text; at < g_text + n; at += strlen(at) + 1) CHECK(strncmp(at, "NEWER=", 6) != 0);
}

int main(int argc, char** argv) {
  if (argc == 1) {
    execle("/proc/self/exe", "proc_title", "first", "", "third argument", NULL,
           (char*[]){"MARK=of the exec", "MORE=so that there is some room behind the arguments", "THIRD=3",
                     NULL});
    FAIL("execle");
  }
  CHECK_EQ(argc, 4);
  retitle(argv);
  environment();
  names();
  return 0;
}
