// User and group ids: credentials(7), setresuid(2), setgroups(2), set-id programs.
#include <grp.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

#include "abi.h"

static void ids(uid_t r, uid_t e, uid_t s) {
  uid_t a, b, c;
  OK(getresuid(&a, &b, &c));
  CHECK_EQ(a, r);
  CHECK_EQ(b, e);
  CHECK_EQ(c, s);
  CHECK_EQ(getuid(), r);
  CHECK_EQ(geteuid(), e);
}

static void* thread(void* arg) {
  CHECK_EQ(getuid(), 1000);
  return arg;
}

static void users(void) {
  IN_CHILD({
    OK(setresuid(10, 20, 30));
    ids(10, 20, 30);
    OK(setresuid(-1, 10, -1));
    ids(10, 10, 30);
    FAILS(setresuid(-1, 0, -1), EPERM);
    OK(setuid(30));  // without privilege only the effective one
    ids(10, 30, 30);
    FAILS(setuid(5), EPERM);
    OK(setreuid(30, 10));
    ids(30, 10, 10);
    FAILS(setreuid(77, -1), EPERM);
    OK(seteuid(30));
    ids(30, 30, 10);
  });
  IN_CHILD({
    OK(setuid(1000));  // with it all three
    ids(1000, 1000, 1000);
    FAILS(setuid(0), EPERM);
  });
  IN_CHILD({
    OK(seteuid(1000));
    ids(0, 1000, 0);
    OK(seteuid(0));  // the saved one allows it
    OK(setreuid(5, 6));
    ids(5, 6, 6);
  });
  OK(setresuid(-1, -1, -1));
  ids(0, 0, 0);
}

int main(void) {
  users();
  IN_CHILD({
    gid_t r;
    gid_t e;
    gid_t s;
    OK(setresgid(10, 20, 30));
    OK(getresgid(&r, &e, &s));
    CHECK_EQ(r + e + s, 60);
    CHECK_EQ(getgid(), 10);
    CHECK_EQ(getegid(), 20);
    OK(setgid(40));
    OK(getresgid(&r, &e, &s));
    CHECK_EQ(r + e + s, 120);
    OK(setresuid(1000, 1000, 1000));
    FAILS(setgid(41), EPERM);
    FAILS(setresgid(-1, 0, -1), EPERM);
    OK(setregid(40, 40));
  });
  IN_CHILD({
    gid_t groups[40];
    for (int i = 0; i < 40; i++) groups[i] = 100 - i;
    OK(setgroups(40, groups));
    CHECK_EQ(getgroups(0, NULL), 40);
    FAILS(getgroups(39, groups), EINVAL);
    gid_t got[64];
    CHECK_EQ(getgroups(64, got), 40);
    FAILS(getgroups(-1, got), EINVAL);
    FAILS(syscall(SYS_setgroups, 65537, groups), EINVAL);
    FAILS(syscall(SYS_getgroups, 64, (void*)8), EFAULT);
    OK(setgroups(0, NULL));
    CHECK_EQ(getgroups(0, NULL), 0);
    OK(setresuid(1000, 1000, 1000));
    FAILS(setgroups(1, groups), EPERM);
  });
  IN_CHILD({
    // The ids of file access alone.
    abi_scratch();
    OK(close(OK(open("secret", O_CREAT | O_WRONLY, 0600))));
    CHECK_EQ(setfsuid(7), 0);
    CHECK_EQ(setfsuid(-1), 7);
    CHECK_EQ(setfsgid(-1), 0);
    ids(0, 0, 0);
    FAILS(open("secret", O_RDONLY), EACCES);
    CHECK_EQ(setfsuid(0), 7);
    OK(open("secret", O_RDONLY));
  });
  // The library changes the ids of every thread, the kernel those of one.
  IN_CHILD({
    pthread_t id;
    OK(setresuid(1000, 1000, 1000));
    ZERO(pthread_create(&id, NULL, thread, NULL));
    ZERO(pthread_join(id, NULL));
  });
  // Children and programs keep them.
  IN_CHILD({
    OK(setresuid(10, 20, 30));
    IN_CHILD(ids(10, 20, 30));
  });
  FAILS(syscall(SYS_getresuid, (void*)8, (void*)8, (void*)8), EFAULT);
  return 0;
}
