// procfs shows the tasks of the PID namespace in which it was mounted, by their numbers there.
#include <dirent.h>
#include <sys/mount.h>

#include "abi.h"

static int listed(const char* path, pid_t* last) {
  DIR* d = opendir(path);
  CHECK(d != NULL);
  int n = 0;
  for (struct dirent* e; (e = readdir(d));)
    if (e->d_name[0] >= '0' && e->d_name[0] <= '9') n++, *last = atoi(e->d_name);
  OK(closedir(d));
  return n;
}
static void line_of(const char* path, const char* name, char* out, size_t size) {
  char text[4096];
  abi_get(path, text, sizeof(text));
  const char* at = strstr(text, name);
  CHECK(at != NULL);
  at += strlen(name);
  snprintf(out, size, "%.*s", (int)strcspn(at, "\n"), at);
}

int main(void) {
  OK(unshare(CLONE_NEWNS));
  OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  abi_scratch();
  OK(mkdir("proc", 0755));
  OK(mkdir("outer", 0755));
  OK(mount("proc", "outer", "proc", 0, NULL));
  int up[2];
  int down[2];
  OK(pipe(up));
  OK(pipe(down));
  pid_t init = (pid_t)OK(syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0));
  if (init == 0) {
    char text[256];
    char c;
    pid_t last = 0;
    OK(mount("proc", "proc", "proc", 0, NULL));
    OK(setsid());
    CHECK_EQ(listed("proc", &last), 1);
    CHECK_EQ(last, 1);
    pid_t child = FORK({
      CHECK_EQ(write(up[1], "", 1), 1);
      CHECK_EQ(read(down[0], &c, 1), 1);
    });
    CHECK_EQ(child, 2);
    CHECK_EQ(listed("proc", &last), 2);
    CHECK_EQ(last, 2);
    long n = OK(readlink("proc/self", text, sizeof(text) - 1));
    text[n] = 0;
    CHECK_STR(text, "1");
    n = OK(readlink("proc/thread-self", text, sizeof(text) - 1));
    text[n] = 0;
    CHECK_STR(text, "1/task/1");
    // That of the namespace above calls it otherwise.
    n = OK(readlink("outer/self", text, sizeof(text) - 1));
    text[n] = 0;
    CHECK(atoi(text) > 1);
    line_of("proc/2/status", "NSpid:", text, sizeof(text));
    CHECK_STR(text, "\t2");
    line_of("proc/2/status", "PPid:", text, sizeof(text));
    CHECK_STR(text, "\t1");
    line_of("proc/1/status", "PPid:", text, sizeof(text));
    CHECK_STR(text, "\t0");
    line_of("outer/self/status", "NSpid:", text, sizeof(text));
    CHECK(strchr(text + 1, '\t') != NULL);
    abi_get("proc/2/stat", text, sizeof(text));
    CHECK(strncmp(text, "2 (", 3) == 0);
    int pgrp;
    int ppid;
    int sid;
    CHECK_EQ(sscanf(strrchr(text, ')') + 2, "%*c %d %d %d", &ppid, &pgrp, &sid), 3);
    CHECK_EQ(ppid, 1);
    CHECK_EQ(pgrp, 1);
    CHECK_EQ(sid, 1);
    abi_get("proc/1/task/1/children", text, sizeof(text));
    CHECK_STR(text, "2 ");
    CHECK_EQ(listed("proc/2/task", &last), 1);
    CHECK_EQ(last, 2);
    FAILS(access("proc/3", F_OK), ENOENT);
    char want[64];
    struct stat here;
    struct stat there;
    OK(stat("proc/self/ns/pid", &here));
    snprintf(want, sizeof(want), "outer/self/ns/pid");
    OK(stat(want, &there));
    CHECK_EQ(here.st_ino, there.st_ino);
    CHECK_EQ(write(up[1], "", 1), 1);
    WAIT_OK(child);
    _exit(0);
  }
  char c, text[256], path[64];
  CHECK_EQ(read(up[0], &c, 1), 1);
  CHECK_EQ(read(up[0], &c, 1), 1);
  // From outside: nobody that one is.
  IN_CHILD({
    snprintf(path, sizeof(path), "/proc/%d/root%s", (int)init, getcwd(text, sizeof(text)));
    int ns = OK(open((snprintf(path, sizeof(path), "outer/%d/ns/mnt", (int)init), path), O_RDONLY));
    char base[256];
    CHECK(getcwd(base, sizeof(base)) != NULL);
    OK(setns(ns, CLONE_NEWNS));
    OK(chdir(base));
    FAILS(readlink("proc/self", text, sizeof(text)), ENOENT);
    FAILS(open("proc/self/status", O_RDONLY), ENOENT);
    line_of("proc/1/status", "NSpid:", text, sizeof(text));
    CHECK_STR(text, "\t1");
  });
  snprintf(path, sizeof(path), "outer/%d/status", (int)init);
  line_of(path, "NSpid:", text, sizeof(text));
  char want[64];
  snprintf(want, sizeof(want), "\t%d\t1", (int)init);
  CHECK_STR(text, want);
  CHECK_EQ(write(down[1], "", 1), 1);
  WAIT_OK(init);
  return 0;
}
