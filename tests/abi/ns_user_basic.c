// A user namespace without privilege: who one is there, before and after the maps (user_namespaces(7)).
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>

#include "abi.h"

static void put(const char* path, const char* text) {
  int fd = OK(open(path, O_WRONLY));
  CHECK_EQ(write(fd, text, strlen(text)), (long)strlen(text));
  OK(close(fd));
}

static unsigned long long capabilities(void) {
  struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  OK(syscall(SYS_capget, &head, data));
  CHECK_EQ(data[0].effective, data[0].permitted);
  CHECK_EQ(data[0].inheritable, 0);
  return data[0].effective | (unsigned long long)data[1].effective << 32;
}

static unsigned long long all_capabilities(void) {
  char text[16];
  abi_get("/proc/sys/kernel/cap_last_cap", text, sizeof(text));
  return (1ULL << (atoi(text) + 1)) - 1;
}

static void become(uid_t id) {
  OK(setgroups(0, NULL));
  OK(setresgid(id, id, id));
  OK(setresuid(id, id, id));
  OK(prctl(PR_SET_DUMPABLE, 1));
}

static void nobody_yet(void) {
  struct stat before, after, root;
  OK(stat("/proc/self/ns/user", &before));
  OK(unshare(CLONE_NEWUSER));
  OK(stat("/proc/self/ns/user", &after));
  CHECK(before.st_ino != after.st_ino);
  CHECK_EQ(getuid(), 65534);
  CHECK_EQ(geteuid(), 65534);
  CHECK_EQ(getgid(), 65534);
  uid_t r;
  uid_t e;
  uid_t s;
  OK(getresuid(&r, &e, &s));
  CHECK(r == 65534 && e == 65534 && s == 65534);
  OK(stat("/", &root));
  CHECK_EQ(root.st_uid, 65534);
  CHECK_EQ(capabilities(), all_capabilities());
  CHECK_EQ(prctl(PR_GET_SECUREBITS), 0);
  for (int cap = 0; all_capabilities() >> cap & 1; cap++) CHECK_EQ(prctl(PR_CAPBSET_READ, cap), 1);
  // Nothing has a number.
  FAILS(setuid(0), EINVAL);
  FAILS(setresuid(1000, -1, -1), EINVAL);
  FAILS(setgid(0), EINVAL);
  FAILS(setgroups(0, NULL), EPERM);
  char text[256];
  CHECK_EQ(abi_get("/proc/self/uid_map", text, sizeof(text)), 0);
  CHECK_EQ(abi_get("/proc/self/gid_map", text, sizeof(text)), 0);
  abi_get("/proc/self/setgroups", text, sizeof(text));
  CHECK_STR(text, "allow\n");
}

static void root_of_itself(void) {
  char text[256];
  put("/proc/self/setgroups", "deny");
  put("/proc/self/uid_map", "0 1000 1\n");
  put("/proc/self/gid_map", "0 1000 1");
  abi_get("/proc/self/uid_map", text, sizeof(text));
  CHECK_STR(text, "         0       1000          1\n");
  abi_get("/proc/self/setgroups", text, sizeof(text));
  CHECK_STR(text, "deny\n");
  CHECK_EQ(getuid(), 0);
  CHECK_EQ(geteuid(), 0);
  CHECK_EQ(getgid(), 0);
  OK(setuid(0));
  OK(setresgid(0, 0, 0));
  FAILS(setuid(1), EINVAL);
  FAILS(setgroups(0, NULL), EPERM);
  CHECK_EQ(capabilities(), all_capabilities());
  // In the text of its status, too.
  abi_get("/proc/self/status", text, sizeof(text));
  char path[64];
  char status[4096];
  snprintf(path, sizeof(path), "/proc/%d/status", (int)getpid());
  abi_get(path, status, sizeof(status));
  CHECK(strstr(status, "\nUid:\t0\t0\t0\t0\n") != NULL);
  CHECK(strstr(status, "\nGid:\t0\t0\t0\t0\n") != NULL);
}

// What is seen of it from outside.
static void from_outside(void) {
  int ready[2], go[2];
  char c, path[64], text[4096];
  OK(pipe(ready));
  OK(pipe(go));
  pid_t child = FORK({
    become(1000);
    OK(unshare(CLONE_NEWUSER));
    put("/proc/self/uid_map", "7 1000 1");
    CHECK_EQ(getuid(), 7);
    CHECK_EQ(write(ready[1], "", 1), 1);
    CHECK_EQ(read(go[0], &c, 1), 1);
  });
  CHECK_EQ(read(ready[0], &c, 1), 1);
  snprintf(path, sizeof(path), "/proc/%d/status", (int)child);
  abi_get(path, text, sizeof(text));
  CHECK(strstr(text, "\nUid:\t1000\t1000\t1000\t1000\n") != NULL);
  snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)child);
  abi_get(path, text, sizeof(text));
  CHECK_STR(text, "         7       1000          1\n");
  CHECK_EQ(write(go[1], "", 1), 1);
  WAIT_OK(child);
}

static void refusals(void) {
  FAILS(syscall(SYS_clone, CLONE_NEWUSER | CLONE_FS | SIGCHLD, 0, 0, 0, 0), EINVAL);
  FAILS(syscall(SYS_clone, CLONE_NEWUSER | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, 0, 0, 0, 0), EINVAL);
  // Not from a root of one's own.
  IN_CHILD({
    OK(chdir(abi_scratch()));
    OK(chroot("."));
    FAILS(unshare(CLONE_NEWUSER), EPERM);
  });
  // Who is nobody cannot make one.
  IN_CHILD({
    become(1000);
    OK(unshare(CLONE_NEWUSER));
    FAILS(unshare(CLONE_NEWUSER), EPERM);
  });
}

int main(void) {
  IN_CHILD({
    become(1000);
    nobody_yet();
    root_of_itself();
  });
  from_outside();
  refusals();
  return 0;
}
