// Who writes a program and who runs it exclude each other: ETXTBSY of open(2), truncate(2) and execve(2).
#include "abi.h"

static int g_to, g_from;

static void copy_self(const char* name, const char* target) {
  int in = OK(open(name, O_RDONLY)), out = OK(open(target, O_CREAT | O_WRONLY, 0755));
  char buffer[65536];
  for (ssize_t n; (n = OK(read(in, buffer, sizeof(buffer)))) > 0;) CHECK_EQ(write(out, buffer, n), n);
  OK(close(in));
  OK(close(out));
}

// Starts a program that runs until finish(); `how` 0: waits as it is, 1: in a child of its own.
static pid_t start(const char* program, const char* how) {
  int to[2], from[2];
  OK(pipe2(to, O_CLOEXEC));
  OK(pipe2(from, O_CLOEXEC));
  pid_t pid = FORK({
    OK(dup2(to[0], 0));
    OK(dup2(from[1], 1));
    OK(execl(program, program, how, NULL));
  });
  OK(close(to[0]));
  OK(close(from[1]));
  g_to = to[1];
  g_from = from[0];
  char c;
  CHECK_EQ(read(g_from, &c, 1), 1);
  return pid;
}

static void finish(pid_t pid) {
  OK(close(g_to));
  OK(close(g_from));
  WAIT_OK(pid);
}

static void busy(const char* name) {
  FAILS(open(name, O_WRONLY), ETXTBSY);
  FAILS(open(name, O_RDWR), ETXTBSY);
  FAILS(open(name, O_RDONLY | O_TRUNC), ETXTBSY);
  FAILS(open(name, O_CREAT | O_WRONLY, 0755), ETXTBSY);
  FAILS(truncate(name, 10), ETXTBSY);
  OK(close(OK(open(name, O_RDONLY))));
  OK(chmod(name, 0755));
}

int main(int argc, char** argv) {
  if (argc > 1) {
    char c;
    if (argv[1][0] == '1' && OK(fork()) > 0) _exit(0);
    CHECK_EQ(write(1, "r", 1), 1);
    CHECK_EQ(read(0, &c, 1), 0);
    return 0;
  }
  char self[256];
  ssize_t n = OK(readlink("/proc/self/exe", self, sizeof(self) - 1));
  self[n] = 0;
  abi_scratch();
  copy_self(self, "prog");
  char* args[] = {"prog", "0", NULL};

  // Held open for writing, by any name and any description.
  OK(link("prog", "other"));
  int fd = OK(open("other", O_RDWR | O_APPEND));
  FAILS(execv("./prog", args), ETXTBSY);
  int copy = OK(dup(fd));
  OK(close(fd));
  FAILS(execv("./prog", args), ETXTBSY);
  OK(close(copy));
  // Readers and O_PATH do not count.
  fd = OK(open("prog", O_RDONLY));
  copy = OK(open("prog", O_PATH));
  pid_t pid = start("./prog", "0");
  busy("prog");
  busy("other");
  char path[64];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  FAILS(open(path, O_WRONLY), ETXTBSY);
  // A second run beside it; the file stays busy until the last has ended.
  int to = g_to, from = g_from;
  pid_t second = start("./other", "0");
  finish(second);
  busy("prog");
  g_to = to, g_from = from;
  finish(pid);
  OK(close(OK(open("prog", O_RDWR))));
  OK(close(fd));
  OK(close(copy));

  // A child that did not execute anything runs it, too.
  int pipes[2];
  OK(pipe(pipes));
  pid = start("./prog", "1");
  WAIT_OK(pid);
  busy("prog");
  OK(close(g_to));
  char c;
  CHECK_EQ(read(g_from, &c, 1), 0);  // it has ended, or will at once
  OK(close(g_from));
  while ((fd = open("prog", O_WRONLY)) < 0) {
    CHECK_EQ(errno, ETXTBSY);
    sched_yield();
  }
  OK(close(fd));

  // A mapping through which it can be written counts as long as it stands; a private one does not.
  fd = OK(open("prog", O_RDWR));
  char* map = OK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0));
  OK(close(fd));
  FAILS(execv("./prog", args), ETXTBSY);
  OK(munmap(map, 4096));
  fd = OK(open("prog", O_RDWR));
  map = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, OK(open("prog", O_RDONLY)), 0));
  map[0]++;
  OK(close(fd));
  finish(start("./prog", "0"));

  // A zombie runs nothing.
  pid = start("./prog", "0");
  OK(close(g_to));
  siginfo_t info;
  OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
  OK(close(OK(open("prog", O_WRONLY))));
  WAIT_OK(pid);
  OK(close(g_from));

  // A script is busy for writers only while it is loaded, but a script open for writing does not run.
  abi_put("script", "#!./prog 0\n");
  OK(chmod("script", 0755));
  fd = OK(open("script", O_WRONLY));
  FAILS(execl("./script", "script", NULL), ETXTBSY);
  OK(close(fd));
  pid = start("./script", NULL);
  busy("prog");
  OK(close(OK(open("script", O_WRONLY))));
  finish(pid);
  fd = OK(open("prog", O_WRONLY));
  FAILS(execl("./script", "script", NULL), ETXTBSY);
  OK(close(fd));

  // One that is killed lets go.
  pid = start("./prog", "0");
  OK(kill(pid, SIGKILL));
  WAIT_SIGNAL(pid, SIGKILL);
  OK(close(OK(open("prog", O_RDWR))));
  OK(unlink("prog"));
  OK(close(OK(open("prog", O_CREAT | O_WRONLY, 0755))));  // another file
  return 0;
}
