// What can be written to uid_map, gid_map and setgroups, by whom (user_namespaces(7)).
#include <grp.h>
#include <sys/prctl.h>

#include "abi.h"

// The errno of a write, or 0.
static int put(const char* path, const char* text) {
  int fd = OK(open(path, O_WRONLY));
  long n = write(fd, text, strlen(text));
  int error = n < 0 ? errno : 0;
  OK(close(fd));
  return error;
}
static void become(uid_t id) {
  OK(setgroups(0, NULL));
  OK(setresgid(id, id, id));
  OK(setresuid(id, id, id));
  OK(prctl(PR_SET_DUMPABLE, 1));
}
static void get_equal(const char* path, const char* want) {
  char text[512];
  abi_get(path, text, sizeof(text));
  CHECK_STR(text, want);
}

// A child in a new namespace; runs `statements` in the parent with its numbers in `path`.
static int go[2];
static pid_t inner(void) {
  int ready[2];
  char c;
  OK(pipe(ready));
  OK(pipe(go));
  pid_t child = FORK({
    OK(unshare(CLONE_NEWUSER));
    CHECK_EQ(write(ready[1], "", 1), 1);
    CHECK_EQ(read(go[0], &c, 1), 1);
  });
  CHECK_EQ(read(ready[0], &c, 1), 1);
  OK(close(ready[0]));
  OK(close(ready[1]));
  return child;
}
static void end(pid_t child) {
  CHECK_EQ(write(go[1], "", 1), 1);
  WAIT_OK(child);
  OK(close(go[0]));
  OK(close(go[1]));
}
static const char* of(pid_t child, const char* name) {
  static char path[64];
  snprintf(path, sizeof(path), "/proc/%d/%s", (int)child, name);
  return path;
}

static void syntax(void) {
  pid_t child = inner();
  const char* const kBad[] = {"",
                              "\n",
                              "0",
                              "0 0",
                              "0 0 0",
                              "a 0 1",
                              "0 0 1 1",
                              "0 0 1x",
                              "4294967295 0 1",
                              "0 4294967295 1",
                              "0 0 1\n0 5 1",
                              "0 5 10\n20 14 1",
                              "4294967290 0 10",
                              "0 0 -1",
                              "0 0 1\n\n"};
  for (unsigned i = 0; i < sizeof(kBad) / sizeof(kBad[0]); i++) {
    int error = put(of(child, "uid_map"), kBad[i]);
    // Nothing at all is not written.
    if (kBad[i][0] == 0) continue;
    if (error != EINVAL) FAIL("\"%s\": errno %d", kBad[i], error);
  }
  CHECK_EQ(put(of(child, "uid_map"), "  0 100000\t10 \n10 5 5\n4294967290 7000 1\n"), 0);
  get_equal(of(child, "uid_map"),
            "         0     100000         10\n        10          5          5\n4294967290       7000       "
            "   1\n");
  CHECK_EQ(put(of(child, "uid_map"), "0 100000 10"), EPERM);
  CHECK_EQ(put(of(child, "gid_map"), "0 0 4294967295"), 0);
  get_equal(of(child, "gid_map"), "         0          0 4294967295\n");
  end(child);
}

// The owner maps itself, nobody else.
static void by_the_owner(void) {
  IN_CHILD({
    become(1000);
    OK(unshare(CLONE_NEWUSER));
    CHECK_EQ(put("/proc/self/uid_map", "0 1001 1"), EPERM);
    CHECK_EQ(put("/proc/self/uid_map", "0 0 1"), EPERM);
    CHECK_EQ(put("/proc/self/uid_map", "0 1000 2"), EPERM);
    CHECK_EQ(put("/proc/self/gid_map", "0 1000 1"), EPERM);  // setgroups first
    CHECK_EQ(put("/proc/self/setgroups", "den"), EINVAL);
    CHECK_EQ(put("/proc/self/setgroups", "denyx"), EINVAL);
    CHECK_EQ(put("/proc/self/setgroups", "allow"), 0);
    CHECK_EQ(put("/proc/self/setgroups", "deny\n"), 0);
    CHECK_EQ(put("/proc/self/setgroups", "allow"), EPERM);
    CHECK_EQ(put("/proc/self/gid_map", "0 1001 1"), EPERM);
    CHECK_EQ(put("/proc/self/gid_map", "5 1000 1"), 0);
    CHECK_EQ(put("/proc/self/setgroups", "deny"), EPERM);
    CHECK_EQ(put("/proc/self/uid_map", "5 1000 1"), 0);
    CHECK_EQ(getuid(), 5);
    CHECK_EQ(getgid(), 5);
  });
}

// Another user of the same number, without capabilities, cannot map more.
static void from_above(void) {
  IN_CHILD({
    become(1000);
    pid_t child = inner();
    CHECK_EQ(put(of(child, "uid_map"), "0 1001 1"), EPERM);
    CHECK_EQ(put(of(child, "uid_map"), "0 1000 1"), 0);
    end(child);
    OK(setresuid(1000, 1000, 1000));
  });
}

// A file opened by who may not write stays so.
static void openers(void) {
  pid_t child = inner();
  int fds[2];
  OK(pipe(fds));
  int file = OK(open(of(child, "uid_map"), O_RDWR));
  IN_CHILD({
    become(1000);
    FAILS(write(file, "0 0 2", 5), EPERM);
  });
  FAILS(write(file, "0 0", 3), EINVAL);
  CHECK_EQ(write(file, "0 0 1", 5), 5);
  end(child);
}

// The map of the first namespace cannot be written.
static void first(void) {
  get_equal("/proc/self/uid_map", "         0          0 4294967295\n");
  CHECK_EQ(put("/proc/self/uid_map", "0 0 1"), EPERM);
  get_equal("/proc/self/setgroups", "allow\n");
  CHECK_EQ(put("/proc/self/setgroups", "deny"), EPERM);
}

// Numbers of the second below the first: as whoever reads calls them.
static void two_levels(void) {
  pid_t outer = FORK({
    OK(unshare(CLONE_NEWUSER));
    while (getuid() != 0) sched_yield();
    while (getgid() != 0) sched_yield();
    pid_t child = inner();
    CHECK_EQ(put(of(child, "uid_map"), "0 20 1\n"), EPERM);  // not mapped here
    CHECK_EQ(put(of(child, "uid_map"), "3 5 2\n"), 0);
    get_equal(of(child, "uid_map"), "         3          5          2\n");
    end(child);
  });
  char text[64];
  struct stat own, theirs;
  OK(stat("/proc/self/ns/user", &own));
  do OK(stat(of(outer, "ns/user"), &theirs));
  while (own.st_ino == theirs.st_ino);
  snprintf(text, sizeof(text), "0 0 1\n1 5000 10");
  CHECK_EQ(put(of(outer, "uid_map"), text), 0);
  CHECK_EQ(put(of(outer, "gid_map"), text), 0);
  WAIT_OK(outer);
}

int main(void) {
  syntax();
  by_the_owner();
  from_above();
  openers();
  first();
  two_levels();
  return 0;
}
