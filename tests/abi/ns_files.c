// Files of namespaces that are bound somewhere keep them (namespaces(7), "Namespace lifetime"); cgroup
// namespaces.
#include <sys/ioctl.h>
#include <sys/utsname.h>

#include "mount_api.h"

static const char* abi_place;

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

// A mount namespace that would hold itself is refused: older ones hold newer ones, and copies hold none.
static void loops(void) {
  char path[64], c;
  abi_put("mnt", "");
  FAILS(mount("/proc/self/ns/mnt", "mnt", NULL, MS_BIND, NULL), EINVAL);
  int told[2], go[2];
  OK(pipe(told));
  OK(pipe(go));
  OK(mkdir("tree", 0755));
  OK(mount("none", "tree", "tmpfs", 0, NULL));
  abi_put("tree/mnt", "");
  OK(mkdir("peer", 0755));
  OK(mkdir("target", 0755));
  pid_t child = FORK({
    OK(unshare(CLONE_NEWNS));
    CHECK_EQ(write(told[1], "", 1), 1);
    CHECK_EQ(read(go[0], &c, 1), 1);
  });
  CHECK_EQ(read(told[0], &c, 1), 1);
  snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)child);
  ino_t held = number(path);
  OK(mount(path, "tree/mnt", NULL, MS_BIND, NULL));
  CHECK_EQ(number("tree/mnt"), held);
  // A copy of the tree for the same namespace has it, one for another has not.
  OK(mount("tree", "peer", NULL, MS_BIND | MS_REC, NULL));
  CHECK_EQ(number("peer/mnt"), held);
  OK(umount2("peer", MNT_DETACH));
  IN_CHILD({
    OK(unshare(CLONE_NEWNS));
    CHECK(number("tree/mnt") != held);
  });
  // It does not come in by a descriptor either.
  int copy = OK(api_open_tree(AT_FDCWD, "tree", OPEN_TREE_CLONE | AT_RECURSIVE));
  IN_CHILD({
    int fd = OK(open("tree/mnt", O_RDONLY));
    OK(setns(fd, CLONE_NEWNS));
    FAILS(api_move_mount(copy, "", AT_FDCWD, "/tmp", MOVE_MOUNT_F_EMPTY_PATH), ELOOP);
  });
  OK(api_move_mount(copy, "", AT_FDCWD, "target", MOVE_MOUNT_F_EMPTY_PATH));
  CHECK_EQ(number("target/mnt"), held);
  OK(umount2("target", MNT_DETACH));
  // Nor by propagation.
  OK(umount2("tree/mnt", 0));
  OK(mount(NULL, "tree", NULL, MS_SHARED, NULL));
  OK(mount("tree", "peer", NULL, MS_BIND, NULL));
  FAILS(mount(path, "tree/mnt", NULL, MS_BIND, NULL), EINVAL);
  OK(umount2("peer", 0));
  OK(mount(path, "tree/mnt", NULL, MS_BIND, NULL));
  // With the last that holds it a namespace goes, and those that it holds.
  CHECK_EQ(write(go[1], "", 1), 1);
  WAIT_OK(child);
  OK(umount2("tree", MNT_DETACH));
}

// Namespaces that hold each other in a row go one after the other.
static void chain(void) {
  char path[64], c;
  enum { kLinks = 200 };
  int told[2], go[2];
  OK(pipe(told));
  OK(pipe(go));
  abi_put("next", "");
  pid_t child = FORK({
    for (int i = 0; i < kLinks; i++) {
      pid_t inner = FORK({
        OK(unshare(CLONE_NEWNS));
        CHECK_EQ(write(told[1], "", 1), 1);
        CHECK_EQ(read(go[0], &c, 1), 1);
      });
      CHECK_EQ(read(told[0], &c, 1), 1);
      snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)inner);
      int fd = OK(open(path, O_RDONLY));
      OK(mount(path, "next", NULL, MS_BIND, NULL));
      OK(setns(fd, CLONE_NEWNS));
      OK(close(fd));
      CHECK_EQ(write(go[1], "", 1), 1);
      WAIT_OK(inner);
      OK(chdir(abi_place));
    }
  });
  WAIT_OK(child);
  OK(umount2("next", MNT_DETACH));
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
  // Which of two namespaces is older Linux knows by numbers that each CPU gives in batches.
  cpu_set_t one;
  OK(sched_getaffinity(0, sizeof(one), &one));
  int cpu = 0;
  while (!CPU_ISSET(cpu, &one)) cpu++;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  OK(sched_setaffinity(0, sizeof(one), &one));
  OK(unshare(CLONE_NEWNS));
  OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  abi_place = abi_scratch();
  bound();
  bound_pid();
  loops();
  chain();
  cgroups();
  return 0;
}
