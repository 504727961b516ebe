// PID namespaces: what a task is called in its own and in those above (pid_namespaces(7)).
#include "abi.h"

static pid_t clone_with(unsigned long flags) {
  return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}
#define IN_NEW(...)                               \
  do {                                            \
    pid_t in_new_ = OK(clone_with(CLONE_NEWPID)); \
    if (in_new_ == 0) {                           \
      __VA_ARGS__;                                \
      _exit(0);                                   \
    }                                             \
    WAIT_OK(in_new_);                             \
  } while (0)

// The numbers behind a name in the status of a process.
static void numbers(pid_t pid, const char* name, char* out, size_t size) {
  char path[64], text[4096];
  snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
  abi_get(path, text, sizeof(text));
  const char* at = strstr(text, name);
  CHECK(at != NULL);
  at += strlen(name);
  snprintf(out, size, "%.*s", (int)strcspn(at, "\n"), at);
}

static void own_numbers(void) {
  IN_NEW({
    CHECK_EQ(getpid(), 1);
    CHECK_EQ(abi_tid(), 1);
    CHECK_EQ(getppid(), 0);
    // Group and session came along from where they have no number.
    CHECK_EQ(getpgid(0), 0);
    CHECK_EQ(getsid(0), 0);
    CHECK_EQ(getpgrp(), 0);
    CHECK_EQ(OK(syscall(SYS_set_tid_address, NULL)), 1);
    CHECK_EQ(OK(setsid()), 1);
    CHECK_EQ(getpgid(0), 1);
    CHECK_EQ(getsid(0), 1);
    CHECK_EQ(getsid(1), 1);
    pid_t child = FORK({
      CHECK_EQ(getpid(), 2);
      CHECK_EQ(getppid(), 1);
      CHECK_EQ(getsid(0), 1);
      OK(setpgid(0, 0));
      CHECK_EQ(getpgid(0), 2);
      CHECK_EQ(getpgid(2), 2);
    });
    CHECK_EQ(child, 2);
    WAIT_OK(2);
    FAILS(getpgid(2), ESRCH);
    FAILS(kill(2, 0), ESRCH);
    OK(kill(1, 0));
  });
}

static void seen_from_above(void) {
  int ready[2], go[2];
  OK(pipe(ready));
  OK(pipe(go));
  pid_t child = OK(clone_with(CLONE_NEWPID));
  if (child == 0) {
    char c;
    OK(setsid());
    pid_t grandchild = FORK({
      OK(setpgid(0, 0));
      CHECK_EQ(write(ready[1], "", 1), 1);
      CHECK_EQ(read(go[0], &c, 1), 1);
    });
    CHECK_EQ(grandchild, 2);
    WAIT_OK(2);
    _exit(0);
  }
  CHECK(child > 1);
  char c, text[64], want[64];
  CHECK_EQ(read(ready[0], &c, 1), 1);
  CHECK_EQ(getpgid(child), child);
  CHECK_EQ(getsid(child), child);
  snprintf(want, sizeof(want), "\t%d\t1", (int)child);
  const char* const kNames[] = {"NStgid:", "NSpid:", "NSpgid:", "NSsid:"};
  for (int i = 0; i < 4; i++) {
    numbers(child, kNames[i], text, sizeof(text));
    CHECK_STR(text, want);
  }
  // The grandchild by the list of the child's children.
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)child, (int)child);
  abi_get(path, text, sizeof(text));
  pid_t grandchild = atoi(text);
  CHECK(grandchild > 1 && grandchild != child);
  snprintf(want, sizeof(want), "\t%d\t2", (int)grandchild);
  numbers(grandchild, "NSpid:", text, sizeof(text));
  CHECK_STR(text, want);
  numbers(grandchild, "NSpgid:", text, sizeof(text));
  CHECK_STR(text, want);
  numbers(grandchild, "PPid:", text, sizeof(text));
  CHECK_EQ(atoi(text), child);
  CHECK_EQ(getpgid(grandchild), grandchild);
  CHECK_EQ(getsid(grandchild), child);
  OK(kill(grandchild, 0));
  CHECK_EQ(write(go[1], "", 1), 1);
  WAIT_OK(child);
}

static void deeper(void) {
  IN_NEW({
    pid_t inner = OK(clone_with(CLONE_NEWPID));
    if (inner == 0) {
      CHECK_EQ(getpid(), 1);
      pid_t last = FORK({ CHECK_EQ(getpid(), 2); });
      CHECK_EQ(last, 2);
      WAIT_OK(last);
      _exit(0);
    }
    CHECK_EQ(inner, 2);
    WAIT_OK(inner);
  });
  // Numbers start again in each.
  IN_NEW(CHECK_EQ(getpid(), 1));
}

static void refusals(void) {
  FAILS(syscall(SYS_clone, CLONE_NEWPID | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, 0, 0, 0, 0), EINVAL);
  IN_CHILD({
    OK(setresuid(1, 1, 1));
    FAILS(clone_with(CLONE_NEWPID), EPERM);
    FAILS(unshare(CLONE_NEWPID), EPERM);
  });
  // An init has no siblings by CLONE_PARENT.
  IN_NEW(FAILS(clone_with(CLONE_PARENT), EINVAL));
}

int main(void) {
  own_numbers();
  seen_from_above();
  deeper();
  refusals();
  return 0;
}
