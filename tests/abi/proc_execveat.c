// execveat(2): by descriptor, from memory, scripts, links, and what the process is called then.
#include <sys/mman.h>

#include "abi.h"

extern char** environ;

static long exec_at(int dir, const char* path, const char* argument, int flags) {
  return syscall(SYS_execveat, dir, path, (char*[]){"title", (char*)argument, NULL}, environ, flags);
}

static void copy_self(int to) {
  int from = OK(open("/proc/self/exe", O_RDONLY));
  char buffer[65536];
  ssize_t n;
  while ((n = OK(read(from, buffer, sizeof(buffer)))) > 0) CHECK_EQ(write(to, buffer, n), n);
  OK(close(from));
}

// In the new program.
static int after(const char* what) {
  char text[512] = {0}, comm[32];
  ssize_t n = OK(readlink("/proc/self/exe", text, sizeof(text) - 1));
  text[n] = 0;
  abi_get("/proc/self/comm", comm, sizeof(comm));
  if (strcmp(what, "memory") == 0) {
    CHECK_STR(text, "/memfd:in memory (deleted)");
  } else if (strcmp(what, "gone") == 0) {
    CHECK(strlen(text) > 10 && strcmp(text + strlen(text) - 10, " (deleted)") == 0);
  } else if (strcmp(what, "dir") == 0) {
    CHECK_STR(comm, "program\n");
    CHECK_STR(strrchr(text, '/'), "/program");
  } else {
    FAIL("unknown: %s", what);
  }
  return 0;
}

int main(int argc, char** argv) {
  if (argc > 1) return after(argv[1]);
  abi_scratch();
  int fd = OK(open("program", O_CREAT | O_RDWR, 0755));
  copy_self(fd);
  OK(close(fd));
  int dir = OK(open(".", O_RDONLY | O_DIRECTORY));
  IN_CHILD(exec_at(dir, "program", "dir", 0); FAIL("execveat"));
  IN_CHILD(OK(chdir("/")); exec_at(dir, "program", "dir", 0); FAIL("execveat"));

  // From memory, without any name.
  int memory = OK(memfd_create("in memory", MFD_CLOEXEC));
  copy_self(memory);
  // A program that is open for writing is not run; read-only through another descriptor it is.
  FAILS(exec_at(memory, "", "memory", AT_EMPTY_PATH), ETXTBSY);
  char path[64];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
  int reader = OK(open(path, O_RDONLY | O_CLOEXEC));
  OK(close(memory));
  IN_CHILD(exec_at(reader, "", "memory", AT_EMPTY_PATH); FAIL("execveat"));
  FAILS(exec_at(reader, "", "memory", 0), ENOENT);
  FAILS(exec_at(reader, "x", "memory", 0), ENOTDIR);
  FAILS(exec_at(dir, "", "memory", AT_EMPTY_PATH), EACCES);
  FAILS(exec_at(999, "", "memory", AT_EMPTY_PATH), EBADF);
  FAILS(exec_at(dir, "program", "dir", 0x40), EINVAL);
  FAILS(exec_at(dir, "none", "dir", 0), ENOENT);

  // O_PATH is enough.
  int place = OK(open("program", O_PATH | O_CLOEXEC));
  IN_CHILD(OK(unlink("program")); exec_at(place, "", "gone", AT_EMPTY_PATH); FAIL("execveat"));

  // Links: followed or not.
  fd = OK(open("program", O_CREAT | O_RDWR, 0755));
  copy_self(fd);
  OK(close(fd));
  OK(symlink("program", "link"));
  FAILS(exec_at(dir, "link", "dir", AT_SYMLINK_NOFOLLOW), ELOOP);
  int link = OK(open("link", O_PATH | O_NOFOLLOW));
  FAILS(exec_at(link, "", "dir", AT_EMPTY_PATH), ELOOP);

  // A script is opened by its interpreter, through a name made of the descriptor: not if that is closed.
  int script = OK(open("script", O_CREAT | O_RDWR, 0755));
  CHECK_EQ(write(script, "#!/bin/sh\ncase $0 in /dev/fd/*) exit 12;; *) exit 13;; esac\n", 60), 60);
  OK(close(script));
  script = OK(open("script", O_RDONLY));
  WAIT_EXIT(FORK(exec_at(script, "", "x", AT_EMPTY_PATH); FAIL("execveat")), 12);
  WAIT_EXIT(FORK(exec_at(dir, "script", "x", 0); FAIL("execveat")), 12);
  OK(fcntl(script, F_SETFD, FD_CLOEXEC));
  FAILS(exec_at(script, "", "x", AT_EMPTY_PATH), ENOENT);
  OK(fcntl(dir, F_SETFD, FD_CLOEXEC));
  FAILS(exec_at(dir, "script", "x", 0), ENOENT);
  OK(chmod("program", 0644));
  FAILS(exec_at(dir, "program", "dir", 0), EACCES);
  return 0;
}
