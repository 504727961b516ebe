// What came along into a mount namespace of less privilege is locked (mount_namespaces(7)).
#include <grp.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#include "abi.h"

static void put(const char* path, const char* text) {
  int fd = OK(open(path, O_WRONLY));
  CHECK_EQ(write(fd, text, strlen(text)), (long)strlen(text));
  OK(close(fd));
}
static void enter(int flags) {
  OK(setgroups(0, NULL));
  OK(setresgid(1000, 1000, 1000));
  OK(setresuid(1000, 1000, 1000));
  OK(prctl(PR_SET_DUMPABLE, 1));
  OK(unshare(CLONE_NEWUSER | flags));
  put("/proc/self/setgroups", "deny");
  put("/proc/self/uid_map", "0 1000 1");
  put("/proc/self/gid_map", "0 1000 1");
}

int main(void) {
  OK(unshare(CLONE_NEWNS));
  OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  abi_scratch();
  OK(mount("none", ".", "tmpfs", 0, "mode=777"));
  char path[256];
  CHECK(getcwd(path, sizeof(path)) != NULL);
  OK(chdir(path));
  OK(mkdir("a", 0777));
  OK(mkdir("b", 0777));
  OK(mkdir("c", 0777));
  OK(mkdir("shared", 0777));
  OK(mount("none", "a", "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=777"));
  OK(mount("none", "b", "tmpfs", 0, "mode=777"));
  OK(mkdir("b/below", 0777));
  OK(mount("none", "b/below", "tmpfs", 0, "mode=777"));
  OK(mount("none", "shared", "tmpfs", 0, "mode=777"));
  OK(mount(NULL, "shared", NULL, MS_SHARED, NULL));
  OK(mkdir("shared/in", 0777));

  int told[2], done[2];
  char c;
  OK(pipe(told));
  OK(pipe(done));
  pid_t child = FORK({
    enter(CLONE_NEWNS);
    FAILS(umount2("a", MNT_DETACH), EINVAL);
    FAILS(umount2("b/below", 0), EINVAL);
    FAILS(mount("b", "c", NULL, MS_MOVE, NULL), EINVAL);
    // Nothing that was covered is uncovered.
    FAILS(mount("b", "c", NULL, MS_BIND, NULL), EINVAL);
    OK(mount("b", "c", NULL, MS_BIND | MS_REC, NULL));
    FAILS(umount2("c/below", 0), EINVAL);
    OK(umount2("c", MNT_DETACH));
    OK(mount("b/below", "c", NULL, MS_BIND, NULL));
    OK(umount2("c", 0));
    // Flags do not go.
    FAILS(mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND, NULL), EPERM);
    FAILS(mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV | MS_NOEXEC, NULL), EPERM);
    OK(mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
    FAILS(mount(NULL, "b", NULL, MS_REMOUNT | MS_RDONLY, NULL), EPERM);  // the file system is not its own
    OK(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
    FAILS(mkdir("b/x", 0755), EROFS);
    OK(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND, NULL));
    // Its own are its own.
    OK(mount("none", "c", "tmpfs", 0, NULL));
    OK(mount(NULL, "c", NULL, MS_REMOUNT | MS_RDONLY, NULL));
    OK(umount2("c", 0));
    // It follows what is shared and is not followed.
    OK(mount("none", "shared/in", "tmpfs", 0, NULL));
    CHECK_EQ(write(told[1], "", 1), 1);
    CHECK_EQ(read(done[0], &c, 1), 1);
    FAILS(umount2("shared", MNT_DETACH), EINVAL);
  });
  CHECK_EQ(read(told[0], &c, 1), 1);
  struct stat in, here;
  OK(stat("shared/in", &in));
  OK(stat("shared", &here));
  CHECK_EQ(in.st_dev, here.st_dev);
  CHECK_EQ(write(done[1], "", 1), 1);
  WAIT_OK(child);

  // What kinds there are for it.
  IN_CHILD({
    enter(CLONE_NEWNS | CLONE_NEWIPC);
    OK(mount("none", "c", "devpts", 0, "ptmxmode=666"));
    int master = OK(open("c/ptmx", O_RDWR | O_NOCTTY)), zero = 0;
    OK(ioctl(master, TIOCSPTLCK, &zero));
    CHECK(abi_exists("c/0"));
    OK(close(OK(open("c/0", O_RDWR | O_NOCTTY))));
    OK(close(master));
    OK(umount2("c", 0));
    OK(mount("none", "c", "mqueue", 0, NULL));
    OK(umount2("c", 0));
    FAILS(mount("none", "c", "proc", 0, NULL), EPERM);  // the PID namespace is not its own
    FAILS(mount("none", "c", "sysfs", 0, NULL), EPERM);
  });
  return 0;
}
