// Files of namespaces that are bound somewhere keep them (namespaces(7), "Namespace lifetime"); cgroup
// namespaces.
#include <sys/mount.h>
#include <sys/utsname.h>

#include "abi.h"

static ino_t number(const char* path) {
  struct stat s;
  OK(stat(path, &s));
  return s.st_ino;
}

static void bound(void) {
  ino_t first = number("/proc/self/ns/uts");
  abi_put("uts", "");
  IN_CHILD({
    OK(unshare(CLONE_NEWUTS));
    OK(sethostname("kept", 4));
    OK(mount("/proc/self/ns/uts", "uts", NULL, MS_BIND, NULL));
  });
  CHECK(number("uts") != first);
  IN_CHILD({
    int fd = OK(open("uts", O_RDONLY));
    OK(setns(fd, CLONE_NEWUTS));
    struct utsname name;
    OK(uname(&name));
    CHECK_STR(name.nodename, "kept");
    CHECK_EQ(number("/proc/self/ns/uts"), number("uts"));
  });
  OK(mkdir("dir", 0755));
  FAILS(mount("/proc/self/ns/uts", "dir", NULL, MS_BIND, NULL), ENOTDIR);
  OK(umount2("uts", 0));
  char text[16];
  CHECK_EQ(abi_get("uts", text, sizeof(text)), 0);
}

// A PID namespace keeps its number of init even when that is gone: nobody is born in it.
static void bound_pid(void) {
  abi_put("pid", "");
  pid_t init = (pid_t)OK(syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0));
  if (init == 0) _exit(0);
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)init);
  // It may have died already: a zombie's namespace is still to be seen.
  OK(mount(path, "pid", NULL, MS_BIND, NULL));
  WAIT_OK(init);
  IN_CHILD({
    int fd = OK(open("pid", O_RDONLY));
    OK(setns(fd, CLONE_NEWPID));
    FAILS(fork(), ENOMEM);
  });
  OK(umount2("pid", 0));
}

// A mount namespace that would hold itself is refused.
static void loops(void) {
  abi_put("mnt", "");
  FAILS(mount("/proc/self/ns/mnt", "mnt", NULL, MS_BIND, NULL), EINVAL);
}

static void cgroups(void) {
  IN_CHILD({
    ino_t first = number("/proc/self/ns/cgroup");
    OK(unshare(CLONE_NEWCGROUP));
    ino_t second = number("/proc/self/ns/cgroup");
    CHECK(first != second);
    IN_CHILD({
      CHECK_EQ(number("/proc/self/ns/cgroup"), second);
      OK(setresuid(1000, 1000, 1000));
      FAILS(unshare(CLONE_NEWCGROUP), EPERM);
    });
  });
}

int main(void) {
  OK(unshare(CLONE_NEWNS));
  OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  abi_scratch();
  bound();
  bound_pid();
  loops();
  cgroups();
  return 0;
}
