// clone3(2) with set_tid; /proc/sys/kernel/ns_last_pid (pid_namespaces(7)).
#include <linux/sched.h>

#include "abi.h"

static pid_t clone_as(unsigned long long flags, const pid_t* numbers, size_t count) {
  struct clone_args args = {
      .flags = flags, .exit_signal = SIGCHLD, .set_tid = (uintptr_t)numbers, .set_tid_size = count};
  return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}
#define AS(flags, ...)                                  \
  ({                                                    \
    const pid_t as_[] = {__VA_ARGS__};                  \
    clone_as(flags, as_, sizeof(as_) / sizeof(as_[0])); \
  })

static void refusals(void) {
  FAILS(AS(0, 0), EINVAL);
  FAILS(AS(0, -5), EINVAL);
  FAILS(clone_as(0, NULL, 1), EINVAL);
  pid_t one = 1;
  FAILS(clone_as(0, &one, 0), EINVAL);
  FAILS(clone_as(0, &one, 33), EINVAL);
  FAILS(AS(0, getpid()), EEXIST);
  FAILS(AS(CLONE_NEWPID, 2), EINVAL);  // the first is 1
  IN_CHILD({
    OK(setresuid(1000, 1000, 1000));
    FAILS(AS(0, 30000), EPERM);
  });
}

// A first one that is not born is not init: the next is.
static void first_fails(void) {
  IN_CHILD({
    OK(unshare(CLONE_NEWPID));
    FAILS(AS(0, 1, getpid()), EEXIST);
    pid_t first = FORK(CHECK_EQ(getpid(), 1));
    WAIT_OK(first);
  });
}

// A number is taken while a process group or a session has it.
static void groups(void) {
  IN_CHILD({
    OK(setsid());
    pid_t leader = FORK(OK(setpgid(0, 0)); for (;;) pause());
    pid_t member;
    while (setpgid(leader, leader) != 0) CHECK_EQ(errno, EACCES);
    member = FORK(for (;;) pause());
    OK(setpgid(member, leader));
    OK(kill(leader, SIGKILL));
    WAIT_SIGNAL(leader, SIGKILL);
    FAILS(AS(0, leader), EEXIST);
    OK(kill(member, SIGKILL));
    WAIT_SIGNAL(member, SIGKILL);
    pid_t again = OK(AS(0, leader));
    if (again == 0) _exit(0);
    CHECK_EQ(again, leader);
    WAIT_OK(again);
  });
}

int main(void) {
  refusals();
  first_fails();
  groups();
  pid_t child = OK(AS(CLONE_NEWPID, 1, 31234));
  if (child == 0) {
    CHECK_EQ(getpid(), 1);
    pid_t chosen = OK(AS(0, 42));
    if (chosen == 0) {
      CHECK_EQ(getpid(), 42);
      _exit(0);
    }
    CHECK_EQ(chosen, 42);
    FAILS(AS(0, 42), EEXIST);
    WAIT_OK(42);
    FAILS(AS(0, 43, 44, 45, 46, 47, 48), EINVAL);
    // A new namespace in this one: its first and a number here.
    pid_t inner = OK(AS(CLONE_NEWPID, 1, 50));
    if (inner == 0) {
      CHECK_EQ(getpid(), 1);
      _exit(0);
    }
    CHECK_EQ(inner, 50);
    WAIT_OK(inner);
    _exit(0);
  }
  CHECK_EQ(child, 31234);
  WAIT_OK(child);
  return 0;
}
